"""Frames to envelopes and back, with their size limits. No socket, no state.

A hub frame is a JSON array of envelopes. A file-stream data frame is a fixed header and payload (see transfer.py for
what the fields mean). One bad envelope does not spoil the frame it came in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from .codes import Code
from .errors import HubError, RemoteProtocolError
from .messages import ClientMessage, ServerMessage

INBOUND_FRAME_BYTES: Final = 1024 * 1024
OUTBOUND_FRAME_BYTES: Final = 64 * 1024

_raw_frame = msgspec.json.Decoder(list[msgspec.Raw])
_client_frame = msgspec.json.Decoder(list[ClientMessage])
_client_message: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_frame = msgspec.json.Decoder(list[ServerMessage])
_encoder = msgspec.json.Encoder()

CLIENT_TYPES: Final = frozenset(str(t.__struct_config__.tag) for t in ClientMessage.__args__)


class Malformed(msgspec.Struct, frozen=True):
    """An envelope that cannot be understood: what to answer, and to which `ref` (None: it had none)."""

    ref: int | None
    error: HubError


class _Outline(msgspec.Struct):
    type: Any = None
    ref: Any = None


_outline = msgspec.json.Decoder(_Outline)


def encode(message: ServerMessage | ClientMessage) -> bytes:
    """Encode one envelope; join several into a frame with `join_frame`."""
    return _encoder.encode(message)


def join_frame(envelopes: Iterable[bytes]) -> bytes:
    """Make a frame out of encoded envelopes, without encoding them again."""
    return b"[" + b",".join(envelopes) + b"]"


def decode_client_frame(frame: str | bytes, max_bytes: int = INBOUND_FRAME_BYTES) -> list[ClientMessage | Malformed]:
    """Decode a frame from a client.

    An envelope with an unknown type or a wrong field comes back as `Malformed`, the others are whole.

    Raises:
        RemoteProtocolError: the frame is too big, is binary, or is no JSON array of objects.
    """
    if isinstance(frame, bytes):
        raise RemoteProtocolError(Code.BAD_FRAME, "A frame on /ws must be text, not binary.")
    try:
        data = frame.encode()
    except UnicodeEncodeError as error:
        raise RemoteProtocolError(Code.BAD_FRAME, "The frame is no text: half a surrogate pair is in it.") from error
    if len(data) > max_bytes:
        raise RemoteProtocolError(Code.TOO_BIG, f"The frame has {len(data)} bytes; this server takes {max_bytes}.")
    try:
        return list(_client_frame.decode(data))
    except (msgspec.DecodeError, RecursionError):
        return list(_decode_one_by_one(data))


def _decode_one_by_one(data: bytes) -> Iterator[ClientMessage | Malformed]:
    try:
        raws = _raw_frame.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RemoteProtocolError(Code.BAD_FRAME, f"The frame is not a JSON array of messages: {error}.") from error
    for raw in raws:
        yield _decode_one(raw)


def _decode_one(raw: msgspec.Raw) -> ClientMessage | Malformed:
    try:
        return _client_message.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        invalid = HubError(Code.INVALID, f"The message was not understood: {error}.")
    if not bytes(raw).lstrip().startswith(b"{"):
        raise RemoteProtocolError(Code.BAD_FRAME, "A frame holds something that is no object.") from None
    try:
        outline = _outline.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Malformed(None, invalid)  # a number that is none, or too deep: its ref cannot be known
    ref = outline.ref if type(outline.ref) is int else None
    if isinstance(outline.type, str) and outline.type not in CLIENT_TYPES:
        return Malformed(
            ref, HubError(Code.UNKNOWN_TYPE, f"This server knows no message of type {outline.type!r:.80}.")
        )
    return Malformed(ref, invalid)


def decode_server_frame(frame: str | bytes) -> list[ServerMessage]:
    """Decode a frame from a server, for clients written in Python.

    Raises:
        RemoteProtocolError: it is no frame of this protocol.
    """
    try:
        return _server_frame.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(Code.BAD_FRAME, f"The server's frame was not understood: {error}.") from error


# The data frames of /ws/file-stream

CHUNK_HEADER: Final = struct.Struct(">BBHIQ")
"""Type, flags, reserved, file index, byte offset: 16 bytes, big-endian."""

MAX_CHUNK_FRAME_BYTES: Final = 64 * 1024
"""Header and payload of what we send: browsers split larger messages into fragments."""

INBOUND_CHUNK_FRAME_BYTES: Final = 1024 * 1024
"""What is taken all the same; a browser brings such a message in fragments of up to 131,000 bytes."""

MAX_CHUNK_PAYLOAD_BYTES: Final = MAX_CHUNK_FRAME_BYTES - CHUNK_HEADER.size

CHUNK_DATA: Final = 0
"""The one frame type so far: bytes of a file."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a file: its bytes and where in the file they belong."""

    byte_offset: int
    payload: memoryview
    file_index: int = 0


def encode_chunk(byte_offset: int, payload: bytes | memoryview, file_index: int = 0) -> bytes:
    """Encode a data frame.

    Raises:
        ValueError: the payload is larger than `MAX_CHUNK_PAYLOAD_BYTES`.
    """
    if len(payload) > MAX_CHUNK_PAYLOAD_BYTES:
        raise ValueError(f"a chunk carries at most {MAX_CHUNK_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return CHUNK_HEADER.pack(CHUNK_DATA, 0, 0, file_index, byte_offset) + bytes(payload)


def decode_chunk(frame: bytes) -> Chunk:
    """Decode a data frame; the payload is a view into `frame`.

    Raises:
        RemoteProtocolError: it is too short, too big, or of an unknown type.
    """
    if len(frame) > INBOUND_CHUNK_FRAME_BYTES:
        raise RemoteProtocolError(
            Code.TOO_BIG, f"A data frame has at most {INBOUND_CHUNK_FRAME_BYTES} bytes, this one {len(frame)}."
        )
    if len(frame) < CHUNK_HEADER.size:
        raise RemoteProtocolError(Code.BAD_FRAME, f"A data frame starts with a header of {CHUNK_HEADER.size} bytes.")
    kind, _flags, _reserved, file_index, byte_offset = CHUNK_HEADER.unpack_from(frame)
    if kind != CHUNK_DATA:
        raise RemoteProtocolError(Code.UNKNOWN_TYPE, f"No data frame has the type {kind}.")
    return Chunk(byte_offset, memoryview(frame)[CHUNK_HEADER.size :], file_index)
