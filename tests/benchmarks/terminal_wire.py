"""What clients of terminals say to the systems that are compared, without I/O: only the framing differs.

Frames are walked from header to header. Only small ones are looked into, so that no client is what is slow.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL, terminal

from .wire import client_frame, text_frame, upgrade_request

Dialect: TypeAlias = Literal["binary", "json", "ttyd"]
TEXT: Final = 0x81
BINARY: Final = 0x82
PONG: Final = 0x8A
CLOSE_CODE: Final = 8
PING_CODE: Final = 9
WHOLE_BYTES: Final = 1024
"""Payloads up to this size are handed on whole, of larger ones only the beginning."""
BEGINNING_BYTES: Final = 16
ACKS_PER_WINDOW: Final = 8


class Endpoint(msgspec.Struct, frozen=True):
    """A terminal, and how to speak to it."""

    port: int
    path: str
    dialect: Dialect

    def handshake(self) -> bytes:
        """The upgrade request."""
        subprotocol = {"binary": TERMINAL_SUBPROTOCOL, "json": "", "ttyd": "tty"}[self.dialect]
        return upgrade_request(self.port, self.path, subprotocol, authorized=self.dialect != "ttyd")


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    payload: bytes
    """Whole if it is small; else its beginning."""
    size: int
    """Of the whole payload, in bytes."""


class FrameWalker:
    """Cuts a server's byte stream, however it comes, into frames."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; give the frames of which enough has come, the rest of a large one is skipped."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        frames = []
        at, end = self._skip, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if start > end:
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            needed = start + (size if size <= WHOLE_BYTES else BEGINNING_BYTES)
            if needed > end:
                break
            frames.append(Frame(data[at] & 15, data[start:needed], size))
            at = start + size
        self._skip = max(0, at - end)
        self._rest = data[at:]
        return frames


class Speaker:
    """A client of one terminal, without I/O; this one speaks terminado's JSON."""

    hello = b""
    """What is sent after the handshake."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.frames = 0
        self.output_bytes = 0
        """Of the terminal's output; in JSON as it is escaped there."""
        self.last = b""
        """The newest output, if it was small."""
        self.ended = False
        self._walker = FrameWalker()

    def feed(self, data: bytes) -> bytes:
        """Take what the server has sent; give what must be answered now."""
        answers = []
        for frame in self._walker.feed(data):
            if frame.opcode == CLOSE_CODE:
                self.ended = True
            elif frame.opcode == PING_CODE:
                answers.append(client_frame(PONG, frame.payload))
            elif frame.opcode < CLOSE_CODE:
                self.frames += 1
                answers.append(self._take(frame))
        answers.append(self.due())
        return b"".join(answers)

    def due(self) -> bytes:
        """What must be said after so much output."""
        return b""

    def settle(self) -> bytes:
        """What must be said after some milliseconds without output."""
        return b""

    def type(self, data: bytes) -> bytes:
        """The frames of input; what may not be sent yet is kept and comes with an answer of `feed`."""
        return text_frame(b'["stdin",%s]' % msgspec.json.encode(data.decode()))

    def _take(self, frame: Frame) -> bytes:
        if frame.payload.startswith(b'["stdout", "'):
            self.output_bytes += frame.size - 14
            self.last = frame.payload[12:-2]
        elif frame.payload.startswith(b'["disconnect"'):
            self.ended = True
        return b""


class TtydSpeaker(Speaker):
    """ttyd: binary frames, the first byte is a command."""

    hello = client_frame(BINARY, b'{"AuthToken":"","columns":80,"rows":24}')

    def type(self, data: bytes) -> bytes:
        """One frame."""
        return client_frame(BINARY, b"0" + data)

    def _take(self, frame: Frame) -> bytes:
        if frame.payload[:1] == b"0":
            self.output_bytes += frame.size - 1
            self.last = frame.payload[1:]
        return b""


class BinarySpeaker(Speaker):
    """Our own protocol: counts bytes, acknowledges output, keeps to the limit of input."""

    def __init__(self) -> None:
        """Nothing was said."""
        super().__init__()
        self.limit = self.taken = 0
        self.offset = 0
        """The absolute byte offset of the output so far."""
        self._acked = 0
        self._window = terminal.WINDOW_BYTES
        self._sent = 0
        self._kept = b""

    def due(self) -> bytes:
        """An acknowledgement after an eighth of the window."""
        return self.settle() if self.offset - self._acked >= self._window // ACKS_PER_WINDOW else b""

    def settle(self) -> bytes:
        """An acknowledgement, if anything is not acknowledged."""
        if self.offset == self._acked:
            return b""
        self._acked = self.offset
        return client_frame(BINARY, terminal.encode(terminal.Ack(self.offset)))

    def type(self, data: bytes) -> bytes:
        """Frames, as far as the limit lets."""
        self._kept += data
        frames = []
        while piece := self._kept[: min(terminal.MAX_DATA_BYTES, max(0, self.limit - self._sent))]:
            self._kept = self._kept[len(piece) :]
            self._sent += len(piece)
            frames.append(client_frame(BINARY, terminal.DATA + piece))
        return b"".join(frames)

    def _take(self, frame: Frame) -> bytes:
        if frame.payload[0] == terminal.FrameType.DATA:
            self.output_bytes += frame.size - 1
            self.offset += frame.size - 1
            self.last = frame.payload[1:]
            return b""
        match terminal.decode_server_frame(frame.payload):
            case terminal.Welcome(start=start, accepted=accepted, input_limit=limit, window=window):
                self.offset = self._acked = start
                self._sent, self.taken, self.limit, self._window = accepted, accepted, limit, window
                return self.type(b"")
            case terminal.InputAck(accepted, limit):
                self.taken, self.limit = accepted, limit
                return self.type(b"")
            case terminal.Gap(_, until):
                self.offset = until
            case terminal.Ping(data):
                return client_frame(BINARY, terminal.encode(terminal.Pong(data)))
            case terminal.Exit():
                self.ended = True
        return b""


def speaker(dialect: Dialect) -> Speaker:
    """A client for a dialect."""
    return {"binary": BinarySpeaker, "json": Speaker, "ttyd": TtydSpeaker}[dialect]()
