"""Listings and changes of files that only a ContentsManager can reach: in this process, with what it gives.

It is asked for a whole directory at a time, so this is as slow as it is; what is done with its answer is done in a
thread, and by the same code as for local files.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from ..protocol.errors import HubError
from .entry import PAGE_BYTES, WINDOW_BYTES, DirectoryChanged, Entry, Order, Packer
from .order import keys
from .scan import matcher

GATHER_S: Final = 0.1
MAX_CHANGES: Final = 100

Look = Callable[[str], Awaitable[Entry | None]]
"""Gives the entry for an API path, None if it is not there or not to be seen."""


def arrange(entries: list[Entry], order: Order) -> list[Entry]:
    """Filter and sort."""
    wanted = matcher(order.filter)
    listed = [e for e in entries if wanted is None or wanted(e.name)]
    if not order.hidden:
        listed = [e for e in listed if not e.name.startswith(".")]
    ranks = {"directory": 0, "notebook": 1, "file": 2}

    def rank(pair: tuple[str, Entry]) -> tuple[int, str]:
        key, entry = pair
        match order.sort:
            case "modified":
                return entry.mtime_ms, key
            case "size":
                return entry.size or 0, key
            case "type":
                return ranks[entry.type], key
        return 0, key

    pairs = zip(keys([e.name for e in listed]), listed, strict=True)
    ordered = [entry for _, entry in sorted(pairs, key=rank, reverse=order.descending)]
    if order.directories_first:
        ordered.sort(key=lambda entry: entry.type != "directory")
    return ordered


class ContentsEvent(msgspec.Struct, frozen=True):
    """What was done through the ContentsManager: create, save, upload, rename, copy or delete."""

    action: str
    path: str
    source_path: str = ""
    """Of rename and copy: where it was."""


class Pages:
    """A listing in pages."""

    def __init__(self, path: str, entries: list[Entry], order: Order) -> None:
        """Sort it all."""
        self._path = path
        self._entries = arrange(entries, order)
        names = "/".join(entry.name for entry in self._entries)
        self._etag = f"n{zlib.crc32(names.encode(errors='replace')):x}"

    def page(self, first: int, limit: int, *, window: bool = False) -> tuple[bytes, int]:
        """An encoded page from number `first` on, of at most `limit` entries (0: as many as fit); its number."""
        packer = Packer(limit, WINDOW_BYTES if window else PAGE_BYTES)
        for entry in self._entries[first : first + limit if limit else None]:
            if not packer.add(entry):
                break
        return packer.page(self._path, first, len(self._entries), self._etag), len(packer.encoded)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._entries)


class EventWatch:
    """Gathers what was done in one directory through the manager, looks at it, and tells."""

    def __init__(self, path: str, look: Look, on_change: Callable[[DirectoryChanged], None]) -> None:
        """`path` has no slashes at its ends."""
        self._path = path
        self._look = look
        self._on_change = on_change
        self._names: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def touch(self, path: str) -> None:
        """Something was done to a path; only what is right in this directory counts, or the directory itself."""
        parent, _, name = path.rpartition("/")
        if path and path == self._path:
            self._names.add("")
        elif parent == self._path and name:
            self._names.add(name)
        if self._names and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._names:
            await asyncio.sleep(GATHER_S)
            names, self._names = self._names, set()
            try:
                self._on_change(await self._changes(names))
            except HubError:  # the manager does not tell now; who shows the directory may ask it later
                self._on_change(DirectoryChanged(self._path, reset=True))

    async def _changes(self, names: set[str]) -> DirectoryChanged:
        if "" in names and await self._look(self._path) is None:
            return DirectoryChanged(self._path, gone=True)
        if "" in names or len(names) > MAX_CHANGES:
            return DirectoryChanged(self._path, reset=True)
        entries: list[Entry] = []
        removed: list[str] = []
        for name in sorted(names):
            entry = await self._look(f"{self._path}/{name}" if self._path else name)
            if entry is None:
                removed.append(name)
            else:
                entries.append(entry)
        return DirectoryChanged(self._path, entries, removed)

    def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
