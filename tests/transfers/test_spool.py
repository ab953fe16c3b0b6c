"""The spool: private, shared between servers, and emptied by age."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.partial import partial_path
from jupyter_ws_hub.transfers.spool import Spool

OP = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder, "/root")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_nobody_else_may_look_into_it(spool: Spool, folder: Path) -> None:
    place = spool.keep("a", "etag", [b"se", b"cret"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.read_bytes() == b"secret"


def test_a_file_is_found_by_its_path_root_and_etag(spool: Spool, folder: Path) -> None:
    place = spool.keep("sub/a", "1", [b"x"])
    found = spool.find("/sub/a", "1")
    assert found is not None
    assert found[0] == place
    assert abs(found[1] - time.time() * 1000) < 60_000
    assert spool.find("sub/a", "2") is None
    assert spool.find("sub/b", "1") is None
    assert Spool(folder, "/other").find("sub/a", "1") is None


def test_looking_for_a_file_does_not_change_its_validator(spool: Spool) -> None:
    place = spool.keep("a", "1", [b"x"])
    before = place.stat()
    assert spool.find("a", "1") is not None
    after = place.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_the_same_bytes_again_leave_the_file_to_its_readers(spool: Spool, folder: Path) -> None:
    inode = spool.keep("a", "1", [b"xy"]).stat().st_ino
    assert spool.keep("a", "1", [b"x", b"y"]).stat().st_ino == inode
    assert spool.keep("a", "1", [b"other"]).stat().st_ino != inode
    assert len(names(folder)) == 1


def test_what_cannot_be_read_to_its_end_leaves_nothing(spool: Spool, folder: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise HubError(Code.INTERNAL, "no base64")

    with pytest.raises(HubError):
        spool.keep("a", "1", pieces())
    assert names(folder) == []


def test_release_removes_all_states_of_one_file(spool: Spool, folder: Path) -> None:
    for path, etag in (("a", "1"), ("a", "2"), ("b", "1")):
        spool.keep(path, etag, [b"x"])
    spool.release("/a")
    assert spool.find("b", "1") is not None
    assert len(names(folder)) == 1
    spool.release("a")


def test_release_and_sweep_make_nothing(spool: Spool, folder: Path) -> None:
    spool.release("a")
    assert spool.sweep(0.0, 1.0, lambda: []) == 0
    assert not folder.exists()


def test_leftovers_are_collected_by_age_and_what_an_operation_needs_is_not(spool: Spool, folder: Path) -> None:
    wanted = partial_path(spool.target("sub/" + "ü" * 200 + ".bin"), OP)
    orphan = partial_path(spool.target("b.bin"), "f" * 32)
    for place in (wanted, orphan):
        place.write_bytes(b"half")
    source = spool.keep("a", "1", [b"x"])
    now_s = time.time()
    assert spool.sweep(now_s + 50, 100, lambda: {OP}) == 0
    assert spool.sweep(now_s + 200, 100, lambda: {OP}) == 2
    assert (wanted.exists(), orphan.exists(), source.exists()) == (True, False, False)


def test_a_file_that_was_asked_for_lately_is_kept(spool: Spool) -> None:
    place = spool.keep("a", "1", [b"x"])
    old_s = time.time() - 1000
    os.utime(place, (old_s, old_s))
    assert spool.find("a", "1") is not None
    assert spool.sweep(time.time(), 100, lambda: []) == 0
    os.utime(place, (old_s, old_s))
    assert spool.sweep(time.time(), 100, lambda: []) == 1


def test_a_disk_that_does_not_take_it_is_told_without_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    spool = Spool(tmp_path / "file" / "spool", "/root")
    works: list[Callable[[], object]] = [lambda: spool.target("a"), lambda: spool.keep("a", "1", [b"x"])]
    for work in works:
        with pytest.raises(HubError) as caught:
            work()
        assert str(tmp_path) not in caught.value.message
