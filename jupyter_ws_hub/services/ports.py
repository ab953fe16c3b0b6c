"""What services need of the platform: files through the ContentsManager, and what runs on the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from ..listing.elsewhere import ContentsEvent
from ..listing.entry import Directory

Model = dict[str, Any]
"""A contents model, as jupyter_server's ContentsManager documents it."""


def time_text(value: object) -> str:
    """A time of a model as it goes over the wire."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


class Checkpoint(msgspec.Struct, frozen=True):
    """A saved state of a file, to which it can be restored."""

    id: str
    last_modified: str


class Contents(Protocol):
    """Files through the server's ContentsManager, sync or async.

    Paths are API paths: relative to the server's root, with `/`. All methods raise `HubError` (`not_found` also for
    hidden and outside paths, `exists`, `conflict`, `invalid`, `forbidden`, `too_big`) and never name absolute paths.
    Models have a field `etag` besides: another one whenever the content may be, the same as transfers use; None for
    directories; and, where it is known exactly, `mtime_ms`.
    """

    async def get(
        self, path: str, *, content: bool, type: str | None = None, format: str | None = None, max_bytes: int = 0
    ) -> Model:
        """The model of a file, notebook or directory.

        With `max_bytes` a file is `too_big`, and not read, if its size on this machine's disk already says that its
        content would be more as JSON; what comes may still be more.
        """
        ...

    async def save(self, path: str, model: Model) -> Model:
        """Write a file or notebook; give its model without content."""
        ...

    async def create(self, path: str, type: str) -> Model:
        """Make an empty file, notebook or directory at exactly this path; `exists` if something is there."""
        ...

    async def rename(self, path: str, to: str) -> Model:
        """Move a file or directory; `exists` if something is there."""
        ...

    async def copy(self, path: str, to: str) -> Model:
        """Copy a file or directory to a path, or into a directory under a free name."""
        ...

    async def delete(self, path: str) -> None:
        """Delete a file or directory, to the trash where that is configured."""
        ...

    async def directory(self, path: str) -> Directory | None:
        """Where a directory lies on this machine's disk, and what is hidden in it; None if only `get` can list it.

        Raises:
            HubError: `not_found`, also for what is no directory.
        """
        ...

    def listen(self, on_event: Callable[[ContentsEvent], None]) -> Callable[[], None]:
        """Be told, on the event loop, of what is changed through the ContentsManager; the result ends it."""
        ...

    async def checkpoints(self, path: str) -> list[Checkpoint]:
        """The checkpoints of a file."""
        ...

    async def make_checkpoint(self, path: str) -> Checkpoint:
        """Save the state of a file."""
        ...

    async def restore_checkpoint(self, path: str, id: str) -> Model:
        """Bring a file back to a checkpoint; give its model without content."""
        ...

    async def delete_checkpoint(self, path: str, id: str) -> None:
        """Forget a checkpoint."""
        ...


class Running(msgspec.Struct, frozen=True):
    """A kernel or terminal that runs on this server."""

    id: str
    name: str
    state: str
    connections: int
    last_activity: str


class SocketCounts(msgspec.Struct, frozen=True):
    """How many connections are open, by kind; `users` are on /ws."""

    main: int = 0
    terminals: int = 0
    file_streams: int = 0
    users: int = 0


Whose: TypeAlias = Literal["machine", "container", "server"]
"""Of whom a limit is: the whole machine, the container that the server is in, or the server with all that it has
started, as a JupyterHub limits it."""


class Usage(msgspec.Struct, frozen=True):
    """What the server and its machine have used since the last time. Memory in bytes, processors in cores.

    Where less than the machine is to be had, `machine_…` are of that: `cores_of` and `memory_of` say of what.
    """

    cpu: float
    """Of the server and its helper processes, without kernels and terminals: 1 is one core that was always busy."""
    memory: int
    machine_cpu: float
    machine_cores: float
    machine_memory: int
    machine_memory_used: int
    loop_lag_ms: float
    """The longest that the event loop was late."""
    cores_of: Whose = "machine"
    memory_of: Whose = "machine"
    models: int = 0
    """How many processes of models run on this machine; the two below are of them together."""
    models_cpu: float = 0
    models_memory: int = 0


class Gauge(Protocol):
    """Measures what the server uses, from `start` to `stop`."""

    async def start(self) -> None:
        """Begin: the first reading tells what was used since then."""
        ...

    async def read(self) -> Usage:
        """What was used since the last reading."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Platform(Protocol):
    """What runs on the server now. Cheap."""

    async def kernels(self) -> Sequence[Running]:
        """All kernels."""
        ...

    async def terminals(self) -> Sequence[Running]:
        """All terminals; empty where terminals are off."""
        ...
