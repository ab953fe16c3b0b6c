"""WebSocket frames as bytes (RFC 6455, 5.2): a server's messages, one frame each, and how a client's are measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from websockets.utils import apply_mask

TEXT: Final = 0x81
BINARY: Final = 0x82


def _header(opcode: int, size: int) -> bytes:
    if size < 126:
        return bytes((opcode, size))
    if size < 1 << 16:
        return bytes((opcode, 126)) + size.to_bytes(2)
    return bytes((opcode, 127)) + size.to_bytes(8)


def text_message(payload: bytes) -> bytes:
    """A text message of encoded text."""
    return _header(TEXT, len(payload)) + payload


def binary_messages(payloads: Sequence[bytes]) -> bytes:
    """Binary messages, one after the other."""
    if len(payloads) == 1:
        return _header(BINARY, len(payloads[0])) + payloads[0]
    return b"".join(part for payload in payloads for part in (_header(BINARY, len(payload)), payload))


SMALL_BYTES: Final = 126
"""A shorter message has the shortest header."""

MASKED: Final = 0x80
OPCODE: Final = 0x0F
LARGE: Final = MASKED | 127

HEADER_BYTES: Final = 6
"""Opcode, length, and the client's mask."""


def masked_bytes(size: int) -> int:
    """How long the frame of a client is on the wire (RFC 6455, 5.2)."""
    return HEADER_BYTES + size + (0 if size < SMALL_BYTES else 2 if size < 1 << 16 else 8)


def whole_messages(data: bytes) -> list[tuple[int, bytes]] | None:
    """Opcodes and payloads, where the bytes are just whole messages of less than 64 KiB, as they mostly are."""
    messages: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while at < end:
        begin = at + HEADER_BYTES
        if data[at] not in (TEXT, BINARY) or begin > end:
            return None
        size = data[at + 1] - MASKED
        if size == SMALL_BYTES:
            size = int.from_bytes(data[at + 2 : at + 4])
            begin += 2
        if not 0 <= size <= end - begin or data[at + 1] == LARGE:
            return None
        messages.append((data[at] & OPCODE, apply_mask(data[begin : begin + size], data[begin - 4 : begin])))
        at = begin + size
    return messages
