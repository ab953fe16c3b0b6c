"""The clients that upload: all bytes must arrive, with every shape, or the speed is a made-up one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codec import CHUNK_HEADER

from .file_downloads import pieces
from .file_systems import FileSystem, ours, sink
from .file_upload import arrived
from .file_uploads import FRAMES, LARGE, Sequence, Shape, StockUpload, upload
from .file_wire import PERIOD_BYTES
from .lab import Lab


@pytest.mark.parametrize("size", [0, 1, 65_520, 65_521, PERIOD_BYTES, PERIOD_BYTES + 5, 2 * PERIOD_BYTES])
def test_a_sequence_is_the_whole_file_and_can_begin_again(size: int) -> None:
    frames = Sequence(size, FRAMES)
    for _ in range(2):
        frames.rewind()
        came, wire_bytes = bytearray(), 0
        while frames.at < size:
            wire, plain = frames.take(size)
            came += plain
            wire_bytes += len(wire)
        assert came == b"".join(pieces(size))
        assert wire_bytes >= size + CHUNK_HEADER.size * (size > 0)


def test_a_sequence_keeps_to_the_limit() -> None:
    frames = Sequence(PERIOD_BYTES, Shape(1016, 0))
    assert len(frames.take(999)[1]) == 0
    assert len(frames.take(2999)[1]) == 2000
    assert frames.at == 2000
    assert len(frames.take(PERIOD_BYTES)[1]) <= 1 << 20


@pytest.mark.parametrize("shape", [FRAMES, LARGE], ids=["frames of 64 KiB", "messages in fragments"])
def test_what_is_uploaded_arrives(shape: Shape, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    try:
        for system in (sink(lab), ours(lab)):
            size = PERIOD_BYTES + 99
            with closing(upload(system, "file.bin", size, shape)) as client:
                client.run()
                client.run()
            assert arrived(system.folder, size).name == "file.bin"
            assert client.sent_bytes == 2 * size
    finally:
        lab.close()


def test_an_upload_that_has_no_time_sends_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    try:
        with closing(upload(ours(lab), "file.bin", PERIOD_BYTES)) as client:
            client.run(until_s=0.0)
        assert client.sent_bytes == 0
    finally:
        lab.close()


def test_what_arrived_wrongly_is_seen(tmp_path: Path) -> None:
    data = bytearray(b"".join(pieces(PERIOD_BYTES + 1)))
    data[-1] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(RuntimeError, match="not what was sent"):
        arrived(tmp_path, len(data))
    with pytest.raises(ValueError, match="unpack"):
        arrived(tmp_path, len(data) + 1)


def test_jupyterlab_has_no_chunks_of_other_sizes() -> None:
    with pytest.raises(ValueError, match="multiple"):
        StockUpload(FileSystem(1, 1, "stock", "/"), "file.bin", (1 << 20) + 1, FRAMES)
