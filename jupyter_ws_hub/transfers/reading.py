"""Reading a source for a stream: in order, and digested on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import BLOCK_BYTES, DigestName
from .digest import DIGEST_BYTES, BlockDigest
from .source import Source

SKIP_BYTES: Final = 1024 * 1024


class Reader:
    """A source and where it is; what blocks is for a thread. A stream may end while a thread is reading."""

    def __init__(self, source: Source, digest: BlockDigest | None, byte_offset: int) -> None:
        """Go on at `byte_offset`; without a digest only the bytes count.

        A digest begins where its whole blocks end: what lies between them and `byte_offset` is read again.
        """
        self.source = source
        self.digest = digest
        self.byte_offset = byte_offset
        self._begin = byte_offset if digest is None else digest.byte_offset
        self._at: int | None = None
        self._lock = threading.Lock()
        self._closed = False

    def come(self) -> bool:
        """Come nearer to `byte_offset`, by a piece of bytes that are not needed; whether it is reached. Blocks."""
        with self._hold():
            if self._at is None:
                self._at = self.source.seek(self._begin)
                self._scratch = memoryview(bytearray(SKIP_BYTES))
            goal = self._begin if self._at < self._begin else self.byte_offset
            count = min(SKIP_BYTES, goal - self._at)
            if count:
                piece = self._scratch[:count]
                self.source.read_into([piece])
                if self._at >= self._begin and self.digest is not None:
                    self.digest.update(piece)
                self._at += count
            if self._at == self.byte_offset:
                self._scratch = memoryview(b"")
            return self._at == self.byte_offset

    def read_into(self, views: Sequence[memoryview]) -> None:
        """Fill all of these with the bytes that follow. Blocks; raises as Source."""
        with self._hold():
            self.source.read_into(views)
            for view in views:
                if self.digest is not None:
                    self.digest.update(view)
                self.byte_offset += len(view)

    def check(self) -> None:
        """See Source."""
        with self._hold():
            self.source.check()

    def close(self) -> None:
        """Let go, when nothing is being read any more. Idempotent."""
        with self._lock:
            self._closed = True
            self.source.close()

    @contextmanager
    def _hold(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise HubError(Code.CANCELLED, "The download has ended.")
            yield


def digest_before(byte_offset: int, algorithm: DigestName, blocks: bytes) -> BlockDigest:
    """A digest that begins at the end of the last whole block before a byte offset of which the digest is known.

    `blocks` has the digests of the blocks that are known, one behind the other.
    """
    size = DIGEST_BYTES[algorithm]
    known = min(byte_offset // BLOCK_BYTES, len(blocks) // size)
    return BlockDigest(algorithm, blocks=[blocks[n * size : (n + 1) * size] for n in range(known)])
