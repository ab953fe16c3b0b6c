"""The clients that download: they must see what is missing or wrong."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from .file_downloads import Content, download, make_file, pieces
from .file_systems import ours, stock, twin
from .file_wire import PERIOD_BYTES
from .lab import Lab

SIZE = PERIOD_BYTES + 12_345


def test_a_file_has_the_content_that_is_expected(tmp_path: Path) -> None:
    make_file(tmp_path / "file", SIZE)
    content = Content(SIZE, b"")
    data = memoryview((tmp_path / "file").read_bytes())
    content.take(data[:5])
    assert not content.whole
    content.take(data[5:])
    assert content.whole
    content.begin()
    assert not content.whole


@pytest.mark.parametrize("change", [b"\0", b""], ids=["a wrong byte", "too many"])
def test_other_content_is_seen(change: bytes) -> None:
    content = Content(SIZE, b"")
    data = b"".join(pieces(SIZE))
    content.take(memoryview(data[:-1] + bytes([data[-1] ^ 1]) if change else data + b"x"))
    with pytest.raises(RuntimeError, match="not what is in the file"):
        assert content.whole


def test_what_is_downloaded_is_compared(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    try:
        theirs, own = stock(lab), ours(lab)
        for system in (theirs, own, twin(own)):
            make_file(system.folder / "file.bin", SIZE)
            with closing(download(system, "file.bin", SIZE)) as client:
                client.run()
                client.run()
                assert client.received_bytes == 2 * SIZE
                (system.folder / "file.bin").write_bytes(b"short")
                with pytest.raises(RuntimeError):
                    client.run()
            make_file(system.folder / "file.bin", SIZE)
            with (
                closing(download(system, "file.bin", SIZE, bytes(PERIOD_BYTES))) as client,
                pytest.raises(RuntimeError),
            ):
                client.run()
    finally:
        lab.close()
