"""The data frames of a download as they go on the wire: many in one buffer, each with its WebSocket header.

What is read from a file goes straight to its place between the headers, and the buffer to the socket as it is.
"""

from __future__ import annotations

from typing import Final

from .codec import CHUNK_DATA, CHUNK_HEADER, MAX_CHUNK_FRAME_BYTES, MAX_CHUNK_PAYLOAD_BYTES

BINARY: Final = 0x82
"""First byte of a message that is one binary frame (RFC 6455, 5.2)."""

WHOLE_BYTES: Final = 10 + MAX_CHUNK_FRAME_BYTES
"""A data frame with the largest payload, on the wire."""

FRAMES_AT_A_TIME: Final = 8

READ_BYTES: Final = FRAMES_AT_A_TIME * MAX_CHUNK_PAYLOAD_BYTES
"""Payload of one buffer: no more than stays in a processor's cache until it is sent."""

BUFFER_BYTES: Final = FRAMES_AT_A_TIME * WHOLE_BYTES


def _websocket_header(size: int) -> bytes:
    if size < 126:
        return bytes((BINARY, size))
    if size < 1 << 16:
        return bytes((BINARY, 126)) + size.to_bytes(2, "big")
    return bytes((BINARY, 127)) + size.to_bytes(8, "big")


def lay_out(buffer: memoryview, byte_offset: int, byte_count: int) -> tuple[list[memoryview], memoryview]:
    """Write the headers for `byte_count` bytes from `byte_offset` on into a buffer of BUFFER_BYTES.

    Gives where the payloads go, in order, and the part of the buffer that is to be sent. All frames but the last one
    have WHOLE_BYTES.

    Raises:
        ValueError: there are more than READ_BYTES.
    """
    if not 0 <= byte_count <= READ_BYTES:
        raise ValueError(f"a buffer has room for {READ_BYTES} bytes, not for {byte_count}")
    payloads, at = [], 0
    for done in range(0, byte_count, MAX_CHUNK_PAYLOAD_BYTES):
        size = min(MAX_CHUNK_PAYLOAD_BYTES, byte_count - done)
        header = _websocket_header(CHUNK_HEADER.size + size) + CHUNK_HEADER.pack(
            CHUNK_DATA, 0, 0, 0, byte_offset + done
        )
        begin = at + len(header)
        buffer[at:begin] = header
        payloads.append(buffer[begin : begin + size])
        at = begin + size
    return payloads, buffer[:at]
