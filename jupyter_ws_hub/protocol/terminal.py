"""The frames of `/ws/terminal/<name>` as bytes: one type byte, a payload of fixed fields, big-endian.

PROTOCOL.md, section 3, says what they mean. A frame may be longer than what is known of it: what follows is ignored.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, TypeAlias

import msgspec

from .codes import Code
from .errors import RemoteProtocolError

WINDOW_BYTES: Final = 256 * 1024
"""How much output the server may send beyond what the client has acknowledged, unless the client asks for another."""

MIN_WINDOW_BYTES: Final = 16 * 1024
MAX_WINDOW_BYTES: Final = 4 * 1024 * 1024

MAX_DATA_BYTES: Final = 64 * 1024
"""The largest payload of a DATA frame, in both directions."""

ACK_TIMEOUT_S: Final = 2.0
"""Input that is not acknowledged for so long: the client tries a second connection beside the first."""

EPOCH_BYTES: Final = 16


class FrameType(IntEnum):
    """The first byte of a frame."""

    DATA = 0
    WELCOME = 1
    ACK = 2
    INPUT_ACK = 3
    SIZE = 4
    PING = 5
    PONG = 6
    REPLAY = 7
    GAP = 8
    EXIT = 9
    BYE = 10
    ERROR = 11


class Data(msgspec.Struct, frozen=True, gc=False):
    """Bytes of the terminal's output or input; both sides count them."""

    payload: bytes


class Welcome(msgspec.Struct, frozen=True, gc=False):
    """The server's first frame."""

    epoch: str
    """32 hexadecimal digits: this PTY, which no other has, even under the same name."""
    start: int
    """The byte offset of the first output that follows."""
    head: int
    """The byte offset of the output's end, now."""
    accepted: int
    """Input bytes of this client that the terminal has taken."""
    input_limit: int
    """The byte offset up to which the client may send input."""
    rows: int
    columns: int
    window: int
    """Output bytes that the server sends at most beyond what the client has acknowledged."""
    resumed: bool = False
    """The output goes on exactly at `have`; else the client clears its screen and counts from `start`."""
    fresh: bool = False
    """The server did not know the client: what it had sent and was not acknowledged may be lost."""
    read_only: bool = False
    """Input is refused."""


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The client's screen has consumed the output up to this byte offset."""

    byte_offset: int


class InputAck(msgspec.Struct, frozen=True, gc=False):
    """The terminal has taken this client's input up to `accepted`, and takes more up to `limit`."""

    accepted: int
    limit: int


class Resize(msgspec.Struct, frozen=True, gc=False):
    """The client's size; zero rows or columns: it has none. Pixels may be zero."""

    rows: int
    columns: int
    width_px: int = 0
    height_px: int = 0
    visible: bool = True


class Size(msgspec.Struct, frozen=True, gc=False):
    """The terminal's size: the smallest of the clients that are visible and active."""

    rows: int
    columns: int
    width_px: int = 0
    height_px: int = 0


class Ping(msgspec.Struct, frozen=True, gc=False):
    """Asks for a pong with the same bytes."""

    data: bytes = bytes(8)


class Pong(msgspec.Struct, frozen=True, gc=False):
    """Answers a ping."""

    data: bytes = bytes(8)


class Replay(msgspec.Struct, frozen=True, gc=False):
    """Output up to this byte offset is history: the screen answers no queries in it."""

    until: int


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Output that this client will never get; it clears its screen and goes on counting at `until`."""

    begin: int
    until: int


class Exit(msgspec.Struct, frozen=True, gc=False):
    """The program has ended, after `byte_offset` bytes of output; -1: its status is not known."""

    code: int
    signal: int
    byte_offset: int


class Bye(msgspec.Struct, frozen=True, gc=False):
    """The client leaves for good."""


class Error(msgspec.Struct, frozen=True, gc=False):
    """A frame was not followed; the connection goes on."""

    code: int
    message: str


ClientFrame: TypeAlias = Data | Ack | Resize | Ping | Pong | Bye
ServerFrame: TypeAlias = Data | Welcome | InputAck | Size | Ping | Pong | Replay | Gap | Exit | Error

DATA: Final = bytes([FrameType.DATA])
WELCOME: Final = struct.Struct(f">BB{EPOCH_BYTES}sQQQQHHI")
ACK: Final = struct.Struct(">BQ")
INPUT_ACK: Final = struct.Struct(">BQQ")
RESIZE: Final = struct.Struct(">BHHHHB")
SIZE: Final = struct.Struct(">BHHHH")
PING: Final = struct.Struct(">B8s")
REPLAY: Final = struct.Struct(">BQ")
GAP: Final = struct.Struct(">BQQ")
EXIT: Final = struct.Struct(">BiBQ")
ERROR: Final = struct.Struct(">BH")

RESUMED: Final = 1
FRESH: Final = 2
READ_ONLY: Final = 4
VISIBLE: Final = 1


def _unpack(layout: struct.Struct, frame: bytes) -> tuple[int, ...]:
    """The fields after the type byte.

    Raises:
        RemoteProtocolError: the frame is too short.
    """
    try:
        fields: tuple[int, ...] = layout.unpack_from(frame)
    except struct.error:
        name = FrameType(frame[0]).name
        reason = f"A {name} frame has {layout.size} bytes; this one has {len(frame)}."
        raise RemoteProtocolError(Code.BAD_FRAME, reason) from None
    return fields[1:]


def _data(frame: bytes) -> Data:
    if len(frame) > MAX_DATA_BYTES + 1:
        raise RemoteProtocolError(Code.TOO_BIG, f"A DATA frame carries at most {MAX_DATA_BYTES} bytes.")
    return Data(frame[1:])


def _ping(frame: bytes) -> bytes:
    _unpack(PING, frame)
    return frame[1 : PING.size]


def _kind(frame: bytes) -> int:
    if not frame:
        raise RemoteProtocolError(Code.BAD_FRAME, "A frame has at least its type byte.")
    return frame[0]


def decode_client_frame(frame: bytes) -> ClientFrame:
    """What a client has sent.

    Raises:
        RemoteProtocolError: `unknown_type` where the type is not a client's (the connection may go on), `bad_frame`
            or `too_big` otherwise (it may not).
    """
    match _kind(frame):
        case FrameType.DATA:
            return _data(frame)
        case FrameType.ACK:
            return Ack(*_unpack(ACK, frame))
        case FrameType.SIZE:
            rows, columns, width, height, flags = _unpack(RESIZE, frame)
            return Resize(rows, columns, width, height, bool(flags & VISIBLE))
        case FrameType.PING:
            return Ping(_ping(frame))
        case FrameType.PONG:
            return Pong(_ping(frame))
        case FrameType.BYE:
            return Bye()
    raise RemoteProtocolError(Code.UNKNOWN_TYPE, f"A terminal takes no frames of type {frame[0]}.")


def _welcome(frame: bytes) -> Welcome:
    flags, _, start, head, accepted, limit, rows, columns, window = _unpack(WELCOME, frame)
    return Welcome(
        epoch=frame[2 : 2 + EPOCH_BYTES].hex(),
        start=start,
        head=head,
        accepted=accepted,
        input_limit=limit,
        rows=rows,
        columns=columns,
        window=window,
        resumed=bool(flags & RESUMED),
        fresh=bool(flags & FRESH),
        read_only=bool(flags & READ_ONLY),
    )


def _error(frame: bytes) -> Error:
    (code,) = _unpack(ERROR, frame)
    return Error(code, frame[ERROR.size :].decode(errors="replace"))


def decode_server_frame(frame: bytes) -> ServerFrame | None:
    """What the server has sent; None where the type is not known, which a client ignores.

    Raises:
        RemoteProtocolError: `bad_frame` or `too_big`.
    """
    match _kind(frame):
        case FrameType.DATA:
            return _data(frame)
        case FrameType.WELCOME:
            return _welcome(frame)
        case FrameType.INPUT_ACK:
            return InputAck(*_unpack(INPUT_ACK, frame))
        case FrameType.SIZE:
            return Size(*_unpack(SIZE, frame))
        case FrameType.PING:
            return Ping(_ping(frame))
        case FrameType.PONG:
            return Pong(_ping(frame))
        case FrameType.REPLAY:
            return Replay(*_unpack(REPLAY, frame))
        case FrameType.GAP:
            return Gap(*_unpack(GAP, frame))
        case FrameType.EXIT:
            return Exit(*_unpack(EXIT, frame))
        case FrameType.ERROR:
            return _error(frame)
    return None


def _encode_welcome(frame: Welcome) -> bytes:
    flags = RESUMED * frame.resumed | FRESH * frame.fresh | READ_ONLY * frame.read_only
    epoch = bytes.fromhex(frame.epoch)
    counts = (frame.start, frame.head, frame.accepted, frame.input_limit)
    return WELCOME.pack(FrameType.WELCOME, flags, epoch, *counts, frame.rows, frame.columns, frame.window)


def encode(frame: ClientFrame | ServerFrame) -> bytes:
    """The frame as it goes over the wire."""
    match frame:
        case Data(payload):
            return DATA + payload
        case Welcome():
            return _encode_welcome(frame)
        case Ack(offset):
            return ACK.pack(FrameType.ACK, offset)
        case InputAck(accepted, limit):
            return INPUT_ACK.pack(FrameType.INPUT_ACK, accepted, limit)
        case Resize(rows, columns, width, height, visible):
            return RESIZE.pack(FrameType.SIZE, rows, columns, width, height, VISIBLE * visible)
        case Size(rows, columns, width, height):
            return SIZE.pack(FrameType.SIZE, rows, columns, width, height)
        case Ping(data):
            return PING.pack(FrameType.PING, data)
        case Pong(data):
            return PING.pack(FrameType.PONG, data)
        case Replay(until):
            return REPLAY.pack(FrameType.REPLAY, until)
        case Gap(begin, until):
            return GAP.pack(FrameType.GAP, begin, until)
        case Exit(code, signal, offset):
            return EXIT.pack(FrameType.EXIT, code, signal, offset)
        case Bye():
            return bytes([FrameType.BYE])
        case Error(code, message):
            return ERROR.pack(FrameType.ERROR, code) + message.encode()
