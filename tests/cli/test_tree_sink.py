"""Where the entries of a downloaded tree go."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.transfer_command import EXISTS
from jupyter_ws_hub.cli.tree_sink import Begun, TreeSink
from jupyter_ws_hub.protocol.transfer import TreeEntry
from jupyter_ws_hub.protocol.transfer_client_tree import Part
from tests.support.client import root_of

MS = 1_600_000_000_123


def part(number: int, path: str, data: bytes, at: int = 0, upto: int | None = None, kind: str = "file") -> Part:
    upto = len(data) if upto is None else upto
    entry = TreeEntry(path, len(data), "directory" if kind == "directory" else "file", MS)
    return Part(number, entry, at, memoryview(data)[at:upto], upto == len(data))


@pytest.fixture
def sink(tmp_path: Path) -> TreeSink:
    return TreeSink(tmp_path / "t.part", "xxh3-128")


def test_entries_come_into_being_with_their_folders(sink: TreeSink, tmp_path: Path) -> None:
    assert sink.write([part(0, "e", b"", kind="directory"), part(1, "a/b/c", b"12345", 0, 3)]) == 3
    assert sink.write([part(1, "a/b/c", b"12345", 3), part(2, "z", b"")]) == 5
    assert sink.root() == root_of(b"12345")
    assert not (tmp_path / "t").exists(), "nothing is there before all is right"
    assert sink.put(tmp_path / "t", "fail") == (2, 0, [])
    sink.close()
    assert (tmp_path / "t" / "a" / "b" / "c").read_bytes() == b"12345"
    assert (tmp_path / "t" / "a" / "b" / "c").stat().st_mtime_ns == MS * 1_000_000
    assert (tmp_path / "t" / "e").is_dir() and (tmp_path / "t" / "z").read_bytes() == b""


def test_the_next_command_knows_how_far_it_has_come(sink: TreeSink, tmp_path: Path) -> None:
    sink.write([part(0, "d", b"", kind="directory"), part(1, "a", b"12345"), part(2, "b", b"6789", 0, 2)])
    sink.close()
    again = TreeSink(tmp_path / "t.part", "xxh3-128")
    assert again.go_on(9) == Begun(7, 2, 2)
    assert again.write([part(2, "b", b"6789", 2)]) == 9
    assert again.root() == root_of(b"123456789")
    again.close()
    third = TreeSink(tmp_path / "t.part", "xxh3-128")
    assert third.go_on(9) == Begun(9, 3, 0)
    third.close()


def test_what_is_not_there_any_more_comes_again(sink: TreeSink, tmp_path: Path) -> None:
    sink.write([part(0, "a", b"12345"), part(1, "b", b"6789"), part(2, "c", b"0")])
    sink.close()
    (tmp_path / "t.part" / "tree" / "b").unlink()
    again = TreeSink(tmp_path / "t.part", "xxh3-128")
    assert again.go_on(10) == Begun(5, 1, 0)
    again.close()
    with (tmp_path / "t.part" / "entries").open("ab") as file:
        file.write(b'{"path": "half a li')
    third = TreeSink(tmp_path / "t.part", "xxh3-128")
    assert third.go_on(10) == Begun(5, 1, 0)
    third.write([part(1, "b", b"6789")])
    third.close()


def test_one_entry_that_fails_is_not_the_end_of_the_others(sink: TreeSink, tmp_path: Path) -> None:
    parts = [part(0, "../a", b"1", 0), part(1, "b", b"234", 0, 1), part(1, "b", b"234", 1), part(2, "b", b"5")]
    assert sink.write([*parts, part(3, "b/c", b"6"), part(4, "x" * 300, b"7", 0), part(5, "good", b"8")]) == 8
    files, _, failures = sink.put(tmp_path / "t", "fail")
    sink.close()
    assert (tmp_path / "t" / "b").read_bytes() == b"234" and (tmp_path / "t" / "good").read_bytes() == b"8"
    assert files == 2 and len(failures) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t", "t.part"]


def test_a_full_disk_is_the_end(sink: TreeSink, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        sink.write([part(0, "a", b"1")])
    sink.close()


def test_a_folder_that_is_there_is_filled_up(sink: TreeSink, tmp_path: Path) -> None:
    sink.write([part(0, "a", b"1"), part(1, "b/c", b"2"), part(2, "d", b"", kind="directory"), part(3, "l/x", b"3")])
    target = tmp_path / "t"
    target.mkdir()
    (target / "a").write_text("mine")
    (target / "l").symlink_to(tmp_path)
    files, skipped, failures = sink.put(target, "fail")
    sink.close()
    assert (files, skipped) == (1, 0)
    assert {Path(name).name: reason == EXISTS for name, reason in failures} == {"a": True, "l": False}
    assert (target / "a").read_text() == "mine" and (target / "d").is_dir() and not (tmp_path / "x").exists()
