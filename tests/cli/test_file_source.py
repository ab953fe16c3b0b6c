"""A local file on its way into frames: the right bytes under the right offsets, wherever it goes on."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.file_source import FileSource, frames_for, split
from jupyter_ws_hub.cli.transfer_link import LocalError
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_FRAME_BYTES, decode_chunk
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES
from tests.support.client import root_of

DATA = random.Random(1).randbytes(2 * BLOCK_BYTES + 12345)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.bin"
    made.write_bytes(DATA)
    return made


def rest(source: FileSource, byte_offset: int) -> bytes:
    found = b""
    while frames := source.read():
        for frame in frames:
            assert len(frame) <= MAX_CHUNK_FRAME_BYTES
            chunk = decode_chunk(bytes(frame))
            assert chunk.byte_offset == byte_offset + len(found)
            found += chunk.payload
    return found


def test_all_of_it_comes_with_its_root(path: Path) -> None:
    source = FileSource(path, "xxh3-128")
    assert source.go_to(0, None)
    assert rest(source, 0) == DATA and source.root() == root_of(DATA)
    source.close()


def test_it_goes_on_anywhere_forwards_and_back(path: Path) -> None:
    source = FileSource(path, "xxh3-128")
    for offset in (BLOCK_BYTES + 7, 3, 2 * BLOCK_BYTES, 0, len(DATA)):
        assert source.go_to(offset, None)
        source.read()
        assert source.go_to(offset, None)
        assert rest(source, offset) == DATA[offset:]
    assert source.root() == root_of(DATA)
    source.close()


def test_what_lies_before_is_proved_by_its_blocks(path: Path) -> None:
    known = FileSource(path, "xxh3-128")
    rest(known, 0)
    blocks = known._digest.whole_blocks
    assert len(blocks) == 2
    for digests, is_same in ((blocks, True), (blocks[:1], True), ([blocks[0], "00"], False), (None, True)):
        source = FileSource(path, "xxh3-128")
        assert source.go_to(2 * BLOCK_BYTES + 1, digests) is is_same
        source.close()
    known.close()


def test_a_file_that_changes_meanwhile_is_noticed(path: Path) -> None:
    source = FileSource(path, "xxh3-128")
    rest(source, 0)
    os.utime(path, ns=(0, 0))
    with pytest.raises(LocalError, match="was changed"):
        source.root()
    source.go_to(0, None)
    os.truncate(path, 1000)
    with pytest.raises(LocalError, match="became shorter"):
        rest(source, 0)
    source.close()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "missing"):
        with pytest.raises(OSError):
            FileSource(tmp_path / name, "xxh3-128")


def test_a_frame_is_split_where_the_limit_lies() -> None:
    (frame,) = frames_for(1000, 10)
    frame[16:] = b"0123456789"
    first, second = split(frame, 4)
    one, two = decode_chunk(bytes(first)), decode_chunk(bytes(second))
    assert (one.byte_offset, bytes(one.payload)) == (1000, b"0123")
    assert (two.byte_offset, bytes(two.payload)) == (1004, b"456789")
