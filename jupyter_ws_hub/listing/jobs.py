"""Listings under way in the helper process: one step at a time, so that all get on. Blocks for one step."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final, NamedTuple

from .entry import PAGE_BYTES, WINDOW_BYTES, Directory, Order, Packer
from .messages import ListBody
from .mime import MimeTables
from .order import Group, Sorted, ranks
from .scan import Looker, Rules

MAX_CACHED: Final = 4
SETTLED_NS: Final = 2_000_000_000
"""A directory's time tells of later changes only if it is older than the clock's (and the file system's) ticks."""

BY_NAME: Final = ("name", "type")
"""Orders that only names, and what they name, decide."""

READ_AHEAD: Final = 256
"""Names that are looked at, at most, for one page."""


class Names(NamedTuple):
    """A directory's names in their order."""

    sorted: Sorted
    etag: str
    settled: bool
    """Whether another time of the directory will tell that they have changed."""
    read_ns: int


def read_names(looker: Looker, order: Order) -> Names:
    """Read and sort."""
    status = looker.status()
    directories, files = looker.names()
    if order.sort == "type":
        notebooks = [name for name in files if name.endswith(".ipynb")]
        files = [name for name in files if not name.endswith(".ipynb")]
        groups = [directories, notebooks, files]
        if order.descending:
            groups = [directories, files, notebooks] if order.directories_first else [files, notebooks, directories]
    else:
        groups = [directories, files] if order.directories_first else [directories + files]
    made = [Group(names, _ranks(looker, names, order), order.descending) for names in groups]
    etag = f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}"
    now_ns = time.time_ns()
    settled = order.sort in BY_NAME and now_ns - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS
    return Names(Sorted(made), etag, settled, now_ns)


def _ranks(looker: Looker, names: list[str], order: Order) -> list[str]:
    """What names are sorted by: their size or time before themselves, where that is asked for."""
    by_name = ranks(names)
    if order.sort in BY_NAME:
        return by_name
    looked = (looker.rank(name, order) for name in names)
    return [f"{known}{value + (1 << 63):020d}{rank}" for (known, value), rank in zip(looked, by_name, strict=True)]


class Cache:
    """The names of directories that were listed last, for windows: who scrolls asks again and again."""

    def __init__(self) -> None:
        """Nothing was listed."""
        self._names: OrderedDict[tuple[Directory, Order], Names] = OrderedDict()

    def get(self, looker: Looker, order: Order) -> Names:
        """The names as they are now."""
        key = (looker.directory, order)
        names = self._names.pop(key, None)
        if names is None or not self._is_fresh(names, looker):
            names = read_names(looker, order)
        self._names[key] = names
        if len(self._names) > MAX_CACHED:
            self._names.popitem(last=False)
        return names

    def _is_fresh(self, names: Names, looker: Looker) -> bool:
        status = looker.status()
        same = names.etag == f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}"
        return same and names.settled


class Listing:
    """One listing; each step gives an encoded page."""

    def __init__(self, id: int, body: ListBody, mime: MimeTables, cache: Cache) -> None:
        """Nothing is read before the first step."""
        self.id = id
        self.credit = body.credit
        self._body = body
        self._mime = mime
        self._cache = cache
        self._looker: Looker | None = None
        self._names: Names | None = None
        self._next = body.first
        self.is_over = False

    def close(self) -> None:
        """Let go of the directory."""
        self.is_over = True
        if self._looker is not None:
            self._looker.close()
            self._looker = None

    def step(self) -> bytes:
        """The next page.

        Raises:
            OSError: the directory cannot be read (any more).
        """
        looker, names = self._opened()
        body, total = self._body, names.sorted.total
        end = min(total, body.first + body.limit) if body.limit else total
        packer = Packer(body.page_entries, WINDOW_BYTES if body.limit else PAGE_BYTES)
        first = self._next
        wanted = min(end - first, body.page_entries or READ_AHEAD)
        for name in names.sorted.slice(first, max(0, wanted)):
            entry = looker.entry(name)
            if entry is not None and not packer.add(entry):
                break
            self._next += 1
        self.is_over = self._next >= end or bool(body.limit)
        return packer.page(looker.directory.path, first, total, names.etag)

    def _opened(self) -> tuple[Looker, Names]:
        if self._looker is None:
            order = self._body.order
            rules = Rules(self._body.directory, hidden=order.hidden, filter=order.filter)
            self._looker = Looker(self._body.directory, rules, self._mime)
        if self._names is None:
            order = self._body.order
            if self._body.limit:
                self._names = self._cache.get(self._looker, order)
            else:
                self._names = read_names(self._looker, order)
        return self._looker, self._names
