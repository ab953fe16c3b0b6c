"""Where the bytes of one downloaded file go: the part beside the target, written and digested in a thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ..protocol.transfer import DigestName
from .digest import BlockDigest

HASH_BYTES: Final = 1024 * 1024
VECTORS: Final = 512
"""So many pieces in one system call: fewer than any system's limit."""


class FileSink:
    """One part. All methods but the constructor and `close` run in `thread`."""

    def __init__(self, path: Path, digest: DigestName) -> None:
        """Open it; what it has stays."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        self._digest = BlockDigest(digest)
        self.thread = ThreadPoolExecutor(1, "write-behind")

    @property
    def byte_offset(self) -> int:
        """Up to where it has the file."""
        return self._digest.byte_offset

    def go_on(self, most: int) -> int:
        """Digest what is there, at most `most` bytes of it; says how many there are."""
        os.ftruncate(self._fd, min(most, os.fstat(self._fd).st_size))
        while data := os.pread(self._fd, HASH_BYTES, self.byte_offset):
            self._digest.update(data)
        return self.byte_offset

    def write(self, pieces: Sequence[memoryview]) -> int:
        """Take the bytes that follow; says up to where it has the file."""
        for at in range(0, len(pieces), VECTORS):
            left = [*pieces[at : at + VECTORS]]
            for piece in left:
                self._digest.update(piece)
            place = self.byte_offset - sum(map(len, left))
            while left:
                written = os.pwritev(self._fd, left, place)
                place += written
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if written:
                    left[0] = left[0][written:]
        return self.byte_offset

    def root(self) -> str:
        """The digest of all."""
        return self._digest.root()

    def finish(self, mtime_ns: int | None) -> None:
        """The file was modified then."""
        if mtime_ns is not None:
            os.utime(self._fd, ns=(mtime_ns, mtime_ns))

    def close(self) -> None:
        """Let go of it, called from outside the thread; what was to be written is written on return."""
        self.thread.shutdown()
        os.close(self._fd)
