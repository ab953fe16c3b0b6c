"""Whole WebSocket messages as a server sends them: one frame each, not masked (RFC 6455, 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
