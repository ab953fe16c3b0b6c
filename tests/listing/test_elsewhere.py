"""Listings and changes of what only a manager can reach; the sorting itself is tested in test_jobs and test_files."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jupyter_ws_hub.listing import elsewhere
from jupyter_ws_hub.listing.elsewhere import MAX_CHANGES, EventWatch, Pages, arrange
from jupyter_ws_hub.listing.entry import DirectoryChanged, Entry, EntryType, Order, Page
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import until


def entry(name: str, type: EntryType = "file", size: int = 0, mtime_ms: int = 0) -> Entry:
    return Entry(name, f"d/{name}", type, True, "", "", size, None, None, mtime_ms)


ENTRIES = [
    entry("f10", size=1, mtime_ms=5),
    entry("f9", size=2, mtime_ms=4),
    entry("D", "directory"),
    entry("n.ipynb", "notebook", 3, 9),
    entry(".h"),
]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(), ["D", "f9", "f10", "n.ipynb"]),
        (Order(hidden=True), [".h", "D", "f9", "f10", "n.ipynb"]),
        (Order("size", descending=True), ["n.ipynb", "f9", "f10", "D"]),
        (Order("modified", directories_first=True, descending=True), ["D", "n.ipynb", "f10", "f9"]),
        (Order("type"), ["D", "n.ipynb", "f9", "f10"]),
        (Order(filter="F"), ["f9", "f10"]),
    ],
)
def test_every_order(order: Order, expected: list[str]) -> None:
    assert [one.name for one in arrange(ENTRIES, order)] == expected


def test_pages_hold_all_and_windows_what_was_asked_for() -> None:
    pages = Pages("d", [entry(f"{n}" * 50) for n in range(1, 900)], Order())
    first, numbers = 0, []
    while first < pages.total:
        data, count = pages.page(first, 0)
        assert len(data) <= 32 * 1024 and count > 0
        numbers.append(count)
        first += count
    assert sum(numbers) == pages.total == 899 and len(numbers) > 3
    data, count = pages.page(5, 200, window=True)
    assert count == 200
    assert msgspec.json.decode(data, type=Page).first == 5


class Here:
    """A directory in memory; what was told of it."""

    def __init__(self, path: str = "d") -> None:
        """Watch it."""
        self.names = {"", "a"}
        self.error: HubError | None = None
        self.told: list[DirectoryChanged] = []
        self.watch = EventWatch(path, self.look, self.told.append)

    async def look(self, path: str) -> Entry | None:
        """Look at a path."""
        if self.error is not None:
            raise self.error
        name = path.removeprefix("d").strip("/")
        return entry(name) if name in self.names else None


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gather for a moment."""
    monkeypatch.setattr(elsewhere, "GATHER_S", 0.01)


async def test_what_is_done_is_gathered_and_looked_at() -> None:
    here = Here()
    for path in ("d/a", "d/a", "d/b", "d/deep/x", "e/a", "", "dd/a"):
        here.watch.touch(path)
    await until(lambda: bool(here.told))
    assert here.told == [DirectoryChanged("d", [entry("a")], ["b"])]


async def test_the_directory_itself_may_go_or_change() -> None:
    here = Here()
    here.watch.touch("d")
    await until(lambda: here.told == [DirectoryChanged("d", reset=True)])
    here.names.clear()
    here.watch.touch("d")
    await until(lambda: here.told[1:] == [DirectoryChanged("d", gone=True)])


async def test_too_much_or_what_cannot_be_looked_at_is_a_reset() -> None:
    here = Here()
    for number in range(MAX_CHANGES + 1):
        here.watch.touch(f"d/{number}")
    await until(lambda: here.told == [DirectoryChanged("d", reset=True)])
    here.error = HubError(Code.INTERNAL, "the store is away")
    here.watch.touch("d/a")
    await until(lambda: here.told[1:] == [DirectoryChanged("d", reset=True)])


async def test_nothing_is_told_after_the_end_and_the_root_is_a_directory_too() -> None:
    here = Here("")
    here.names.add("x")
    here.watch.touch("x")
    await until(lambda: [one.name for one in here.told[0].entries] == ["x"] if here.told else False)
    here.watch.touch("x")
    here.watch.stop()
    await asyncio.sleep(0.05)
    assert len(here.told) == 1
