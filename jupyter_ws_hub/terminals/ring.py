"""The last bytes of an output of unknown length, addressed by absolute byte offsets. Readers keep their own places."""

from __future__ import annotations

from typing import Final

LINE_BYTES: Final = 32 * 1024
"""The end of a line is looked for no further."""


class ByteRing:
    """Keeps the last `capacity` bytes of all that was appended; memory grows only as far as it is used."""

    def __init__(self, capacity: int) -> None:
        """Nothing was appended yet."""
        if capacity <= 0:
            raise ValueError("A ring holds at least one byte.")
        self.capacity = capacity
        self._buffer = bytearray()
        self.head = 0
        """The byte offset after the last byte."""

    @property
    def start(self) -> int:
        """The byte offset of the oldest byte that is still there."""
        return self.head - len(self._buffer)

    def append(self, data: bytes) -> None:
        """Add bytes at the head; the oldest make room."""
        missing = self.capacity - len(self._buffer)
        if len(data) <= missing:
            self._buffer += data
            self.head += len(data)
            return
        self._buffer += data[:missing]
        self.head += len(data)
        self._overwrite(memoryview(data)[missing:][-self.capacity :])

    def _overwrite(self, tail: memoryview) -> None:
        """Write what ends at the head, over the oldest."""
        at = (self.head - len(tail)) % self.capacity
        first = min(len(tail), self.capacity - at)
        self._buffer[at : at + first] = tail[:first]
        if first < len(tail):
            self._buffer[: len(tail) - first] = tail[first:]

    def read(self, byte_offset: int, size: int) -> bytes:
        """Up to `size` bytes from `byte_offset` on; fewer at the head.

        Raises:
            IndexError: the offset is before `start` or beyond `head`.
        """
        if not self.start <= byte_offset <= self.head:
            raise IndexError(f"{byte_offset} is not between {self.start} and {self.head}.")
        size = min(size, self.head - byte_offset)
        at = byte_offset % self.capacity
        if at + size <= self.capacity:
            return bytes(memoryview(self._buffer)[at : at + size])
        return bytes(self._buffer[at:]) + bytes(self._buffer[: size - (self.capacity - at)])

    def find(self, byte: bytes, begin: int, until: int) -> int | None:
        """The offset of the first such byte in a stretch of the ring; None if there is none."""
        found = self.read(begin, until - begin).find(byte)
        return None if found < 0 else begin + found

    def last_lines(self, size: int) -> int:
        """The offset from which on the last `size` bytes at most are whole lines.

        Where the output itself does not begin there, it begins after the next end of a line, if one comes soon.
        """
        begin = max(self.start, self.head - size)
        if begin == 0:
            return 0
        end_of_line = self.find(b"\n", begin, min(begin + LINE_BYTES, self.head))
        return begin if end_of_line is None else end_of_line + 1
