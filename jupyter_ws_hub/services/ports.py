"""What services need of the platform: files through the ContentsManager, and what runs on the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

Model = dict[str, Any]
"""A contents model, as jupyter_server's ContentsManager documents it."""


class Contents(Protocol):
    """Files through the server's ContentsManager, sync or async.

    Paths are API paths: relative to the server's root, with `/`. All methods raise `HubError` (`not_found` also for
    hidden and outside paths, `exists`, `conflict`, `invalid`, `forbidden`, `too_big`) and never name absolute paths.
    """

    async def get(self, path: str, *, content: bool, type: str | None = None, format: str | None = None) -> Model:
        """The model of a file, notebook or directory."""
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


class Running(msgspec.Struct, frozen=True):
    """A kernel or terminal that runs on this server."""

    id: str
    name: str
    state: str
    connections: int
    last_activity: str


class Platform(Protocol):
    """What runs on the server now. Cheap."""

    async def kernels(self) -> Sequence[Running]:
        """All kernels."""
        ...

    async def terminals(self) -> Sequence[Running]:
        """All terminals; empty where terminals are off."""
        ...
