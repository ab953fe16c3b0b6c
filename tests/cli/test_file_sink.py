"""Where a downloaded file's bytes go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.file_sink import VECTORS, FileSink
from tests.support.client import root_of


def test_pieces_are_written_one_behind_the_other(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "a.part", "xxh3-128")
    pieces = [bytes([n % 256]) * (n % 7) for n in range(3 * VECTORS)]
    assert sink.write([memoryview(piece) for piece in pieces]) == len(b"".join(pieces))
    assert sink.write([memoryview(b"end")]) == sink.byte_offset
    sink.finish(1_600_000_000_123_000_000)
    sink.close()
    data = b"".join(pieces) + b"end"
    assert (tmp_path / "a.part").read_bytes() == data and sink.root() == root_of(data)
    assert (tmp_path / "a.part").stat().st_mtime_ns == 1_600_000_000_123_000_000


@pytest.mark.parametrize(("size", "have"), [(10, 6), (4, 4), (0, 0)])
def test_it_goes_on_behind_what_is_there(tmp_path: Path, size: int, have: int) -> None:
    (tmp_path / "a.part").write_bytes(b"abcdef")
    sink = FileSink(tmp_path / "a.part", "xxh3-128")
    assert sink.go_on(size) == have
    sink.write([memoryview(b"xyz")])
    sink.close()
    assert (tmp_path / "a.part").read_bytes() == b"abcdef"[:have] + b"xyz"
    assert sink.root() == root_of(b"abcdef"[:have] + b"xyz")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere", tmp_path / "a.part")
    with pytest.raises(OSError):
        FileSink(tmp_path / "a.part", "xxh3-128")
    assert not (tmp_path / "elsewhere").exists()
