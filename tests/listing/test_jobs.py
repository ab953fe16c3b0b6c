"""Listings step by step: pages, orders, windows and what is remembered for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.listing import jobs
from jupyter_ws_hub.listing.entry import Directory, Order, Page
from jupyter_ws_hub.listing.jobs import MAX_CACHED, Cache, Listing
from jupyter_ws_hub.listing.messages import ListBody
from jupyter_ws_hub.listing.mime import MimeTables

OLD_S = 1_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two directories, two notebooks, three files of different sizes and times."""
    folder = tmp_path / "folder"
    for name in ("d10", "D9"):
        (folder / name).mkdir(parents=True)
    for number, name in enumerate(["n2.ipynb", "N1.ipynb", "f10.txt", "f9.txt", "F1.txt"]):
        (folder / name).write_text("x" * (number + 1))
        os.utime(folder / name, (OLD_S, OLD_S - number))
    for name in ("d10", "D9"):
        os.utime(folder / name, (OLD_S, OLD_S + 5))
    return folder


def pages(folder: Path, cache: Cache | None = None, **how: Any) -> Iterator[Page]:
    """All pages of a listing."""
    window = {name: how.pop(name, 0) for name in ("page_entries", "first", "limit")}
    body = ListBody(Directory(str(folder), "p"), Order(**how), credit=1, **window)
    listing = Listing(1, body, MimeTables(), cache or Cache())
    try:
        while not listing.is_over:
            page = listing.step()
            assert len(page) <= 32 * 1024 or body.limit
            yield msgspec.json.decode(page, type=Page)
    finally:
        listing.close()


def names(folder: Path, **how: Any) -> list[str]:
    return [entry.name for page in pages(folder, **how) for entry in page.entries]


NAME = ["d9", "d10", "f1.txt", "f9.txt", "f10.txt", "n1.ipynb", "n2.ipynb"]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, NAME),
        ({"descending": True}, NAME[::-1]),
        ({"directories_first": True, "descending": True}, ["d10", "d9", *NAME[:1:-1]]),
        ({"sort": "type"}, ["d9", "d10", "n1.ipynb", "n2.ipynb", "f1.txt", "f9.txt", "f10.txt"]),
        ({"sort": "type", "descending": True}, ["f10.txt", "f9.txt", "f1.txt", "n2.ipynb", "n1.ipynb", "d10", "d9"]),
        (
            {"sort": "type", "descending": True, "directories_first": True},
            ["d10", "d9", "f10.txt", "f9.txt", "f1.txt", "n2.ipynb", "n1.ipynb"],
        ),
        ({"sort": "modified"}, ["f1.txt", "f9.txt", "f10.txt", "n1.ipynb", "n2.ipynb", "d9", "d10"]),
        ({"sort": "size", "filter": "*.*"}, ["n2.ipynb", "n1.ipynb", "f10.txt", "f9.txt", "f1.txt"]),
        (
            {"sort": "size", "filter": "*.*", "descending": True},
            ["f1.txt", "f9.txt", "f10.txt", "n1.ipynb", "n2.ipynb"],
        ),
    ],
)
def test_every_order(folder: Path, how: dict[str, Any], expected: list[str]) -> None:
    assert [name.lower() for name in names(folder, **how)] == expected
    assert [name.lower() for name in names(folder, **how, page_entries=1)] == expected


def test_many_pages_have_every_name_once_and_fit(folder: Path) -> None:
    for number in range(1500):
        (folder / f"many{number}").touch()
    found = list(pages(folder, page_entries=400, filter="many"))
    assert len(found) > 4
    assert [entry.name for page in found for entry in page.entries] == [f"many{n}" for n in range(1500)]
    firsts = [0]
    for page in found:
        assert (page.first, page.total) == (firsts[-1], 1500)
        firsts.append(firsts[-1] + len(page.entries))
    assert len({page.etag for page in found}) == 1


def test_an_empty_directory_is_one_page(tmp_path: Path) -> None:
    (page,) = pages(tmp_path)
    assert (page.total, page.entries) == (0, [])


def test_what_vanishes_midway_is_left_out_and_ends_nothing(folder: Path) -> None:
    found = pages(folder, page_entries=2)
    first = next(found)
    for name in ("f9.txt", "f10.txt"):
        (folder / name).unlink()
    rest = list(found)
    assert [e.name for page in (first, *rest) for e in page.entries] == ["D9", "d10", "F1.txt", "N1.ipynb", "n2.ipynb"]
    assert rest[-1].first + 2 >= 7


def test_a_directory_that_vanishes_midway_ends_the_listing_without_what_is_gone(folder: Path) -> None:
    found = pages(folder, page_entries=2)
    next(found)
    shutil.rmtree(folder)
    assert [entry for page in found for entry in page.entries] == []
    with pytest.raises(FileNotFoundError):
        next(pages(folder))


@pytest.mark.parametrize("place", ["nowhere", "folder/f9.txt"])
def test_what_is_no_directory_is_an_error(folder: Path, place: str) -> None:
    with pytest.raises(OSError):
        next(pages(folder.parent / place))


def test_a_window_is_a_stretch_of_the_whole(folder: Path) -> None:
    for first, limit in [(0, 3), (2, 2), (5, 200), (7, 5), (100, 5)]:
        (page,) = pages(folder, first=first, limit=limit)
        assert [entry.name.lower() for entry in page.entries] == NAME[first : first + limit]
        assert (page.first, page.total) == (first, 7)


def test_windows_of_a_quiet_directory_read_it_once_and_see_the_next_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, reads = Cache(), []
    inner = jobs.read_names

    def read(*args: Any) -> Any:
        reads.append(args)
        return inner(*args)

    monkeypatch.setattr(jobs, "read_names", read)
    monkeypatch.setattr(jobs, "SETTLED_NS", -(10**18))
    for first in range(5):
        list(pages(folder, cache, first=first, limit=1))
    assert len(reads) == 1
    (folder / "a").touch()
    os.utime(folder)
    (page,) = pages(folder, cache, first=0, limit=1)
    assert page.entries[0].name == "a"
    list(pages(folder, cache, first=0, limit=1, sort="modified"))
    list(pages(folder, cache, first=0, limit=1, sort="modified"))
    assert len(reads) == 4, "times of files may change without a trace in their directory"


def test_what_has_just_changed_is_read_again(folder: Path) -> None:
    cache = Cache()
    list(pages(folder, cache, first=0, limit=1))
    times = folder.stat()
    (folder / "a").touch()
    os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if in the same tick of the clock
    (page,) = pages(folder, cache, first=0, limit=1)
    assert page.entries[0].name == "a"


def test_few_listings_are_remembered(tmp_path: Path) -> None:
    cache = Cache()
    for number in range(3 * MAX_CACHED):
        (tmp_path / str(number)).mkdir()
        list(pages(tmp_path / str(number), cache, first=0, limit=1))
    assert len(cache._names) == MAX_CACHED
