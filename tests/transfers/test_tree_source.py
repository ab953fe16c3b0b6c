"""A directory's files as one sequence: from any place, checked one by one, and announced before they come."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.transfers.tree_source import BATCH_ENTRIES, Announcer, TreeSource
from jupyter_ws_hub.transfers.walk import Member

from .test_source import read, refused
from .test_walk import walk

FILES = {"a": b"01234", "b/c": b"", "b/d": b"5", "e": b"6789", "f": b""}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def tree(place: Path) -> TreeSource:
    return TreeSource(place, "d", walk(place))


def test_the_files_come_one_behind_the_other_from_any_place(place: Path) -> None:
    whole = b"0123456789"
    source = tree(place)
    assert source.size == len(whole)
    for begin in range(len(whole) + 1):
        for cut in range(begin, len(whole) + 1):
            assert source.seek(begin) == begin
            assert read(source, cut - begin, len(whole) - cut) == whole[begin:]
    source.check()
    source.close()
    source.close()


def test_an_empty_directory_has_no_bytes(tmp_path: Path) -> None:
    source = tree(tmp_path)
    assert (source.size, source.seek(0), read(source)) == (0, 0, b"")


@pytest.mark.parametrize("change", ["before it is opened", "while it is read", "gone", "a link"])
def test_each_file_is_the_one_that_was_walked(place: Path, change: str) -> None:
    source = tree(place)
    if change == "while it is read":
        assert read(source, 7) == b"0123456"
        os.truncate(place / "e", 10)
    else:
        assert read(source, 5) == b"01234"
        if change == "before it is opened":
            (place / "e").write_bytes(b"abcd")
            os.utime(place / "e", (1, 1))
        else:
            (place / "e").unlink()
        if change == "a link":
            (place / "e").symlink_to("/etc/hostname")
    error = refused(lambda: (read(source, 1), read(source, source.size - 6)))
    assert error.code is Code.SOURCE_CHANGED
    assert "d/e" in error.message
    source.close()


def test_no_descriptor_stays_open(place: Path) -> None:
    source = tree(place)
    before = len(os.listdir("/proc/self/fd"))
    read(source, 10)
    assert len(os.listdir("/proc/self/fd")) == before
    source.seek(2)
    read(source, 1)
    source.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_entries_are_announced_before_their_bytes_and_not_much_earlier() -> None:
    members = [Member(f"f{n}", 10, 5_000_000, 0o644, None) for n in range(1000)]
    announcer, told = Announcer(members, 0), 0
    for offset in range(0, 10_001, 100):
        while (batch := announcer.due(offset, is_all=False)) is not None:
            assert batch.first == told
            assert len(batch.entries) <= BATCH_ENTRIES
            told += len(batch.entries)
        assert 10 * told >= offset
        assert told <= offset // 10 + BATCH_ENTRIES
    assert announcer.due(10_000, is_all=True) is None
    assert announcer.next == told == 1000


def test_what_has_no_bytes_is_announced_at_the_end_at_the_latest(place: Path) -> None:
    members = walk(place)
    announcer = Announcer(members, 4)
    batch = announcer.due(0, is_all=True)
    assert batch is not None
    assert (batch.first, [(e.path, e.type, e.size) for e in batch.entries]) == (
        4,
        [("e", "file", 4), ("f", "file", 0)],
    )
    assert announcer.due(0, is_all=True) is None


def test_long_names_make_small_batches() -> None:
    members = [Member("x" * 4000 + str(n), 0, 0, 0, None) for n in range(100)]
    batch = Announcer(members, 0).due(0, is_all=True)
    assert batch is not None
    assert len(batch.entries) < 20
