"""A client of `/ws/terminal/<name>` as a state machine: frames, keys and times in, frames and events out.

It knows no socket, clock or loop: times are seconds of any steady clock, and whoever drives it opens the connections.
PROTOCOL.md, section 3.1, has the rules. WELCOME makes its connection the current one; frames of an older connection
must not be handed in after it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

import msgspec

from .codes import Code
from .errors import RemoteProtocolError
from .terminal import (
    ACK_TIMEOUT_S,
    MIN_WINDOW_BYTES,
    WINDOW_BYTES,
    Ack,
    Bye,
    ClientFrame,
    Data,
    Error,
    Exit,
    Gap,
    InputAck,
    Ping,
    Pong,
    Replay,
    Resize,
    ServerFrame,
    Size,
    Welcome,
    decode_server_frame,
    encode,
)
from .terminal_input import InputQueue
from .terminal_opening import MAX_BYTE_OFFSET, Opening

ACK_DELAY_S: Final = 0.05
ACK_FRACTION: Final = 8
PING_INTERVAL_S: Final = 5.0
PONG_TIMEOUT_S: Final = 3.0
PATIENCE: Final = 4
"""While other frames come the line is slow and not dead: an answer may take so many times its time."""
PONGS: Final = 16
"""Answers to pings that wait at most."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """Bytes for the screen; `consumed(until)` says later that it has them."""

    data: bytes
    until: int


class Joined(msgspec.Struct, frozen=True):
    """A connection is live."""

    welcome: Welcome
    first: bool
    """It is this client's first one."""
    lost_input: int
    """So many bytes of input may be lost: the user is told."""


class Cleared(msgspec.Struct, frozen=True, gc=False):
    """The screen is cleared: `missing` bytes of output never come, and what comes next may stand on it already."""

    missing: int


Event: TypeAlias = Output | Joined | Cleared | Replay | Size | Exit | Error


class TerminalClient:
    """One client of one terminal, over all its connections."""

    def __init__(
        self, client_id: str, *, window: int = WINDOW_BYTES, history: int = MAX_BYTE_OFFSET, keys: bool = True
    ):
        """`client_id` is random and kept in memory only; `history` bounds the past; `keys`: see `InputQueue`."""
        self.epoch: str | None = None
        self.have = 0
        """Output bytes received, as absolute byte offset."""
        self.input = InputQueue(keys=keys)
        self.read_only = False
        self.exit: Exit | None = None
        self._id = client_id
        self._wanted_window = self._window = window
        self._history = history
        self._connected = self._leaving = False
        self._size = self._told_size = Resize(0, 0)
        self._consumed = self._at = self._acked = 0
        self._ack_due_s: float | None = None
        self._pongs: deque[bytes] = deque(maxlen=PONGS)
        self._pings = 0
        self._ping_due_s = self._heard_s = 0.0
        self._pinged_s: float | None = None
        self._unacknowledged_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether a connection is live, as far as anybody knows."""
        return self._connected

    @property
    def backlog(self) -> int:
        """Output bytes that were received and that the screen has not consumed."""
        return max(0, self.have - self._consumed)

    def query(self) -> dict[str, str]:
        """The parameters of the next connection; its size is told by them."""
        self._told_size = self._size
        return Opening(
            client=self._id,
            epoch=self.epoch,
            have=self.have,
            sent=self.input.highest,
            rows=self._size.rows,
            columns=self._size.columns,
            visible=self._size.visible,
            window=max(MIN_WINDOW_BYTES, self._wanted_window - self.backlog),
            history=self._history if self.epoch is None else MAX_BYTE_OFFSET,
        ).to_query()

    def receive(self, frame: bytes, now_s: float) -> list[Event]:
        """What a frame of the current connection, or the WELCOME of a new one, means.

        Raises:
            RemoteProtocolError: the server broke the protocol; `not_found`: this is another terminal.
        """
        decoded = decode_server_frame(frame)
        self._heard_s = now_s
        if isinstance(decoded, Welcome):
            return self._join(decoded, now_s)
        if not self._connected:
            raise RemoteProtocolError(Code.BAD_FRAME, "The first frame has to be WELCOME.")
        return self._follow(decoded, now_s)

    def _follow(self, frame: ServerFrame | None, now_s: float) -> list[Event]:
        match frame:
            case Data(payload):
                return self._output(payload, now_s)
            case InputAck(accepted, limit):
                if self.input.acknowledge(accepted, limit):
                    self._unacknowledged_s = None if accepted == self.input.sent else now_s
            case Ping(data):
                self._pongs.append(data)
            case Pong(data):
                if data == self._pings.to_bytes(8):
                    self._pinged_s = None
            case Gap(_, until):
                return self._clear(until)
            case Exit():
                self.exit = frame
                return [frame]
            case Replay() | Size() | Error():
                return [frame]
        return []

    def _join(self, welcome: Welcome, now_s: float) -> list[Event]:
        first = self.epoch is None
        if not first and welcome.epoch != self.epoch:
            raise RemoteProtocolError(Code.NOT_FOUND, "Another terminal has this name now.")
        lost = self.input.resume(welcome.accepted, welcome.input_limit, fresh=welcome.fresh)
        self.epoch, self.read_only, self._connected = welcome.epoch, welcome.read_only, True
        self._at = self._acked = welcome.start
        self._window = welcome.window
        self._ack_due_s = self._pinged_s = self._unacknowledged_s = None
        self._ping_due_s = now_s + PING_INTERVAL_S
        events: list[Event] = [Joined(welcome, first, lost)]
        if first:
            self.have = self._consumed = welcome.start
        elif not welcome.resumed or welcome.start > self.have:
            events += self._clear(welcome.start)
        return events

    def _clear(self, until: int) -> list[Event]:
        missing = max(0, until - self.have)
        self.have = self._at = self._consumed = until
        return [Cleared(missing)]

    def _output(self, payload: bytes, now_s: float) -> list[Event]:
        """A second connection may repeat what the first one still brought: that is skipped, but acknowledged."""
        known = self.have - self._at
        self._at += len(payload)
        self.consumed(self._consumed, now_s)
        if self._at <= self.have:
            return []
        self.have = self._at
        return [Output(payload[known:] if known else payload, self.have)]

    def consumed(self, until: int, now_s: float) -> None:
        """The screen has consumed the output up to this byte offset."""
        self._consumed = max(self._consumed, until)
        if self._ack_due_s is None and self._acknowledgeable > self._acked:
            self._ack_due_s = now_s + ACK_DELAY_S

    @property
    def _acknowledgeable(self) -> int:
        return min(self._consumed, self._at)

    def feed(self, data: bytes) -> int:
        """Input; says how many bytes were taken: with fewer than there are, the rest waits at the caller.

        Where input is refused it is taken and forgotten.
        """
        return len(data) if self.read_only else self.input.feed(data)

    def resize(self, rows: int, columns: int, width_px: int = 0, height_px: int = 0, *, visible: bool = True) -> None:
        """The client's size."""
        self._size = Resize(rows, columns, width_px, height_px, visible)

    def bye(self) -> None:
        """Leave for good: the next frames are the last ones."""
        self._leaving = True

    def lost(self) -> None:
        """The current connection has ended."""
        self._connected = False

    def frames(self, now_s: float) -> list[bytes]:
        """What is to be sent now on the current connection; it counts as sent."""
        if not self._connected:
            return []
        frames: list[ClientFrame] = [Pong(self._pongs.popleft()) for _ in range(len(self._pongs))]
        if self._size != self._told_size:
            self._told_size = self._size
            frames.append(self._size)
        payloads = [] if self.read_only else self.input.take()
        if payloads and self._unacknowledged_s is None:
            self._unacknowledged_s = now_s
        frames += [Data(payload) for payload in payloads]
        if self._ack_is_due(now_s):
            self._acked, self._ack_due_s = self._acknowledgeable, None
            frames.append(Ack(self._acked))
        if now_s >= self._ping_due_s and self._pinged_s is None:
            self._pings += 1
            self._pinged_s, self._ping_due_s = now_s, now_s + PING_INTERVAL_S
            frames.append(Ping(self._pings.to_bytes(8)))
        if self._leaving:
            frames.append(Bye())
            self._connected = False
        return [encode(frame) for frame in frames]

    def _ack_is_due(self, now_s: float) -> bool:
        late = self._ack_due_s is not None and now_s >= self._ack_due_s
        return self._acknowledgeable - self._acked >= (1 if late else self._window // ACK_FRACTION)

    @property
    def alarm_s(self) -> float | None:
        """When a second connection is wanted, if nothing comes until then."""
        alarms = [
            min(max(since_s, self._heard_s) + patience_s, since_s + PATIENCE * patience_s)
            for since_s, patience_s in ((self._unacknowledged_s, ACK_TIMEOUT_S), (self._pinged_s, PONG_TIMEOUT_S))
            if since_s is not None
        ]
        return min(alarms, default=None)

    def wants_second(self, now_s: float) -> bool:
        """Whether the current connection is so silent that another one is to be tried beside it."""
        alarm_s = self.alarm_s
        return self._connected and alarm_s is not None and now_s >= alarm_s

    def next_s(self, now_s: float) -> float | None:
        """When `frames` or `wants_second` have something new to say, if nothing else happens before."""
        if not self._connected:
            return None
        alarm_s = self.alarm_s
        times = [
            self._ack_due_s,
            self._ping_due_s if self._pinged_s is None else None,
            alarm_s if alarm_s is not None and alarm_s > now_s else None,
        ]
        return min((time_s for time_s in times if time_s is not None), default=None)
