"""A local file on its way into data frames: read ahead in a thread of its own, and digested there."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ..protocol.codec import CHUNK_DATA, CHUNK_HEADER, MAX_CHUNK_PAYLOAD_BYTES
from ..protocol.transfer import DigestName
from .digest import BlockDigest
from .transfer_link import LocalError

FRAMES: Final = 16
"""Read at a time: a trip to the thread costs as much as many small reads."""
HASH_BYTES: Final = 1024 * 1024


def frames_for(byte_offset: int, count: int) -> list[bytearray]:
    """Frames with their headers, and room for `count` bytes from `byte_offset` on."""
    frames = []
    for at in range(0, count, MAX_CHUNK_PAYLOAD_BYTES):
        size = min(MAX_CHUNK_PAYLOAD_BYTES, count - at)
        frame = bytearray(CHUNK_HEADER.size + size)
        CHUNK_HEADER.pack_into(frame, 0, CHUNK_DATA, 0, 0, 0, byte_offset + at)
        frames.append(frame)
    return frames


def split(frame: bytearray, count: int) -> tuple[bytearray, bytearray]:
    """Two frames out of one: the first `count` bytes of the payload, and the others."""
    kind, flags, reserved, index, byte_offset = CHUNK_HEADER.unpack_from(frame)
    rest = bytearray(CHUNK_HEADER.pack(kind, flags, reserved, index, byte_offset + count))
    rest += frame[CHUNK_HEADER.size + count :]
    return frame[: CHUNK_HEADER.size + count], rest


class FileSource:
    """One file that is uploaded. All methods but the constructor run in `thread`, one after the other."""

    def __init__(self, path: Path, digest: DigestName) -> None:
        """Open it.

        Raises:
            OSError: it cannot be read, or is no plain file.
        """
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._stat = os.fstat(self._fd)
        if not stat.S_ISREG(self._stat.st_mode):
            os.close(self._fd)
            raise OSError(f"{path} is no plain file")
        self.size = self._stat.st_size
        self.mtime_ns = self._stat.st_mtime_ns
        self._digest = BlockDigest(digest)
        self._at = 0
        self.thread = ThreadPoolExecutor(1, "read-ahead")

    def go_to(self, byte_offset: int, digests: Sequence[str] | None) -> bool:
        """Read on at `byte_offset`; says whether what lies before has these `digests` of its whole blocks."""
        buffer = memoryview(bytearray(HASH_BYTES))
        while self._digest.byte_offset < byte_offset:
            view = buffer[: byte_offset - self._digest.byte_offset]
            self._fill([view], self._digest.byte_offset)
            self._digest.update(view)
        self._at = byte_offset
        mine = self._digest.whole_blocks
        return all(one == other for one, other in zip(mine, digests or (), strict=False))

    def read(self) -> list[bytearray]:
        """The next frames; none at the end."""
        count = min(FRAMES * MAX_CHUNK_PAYLOAD_BYTES, self.size - self._at)
        frames = frames_for(self._at, count)
        views = [memoryview(frame)[CHUNK_HEADER.size :] for frame in frames]
        self._fill(views, self._at)
        for view in views:
            known = self._digest.byte_offset - self._at
            self._digest.update(view[known:] if 0 < known else view)
            self._at += len(view)
        return frames

    def _fill(self, views: Sequence[memoryview], byte_offset: int) -> None:
        wanted = sum(map(len, views))
        read = os.preadv(self._fd, views, byte_offset) if wanted else 0
        if read < wanted:
            rest = memoryview(os.pread(self._fd, wanted - read, byte_offset + read))
            if read + len(rest) < wanted:
                raise LocalError(f"{self.path} became shorter while it was uploaded.")
            for view in views:
                skip, read = min(read, len(view)), max(0, read - len(view))
                view[skip:] = rest[: len(view) - skip]
                rest = rest[len(view) - skip :]

    def root(self) -> str:
        """The digest of all; after the last frame.

        Raises:
            LocalError: it was written to meanwhile.
        """
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise LocalError(f"{self.path} was changed while it was uploaded.")
        return self._digest.root()

    def close(self) -> None:
        """Let go of the file; called from outside the thread, which has ended on return."""
        self.thread.shutdown(cancel_futures=True)
        os.close(self._fd)
