"""What transfers need of the platform: where an API path lies on the disk, and whom to tell of a new file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class LocalFiles(Protocol):
    """The local file system behind the ContentsManager. All methods raise `HubError` and name API paths only."""

    @property
    def root(self) -> Path:
        """The directory that is served."""
        ...

    async def source(self, path: str) -> Path:
        """The file to download.

        Raises:
            HubError: `not_found` (also for what is hidden or outside the root), `invalid` for a directory,
                `unsupported` where the ContentsManager is not a local file system.
        """
        ...

    async def directory(self, path: str) -> Path:
        """A directory that exists; raises as `source`, `invalid` for a file."""
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
