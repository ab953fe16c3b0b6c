"""What clients of file transfers say and hear, without I/O: so cheap that what is measured is the server.

The content of every file is one random piece, again and again. Its data frames are made and masked (with a real key, as
browsers do) before the clock runs; while it runs only the sixteen bytes of each frame's header are made anew.
"""

from __future__ import annotations

import bisect
import random
import struct
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from jupyter_ws_hub.protocol.codec import CHUNK_HEADER

from .terminal_wire import BINARY

PERIOD_BYTES: Final = 16 << 20
"""The length of the random piece."""
KEY: Final = bytes.fromhex("37fa213d")
"""The key that masks all frames; each 4 bytes of a header's multiple of 4 come under the same bytes of it."""
MORE: Final = 0x02
"""The first byte of a binary message's first fragment; the others have 0x00, the last 0x80."""
CONTINUED: Final = 0x00
LAST: Final = 0x80
CHROMIUM_FRAGMENT_BYTES: Final = 131_000
"""Into what Chromium cuts messages of more than 64 KiB; a multiple of 4."""


@cache
def content() -> bytes:
    """The random piece; the same in all processes."""
    return random.Random(4).randbytes(PERIOD_BYTES)


def masked(data: bytes | memoryview) -> bytes:
    """The bytes under the key."""
    key = (KEY * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(len(data), "little")


def frame_header(first: int, size: int) -> bytes:
    """Of a client's frame of `size` bytes."""
    if size < 126:
        return struct.pack(">BB", first, 0x80 | size) + KEY
    if size < 1 << 16:
        return struct.pack(">BBH", first, 0xFE, size) + KEY
    return struct.pack(">BBQ", first, 0xFF, size) + KEY


def fragments(message: bytes, fragment_bytes: int) -> Iterator[bytes]:
    """A binary message as frames of at most so many bytes of payload, masked."""
    for start in range(0, len(message), fragment_bytes):
        last = start + fragment_bytes >= len(message)
        first = (BINARY if last else MORE) if start == 0 else (LAST if last else CONTINUED)
        piece = message[start : start + fragment_bytes]
        yield frame_header(first, len(piece)) + masked(piece)


class Piece(NamedTuple):
    """A run of whole messages."""

    wire: memoryview
    """What is sent."""
    content_bytes: int
    """How much of the file that is."""


class Cycle:
    """The data frames of one period of the content, ready to be sent again and again."""

    def __init__(self, period: bytes, message_bytes: int, fragment_bytes: int = 0) -> None:
        """Make messages of `message_bytes` with their header (the last one may be smaller), fragmented if wanted."""
        self.period_bytes = len(period)
        self._headers: list[int] = []
        self._ends: list[int] = []
        self._wire_ends: list[int] = [0]
        wire = bytearray()
        for start in range(0, len(period), message_bytes - CHUNK_HEADER.size):
            payload = period[start : start + message_bytes - CHUNK_HEADER.size]
            message = bytes(CHUNK_HEADER.size) + payload
            frames = list(fragments(message, fragment_bytes or len(message)))
            self._headers.append(len(wire) + len(frames[0]) - min(len(message), fragment_bytes or len(message)))
            wire += b"".join(frames)
            self._ends.append(start + len(payload))
            self._wire_ends.append(len(wire))
        self._wire = wire
        self._key = int.from_bytes(KEY * 4)
        self.begin(0)

    def begin(self, byte_offset: int) -> None:
        """Let the first message begin at this byte of the file."""
        start = byte_offset
        for header, end in zip(self._headers, self._ends, strict=True):
            plain = int.from_bytes(CHUNK_HEADER.pack(0, 0, 0, 0, start))
            self._wire[header : header + CHUNK_HEADER.size] = (plain ^ self._key).to_bytes(CHUNK_HEADER.size)
            start = byte_offset + end

    def messages(self, start: int, end: int) -> Piece:
        """The whole messages from content byte `start` (where one begins) that end at or before `end`."""
        first = bisect.bisect_right(self._ends, start)
        last = bisect.bisect_right(self._ends, end)
        if last <= first:
            return Piece(memoryview(b""), 0)
        wire = memoryview(self._wire)[self._wire_ends[first] : self._wire_ends[last]]
        return Piece(wire, self._ends[last - 1] - start)


class Heard(NamedTuple):
    """A part of a frame of the server."""

    opcode: int
    data: memoryview
    last: bool
    """Whether the frame ends with it."""


class ServerFrames:
    """Cuts a server's byte stream into frames without copying large ones."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._opcode = 0
        self._missing = 0
        self._head = b""

    def feed(self, data: memoryview) -> Iterator[Heard]:
        """Take the next bytes; the parts are views into them, good until the next call."""
        at, size = 0, len(data)
        while at < size:
            if not self._missing:
                wanted = self._head_bytes() - len(self._head)
                self._head += bytes(data[at : at + wanted])
                at += min(wanted, size - at)
                if len(self._head) < 2 or len(self._head) < self._head_bytes():
                    continue
                self._opcode, self._missing = self._head[0] & 15, self._payload_bytes()
                self._head = b""
                if self._missing == 0:
                    yield Heard(self._opcode, data[at:at], True)
                continue
            part = data[at : at + self._missing]
            at += len(part)
            self._missing -= len(part)
            yield Heard(self._opcode, part, self._missing == 0)

    def _head_bytes(self) -> int:
        if len(self._head) < 2:
            return 2
        return {126: 4, 127: 10}.get(self._head[1], 2)

    def _payload_bytes(self) -> int:
        return int.from_bytes(self._head[2:]) if len(self._head) > 2 else self._head[1]
