"""Reading for a stream: the digest is of the whole whatever was read before, and a stream may end at any moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, DigestName
from jupyter_ws_hub.transfers.digest import BlockDigest
from jupyter_ws_hub.transfers.reading import Reader, digest_before
from jupyter_ws_hub.transfers.source import FileSource

from .test_source import refused

SIZE = 2 * BLOCK_BYTES + 1000


class OnlyFromTheStart(FileSource):
    """As an archive: it can begin only at its first byte."""

    def seek(self, byte_offset: int) -> int:
        """See Source."""
        return super().seek(0)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "a.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def rest_of(reader: Reader) -> bytes:
    while not reader.come():
        pass
    data = bytearray(SIZE - reader.byte_offset)
    reader.read_into([memoryview(data)])
    return bytes(data)


@pytest.mark.parametrize("source", [FileSource, OnlyFromTheStart])
@pytest.mark.parametrize("algorithm", ["xxh3-128", "sha256"])
@pytest.mark.parametrize("known_blocks", [0, 1, 2])
@pytest.mark.parametrize("begin", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, SIZE - 1, SIZE])
def test_the_root_is_of_the_whole(
    file: Path, source: type[FileSource], algorithm: DigestName, known_blocks: int, begin: int
) -> None:
    data = file.read_bytes()
    whole = BlockDigest(algorithm)
    whole.update(data)
    digest = digest_before(begin, algorithm, b"".join(whole.whole[:known_blocks]))
    assert len(digest.whole) == min(known_blocks, begin // BLOCK_BYTES)
    reader = Reader(source(file, "a.bin"), digest, begin)
    assert rest_of(reader) == data[begin:]
    assert digest.root() == whole.root()
    reader.check()
    reader.close()


@pytest.mark.parametrize("source", [FileSource, OnlyFromTheStart])
def test_without_a_digest_only_what_is_wanted_counts(file: Path, source: type[FileSource]) -> None:
    reader = Reader(source(file, "a.bin"), None, SIZE - 10)
    assert rest_of(reader) == file.read_bytes()[-10:]
    reader.close()


def test_nothing_is_read_after_it_was_closed_nor_closed_while_it_is_read(file: Path) -> None:
    reading, go_on = threading.Event(), threading.Event()

    class Slow(FileSource):
        def read_into(self, views: Sequence[memoryview]) -> None:
            reading.set()
            assert go_on.wait(5)
            super().read_into(views)

    reader = Reader(Slow(file, "a.bin"), None, 0)
    data = bytearray(10)
    thread = threading.Thread(target=reader.read_into, args=([memoryview(data)],))
    thread.start()
    assert reading.wait(5)
    closing = threading.Thread(target=reader.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    go_on.set()
    thread.join(5)
    closing.join(5)
    assert bytes(data) == file.read_bytes()[:10]
    for work in (reader.come, lambda: reader.read_into([memoryview(data)]), reader.check):
        assert refused(work).code is Code.CANCELLED
