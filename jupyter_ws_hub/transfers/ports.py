"""What transfers need of the platform: where an API path lies on the disk, and whom to tell of a new file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from .remote import RemoteFiles


class Seen(NamedTuple):
    """What a look at something tells; `size` is in bytes, `mtime_ms` counts from 1970-01-01 UTC, 0 if not known."""

    type: Literal["file", "directory"]
    size: int | None
    mtime_ms: int
    etag: str


class Loaded(NamedTuple):
    """A file's content: text, or bytes in base64, possibly in lines."""

    content: str
    is_base64: bool


class Remote(Protocol):
    """A ContentsManager that keeps its files elsewhere. All methods raise `HubError` and name API paths only."""

    async def look(self, path: str) -> Seen | None:
        """What is there; None if nothing is."""
        ...

    async def is_directory(self, path: str) -> bool:
        """Whether there is a directory; `not_found` for what is hidden."""
        ...

    async def save(self, path: str, content: str, chunk: int | None) -> None:
        """Write a file from base64: whole, or the pieces 1, 2, … and at last -1, each behind those before."""
        ...

    async def load(self, path: str) -> Loaded:
        """Read a file, whole."""
        ...

    async def rename(self, path: str, to: str) -> None:
        """Give a file another name, which should be free; `unsupported` where that cannot be done."""
        ...

    async def delete(self, path: str) -> None:
        """Delete a file."""
        ...

    async def make_directory(self, path: str) -> None:
        """Make a directory in one that exists."""
        ...


class LocalFiles(Protocol):
    """The local file system behind the ContentsManager. All methods raise `HubError` and name API paths only.

    Where the ContentsManager keeps its files elsewhere, they are spooled: `source` and `target` are places in the spool
    then, and `remote` is how what was spooled gets where it belongs.
    """

    @property
    def remote(self) -> RemoteFiles | None:
        """The files that are not on this disk; None where they are."""
        ...

    @property
    def root(self) -> Path:
        """The directory that is served."""
        ...

    async def source(self, path: str) -> Path:
        """The file to download.

        Raises:
            HubError: `not_found` (also for what is hidden or outside the root), `invalid` for a directory,
                `too_big` for one that is too large to be spooled.
        """
        ...

    async def release(self, path: str) -> None:
        """No download needs this file any more; what was spooled of it can go. Idempotent."""
        ...

    async def directory(self, path: str) -> Path:
        """A directory that exists; raises as `source`, `invalid` for a file, `unsupported` for one elsewhere."""
        ...

    async def target(self, path: str) -> Path:
        """Where an upload is to be published; its directory exists, the path itself is not a directory.

        Raises:
            HubError: as `source`; `not_found` where the directory is missing.
        """
        ...

    def allows(self, name: str) -> bool:
        """Whether files and directories may have this name: hidden ones only where the server allows them."""
        ...

    def api_path(self, target: Path) -> str:
        """The API path of a file under the root."""
        ...

    async def before_save(self, path: str, size: int) -> None:
        """Run the pre-save hooks; they may refuse by an error."""
        ...

    async def after_save(self, path: str, target: Path) -> str | None:
        """Run the post-save hooks and emit exactly one `save` event; what went wrong with a hook, if anything."""
        ...


class Wire(Protocol):
    """The socket of a stream."""

    async def send(self, message: str | bytes) -> bool:
        """Write a message and wait until it has been handed on; False if the socket is gone."""
        ...

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """Call `fill` in a thread again and again, and write what it gives as it is; False if the socket is gone.

        That are data frames laid out for the wire (see protocol/bulk.py); they may be overwritten by the next call of
        `fill`. Returns when it gives nothing, and when the socket takes no more for now: what is left goes out before
        anything else that is sent. What `fill` raises is raised here.
        """
        ...

    def end(self, code: int, reason: str) -> None:
        """Close the socket. Idempotent."""
        ...
