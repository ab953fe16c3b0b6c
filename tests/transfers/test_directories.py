"""Directories below one that is held open: made, held open once, and let go of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.directories import Directories


@pytest.fixture
def base(tmp_path: Path) -> Iterator[int]:
    """The directory, opened."""
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_directories_are_made_and_opened_once(tmp_path: Path, base: int) -> None:
    before, its = opened(), Directories(base)
    assert its.open("") == base
    deep = its.open("a/b/c")
    assert its.open("a/b/c") == deep
    assert os.fstat(deep).st_ino == (tmp_path / "a/b/c").stat().st_ino
    assert opened() == before + 1, "depth costs no descriptors"
    its.close()
    its.close()
    assert opened() == before
    assert os.fstat(its.open("a/b/c")).st_ino == (tmp_path / "a/b/c").stat().st_ino
    its.close()


def test_names_of_new_directories_are_brought_to_the_disk_too(
    tmp_path: Path, base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    its = Directories(base)
    its.sync({its.open("old/new/newer")})
    expected = {(tmp_path / path).stat().st_ino for path in ("old", "old/new", "old/new/newer")}
    assert set(synced) == expected
    synced.clear()
    its.sync({its.open("old")})
    assert synced == [(tmp_path / "old").stat().st_ino]
    its.close()


@pytest.mark.parametrize("path", ["file", "file/deeper", "file/deeper/still"])
def test_a_file_in_the_way_is_left(tmp_path: Path, base: int, path: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    before, its = opened(), Directories(base)
    with pytest.raises(HubError) as caught:
        its.open(path)
    assert caught.value.code is Code.EXISTS
    its.close()
    assert opened() == before
    assert (tmp_path / "file").read_bytes() == b"x"


def test_links_are_followed_and_dangling_ones_are_told(tmp_path: Path, base: int) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "nowhere").symlink_to("not there")
    its = Directories(base)
    its.open("link/in")
    assert (tmp_path / "elsewhere" / "in").is_dir()
    with pytest.raises(OSError):
        its.open("nowhere/in")
    its.close()


def test_one_elsewhere_is_held_as_the_others_and_not_made(tmp_path: Path, base: int) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before, its = opened(), Directories(base)
    assert its.elsewhere(str(elsewhere)) == its.elsewhere(str(elsewhere))
    with pytest.raises(FileNotFoundError):
        its.elsewhere(str(tmp_path / "not there"))
    assert not (tmp_path / "not there").exists()
    its.close()
    assert opened() == before
