"""One file as a source: its bytes in order from any place, and never those of another state of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.source import FileSource, Source, split


def read(source: Source, *sizes: int) -> bytes:
    """The next bytes, into several views at once."""
    buffer = bytearray(sum(sizes))
    views, at = [], 0
    for size in sizes:
        views.append(memoryview(buffer)[at : at + size])
        at += size
    source.read_into(views)
    return bytes(buffer)


def refused(work: Callable[[], object]) -> HubError:
    with pytest.raises(HubError) as caught:
        work()
    return caught.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(b"0123456789")
    return path


def test_bytes_come_in_order_from_any_place(file: Path) -> None:
    source = FileSource(file, "a.txt")
    assert (source.size, source.members) == (10, ())
    assert read(source, 1, 2, 3) == b"012345"
    assert source.seek(3) == 3
    assert read(source, 4) == b"3456"
    assert read(source, 0, 3, 0) == b"789"
    source.check()
    source.close()
    source.close()


@pytest.mark.parametrize("change", ["rewritten", "shortened", "longer", "same bytes, other time"])
def test_a_change_is_told(file: Path, change: str) -> None:
    source = FileSource(file, "a.txt")
    if change == "same bytes, other time":
        os.utime(file, (1, 1))
    else:
        file.write_bytes({"rewritten": b"ABCDEFGHIJ", "shortened": b"01234567", "longer": b"0123456789+"}[change])
        os.utime(file, (1, 1))
    assert refused(source.check).code is Code.SOURCE_CHANGED
    if change == "shortened":
        assert refused(lambda: read(source, 10)).code is Code.SOURCE_CHANGED
    source.close()


def test_only_the_expected_file_is_opened(file: Path) -> None:
    expected = Validator.of(file.stat())
    FileSource(file, "a.txt", expected).close()
    other = file.with_name("b.txt")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    assert refused(lambda: FileSource(other, "b.txt", expected)).code is Code.SOURCE_CHANGED
    file.unlink()
    assert refused(lambda: FileSource(file, "a.txt", expected)).code is Code.SOURCE_CHANGED
    error = refused(lambda: FileSource(file, "a.txt"))
    assert error.code is Code.NOT_FOUND
    assert str(file.parent) not in error.message


def test_what_is_no_regular_file_is_no_source(file: Path) -> None:
    os.mkfifo(file.with_name("fifo"))
    for place in (file.with_name("fifo"), file.parent):
        assert refused(partial(FileSource, place, "x")).code is Code.INVALID


def test_views_are_split_anywhere() -> None:
    for at in range(7):
        views = [memoryview(b"ab"), memoryview(b"c"), memoryview(b"def")]
        head, tail = split(views, at)
        assert (b"".join(head), b"".join(tail)) == (b"abcdef"[:at], b"abcdef"[at:])
