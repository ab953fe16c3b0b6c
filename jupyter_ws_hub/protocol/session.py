"""The server's side of one `/ws` connection as a state machine: what may come when, and when silence is death.

Frames and times go in, messages and verdicts come out. It knows no socket, no service and no clock. What a message
means is the hub's business (hub/connection.py); that it may come now is decided here, by one table.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import msgspec

from .codec import INBOUND_FRAME_BYTES, Malformed, decode_client_frame
from .codes import Code
from .errors import HubError, LocalProtocolError, RemoteProtocolError
from .messages import Ack, Bye, Cancel, ClientMessage, Hello, Ping, Pong, Request, Subscribe, Unsubscribe


class State(Enum):
    """Where a connection is in its life."""

    AWAITING_HELLO = auto()
    OPEN = auto()
    CLOSED = auto()


_KEEP = (Subscribe, Unsubscribe, Request, Cancel, Ack, Ping, Pong)

TRANSITIONS: Final[dict[State, dict[type[ClientMessage], State]]] = {
    State.AWAITING_HELLO: {Hello: State.OPEN, Bye: State.CLOSED},
    State.OPEN: {**{kind: State.OPEN for kind in _KEEP}, Bye: State.CLOSED},
    State.CLOSED: {},
}
"""What may come in which state, and the state after it. What is not here ends the connection as a bad frame."""


class Timing(msgspec.Struct, frozen=True):
    """How long to wait for what, in seconds."""

    hello_timeout_s: float = 10.0
    heartbeat_interval_s: float = 25.0
    heartbeat_grace_s: float = 10.0


HELLO_EXCUSE_S: Final = 0.5
"""After this side was asleep: time for the frames that have come meanwhile to be read."""


class PingDue(msgspec.Struct, frozen=True):
    """The server has to send a ping now."""

    t: float


class ServerSession:
    """One connection's machine. All times are seconds of one monotonic clock."""

    def __init__(
        self, timing: Timing, now_s: float, max_frame_bytes: int = INBOUND_FRAME_BYTES, jitter: float = 1.0
    ) -> None:
        """Start in AWAITING_HELLO at `now_s`; `jitter`, from 0 to 1, sets the first ping into the first interval."""
        self.state = State.AWAITING_HELLO
        self._timing = timing
        self._max_frame_bytes = max_frame_bytes
        self._hello_due_s = now_s + timing.hello_timeout_s
        self._heard_s = now_s
        self._ping_s = now_s + timing.heartbeat_interval_s * jitter
        self.round_trip_s: float | None = None

    def receive(self, frame: str | bytes, now_s: float) -> list[ClientMessage | Malformed]:
        """Take a frame; give the messages that are legal now, in order. What follows a `bye` is dropped.

        Raises:
            RemoteProtocolError: the frame is malformed as a whole, or a message may not come in this state.
        """
        if self._is_closed():
            return []
        self._heard_s = now_s
        accepted: list[ClientMessage | Malformed] = []
        for message in decode_client_frame(frame, self._max_frame_bytes):
            if self._is_closed():
                break
            if isinstance(message, Malformed):
                self._reject_unless_open(message)
            else:
                self._advance(message)
                if isinstance(message, Pong):
                    self.round_trip_s = max(0.0, now_s - message.t)
            accepted.append(message)
        return accepted

    def _is_closed(self) -> bool:
        return self.state is State.CLOSED

    def _advance(self, message: ClientMessage) -> None:
        following = TRANSITIONS[self.state].get(type(message))
        if following is None:
            kind = str(message.__struct_config__.tag)
            where = "before hello" if self.state is State.AWAITING_HELLO else "now"
            raise RemoteProtocolError(Code.BAD_FRAME, f"A message of type {kind!r} may not come {where}.")
        self.state = following

    def _reject_unless_open(self, message: Malformed) -> None:
        if self.state is not State.OPEN:
            raise RemoteProtocolError(Code.BAD_FRAME, f"No session is open yet. {message.error.message}")

    def tick(self, now_s: float) -> PingDue | HubError | None:
        """Say what the passing of time demands: a ping, the end of the connection, or nothing.

        The error's code is the close code: `hello_timeout` or `heartbeat_timeout`, both of which mean reconnect.
        """
        if self.state is State.CLOSED:
            return None
        if self.state is State.AWAITING_HELLO:
            if now_s >= self._hello_due_s:
                limit = self._timing.hello_timeout_s
                return HubError(Code.HELLO_TIMEOUT, f"No hello came within {limit:g} s.")
            return None
        silence_s = now_s - self._heard_s
        if silence_s >= self._timing.heartbeat_interval_s + self._timing.heartbeat_grace_s:
            return HubError(Code.HEARTBEAT_TIMEOUT, f"Nothing was heard for {silence_s:.0f} s.")
        if now_s >= self._ping_s:
            self._ping_s = now_s + self._timing.heartbeat_interval_s
            return PingDue(now_s)
        return None

    def excuse(self, now_s: float) -> None:
        """Count the peer as heard at `now_s`: for a side that was itself asleep and could not listen."""
        if self.state is State.CLOSED:
            raise LocalProtocolError(Code.INTERNAL, "A closed session hears nothing.")
        self._heard_s = max(self._heard_s, now_s)
        if self.state is State.AWAITING_HELLO:
            self._hello_due_s = max(self._hello_due_s, now_s + HELLO_EXCUSE_S)

    def close(self) -> None:
        """This side has closed: nothing that still arrives counts."""
        self.state = State.CLOSED
