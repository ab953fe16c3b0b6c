"""A client that speaks the binary protocol: a place in a PTY's ring, a window, and what it has typed.

It holds no output: what the client has not got yet stays in the ring. Wire format: protocol/terminal.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ..protocol import terminal as wire
from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.terminal_opening import Opening
from .flow import Progress
from .input_queue import MAX_BACKLOG_BYTES
from .queries import MAX_SEQUENCE_BYTES, blank_queries, whole_sequences
from .ring import ByteRing
from .sizes import NO_EXTENT, Extent, Vote

if TYPE_CHECKING:  # not every system has what it rests on
    from .process import ExitStatus

INPUT_ACK_S: Final = 0.02
"""An acknowledgement of input that no output takes along goes by itself after this."""

LIMIT_STEP_BYTES: Final = 64 * 1024
"""The client is told of room for its input in steps of this, or when all of it is there again."""

PAST_SLICE_BYTES: Final = 16 * 1024
"""History is looked through in slices of this, some 0.5 ms each, and the rest of the server has its turn in between."""

GAP_TAIL_BYTES: Final = 256 * 1024
"""How much of the end a client gets that has missed more than the ring holds."""

SILENCE_S: Final = 25.0
DEATH_S: Final = 35.0
LATE_TICK_S: Final = 3.0
"""Between two ticks, a second apart: more than this, and it was this side that slept."""


class Terminal(Protocol):
    """The PTY, as a client sees it."""

    ring: ByteRing
    epoch: str
    exit: ExitStatus | None
    """How the program ended, when all its output is in the ring."""
    extent: Extent

    @property
    def backlog(self) -> int:
        """Input that the program has not read."""
        ...

    def feed(self, data: bytes) -> None:
        """Type."""
        ...

    def resized(self) -> None:
        """A client's size has changed."""
        ...

    def check(self) -> None:
        """A client keeps up, or not any more."""
        ...

    def detach(self, client: BinaryClient) -> None:
        """A client is gone."""
        ...


@dataclass(eq=False, slots=True)
class Known:
    """What is remembered of a client while its terminal lives."""

    accepted: int = 0
    """Input bytes taken."""
    has_met: bool = False
    """It has said something since it was told what was accepted: until then the first WELCOME may have been lost."""
    limit: int = 0
    extent: Extent = NO_EXTENT
    client: BinaryClient | None = None
    """The connection that it has now."""


Write = Callable[[Sequence[bytes]], "asyncio.Future[None] | None"]


class BinaryClient:
    """One connection. `holds_up` and `is_behind`: see flow.py."""

    def __init__(
        self,
        terminal: Terminal,
        known: Known | None,
        opening: Opening,
        write: Write,
        end: Callable[[int | None, str], None],
        now_s: float,
        read_only: bool = False,
    ) -> None:
        """`write` writes frames and gives None where the socket is gone; `end` closes it."""
        self._terminal, self._write, self._end, self._read_only = terminal, write, end, read_only
        self._resumed = opening.epoch is not None
        self.known = known or Known()
        # Who has met nobody may have sent more on an old connection that hangs, and so not know of the first WELCOME;
        # who had sent nothing then has nothing that could be lost.
        is_unsure = not self.known.has_met and (opening.sent == 0 or self.known.accepted > 0)
        self._fresh = known is None or is_unsure
        if self._fresh:
            self.known.accepted = opening.sent
        self._window = opening.window
        self._cursor = opening.have if self._resumed else terminal.ring.last_lines(opening.history)
        self._acked = self._cursor
        self._replay_until = 0 if self._resumed else terminal.ring.head
        self._visible = opening.visible
        if opening.rows and opening.columns:
            self.known.extent = Extent(opening.rows, opening.columns)
        self.will_return = opening.client is not None
        """Whether the client may come back when its socket is gone."""
        self._in_flight = True
        self._left = self._said_goodbye = False
        self._control: dict[int, bytes] = {}
        self._owed: bytes | None = None
        """An acknowledgement of input, ready to be sent along with the echo."""
        self._ack_timer: asyncio.TimerHandle | None = None
        self._heard_s = self._active_s = self._ticked_s = now_s
        self._pinged = False
        self._progress = Progress(now_s)

    # Output

    def start(self) -> None:
        """Say what goes on where, and send what there is. Until then nothing is sent."""
        self._in_flight = False
        self._control.clear()
        self.known.limit = self._limit()
        terminal, known = self._terminal, self.known
        rows, columns, *_ = terminal.extent
        self._control[wire.FrameType.WELCOME] = wire.encode(
            wire.Welcome(
                epoch=terminal.epoch,
                start=self._cursor,
                head=terminal.ring.head,
                accepted=known.accepted,
                input_limit=known.limit,
                rows=rows,
                columns=columns,
                window=self._window,
                resumed=self._resumed,
                fresh=self._fresh,
                read_only=self._read_only,
            )
        )
        if self._replay_until > self._cursor:
            self._control[wire.FrameType.REPLAY] = wire.encode(wire.Replay(self._replay_until))
        self.pump()

    @property
    def _credit(self) -> int:
        """Output bytes that may be sent now. Of history none rather than a part of a query, which would be missed."""
        credit = self._window - (self._cursor - self._acked)
        return credit if credit >= min(MAX_SEQUENCE_BYTES, self._replay_until - self._cursor) else 0

    @property
    def is_behind(self) -> bool:
        """Whether it takes nothing more now."""
        return self._credit <= 0 or (self._in_flight and self._terminal.ring.head - self._cursor > wire.MAX_DATA_BYTES)

    @property
    def holds_up(self) -> bool:
        """Whether it makes progress, and would lose output if the others went on."""
        ring = self._terminal.ring
        return self._progress.is_made and ring.head - self._cursor > ring.capacity // 2

    @property
    def place(self) -> int:
        """The byte offset up to which it has certainly got the output."""
        return self._acked

    def pump(self) -> None:
        """Send what can be sent now: what is urgent at once, output as far as the window and the socket go."""
        while not self._in_flight and not self._left:
            frames = [*self._control.values()]
            self._control.clear()
            frames += self._output()
            if not frames:
                return
            self._send(frames)

    def _output(self) -> list[bytes]:
        """The next frames of the output, if any."""
        ring, credit = self._terminal.ring, self._credit
        if self._cursor < ring.start and credit > 0:
            return self._gap()
        size = min(ring.head - self._cursor, credit, wire.MAX_DATA_BYTES)
        if size <= 0:
            return self._exit()
        frames, self._owed = [self._owed] if self._owed is not None else [], None
        if self._cursor < self._replay_until:
            data = ring.read(self._cursor, min(size, self._replay_until - self._cursor, PAST_SLICE_BYTES))
            data = blank_queries(data[: whole_sequences(data)])
        else:
            data = ring.read(self._cursor, size)
        self._cursor += len(data)
        return [*frames, wire.DATA + data]

    def _gap(self) -> list[bytes]:
        """It was so slow that the ring has gone round."""
        ring, begin = self._terminal.ring, self._cursor
        until = ring.last_lines(GAP_TAIL_BYTES)
        self._cursor = self._acked = until
        self._replay_until = ring.head
        return [wire.encode(wire.Gap(begin, until)), wire.encode(wire.Replay(ring.head))]

    def _exit(self) -> list[bytes]:
        status, head = self._terminal.exit, self._terminal.ring.head
        if status is None or self._cursor < head or self._said_goodbye:
            return []
        self._said_goodbye = True
        return [wire.encode(wire.Exit(status.code, status.signal, head))]

    def _send(self, frames: Sequence[bytes]) -> None:
        written = self._write(frames)
        if written is None:
            self._left = True  # the socket is gone, which its handler learns
        elif self._said_goodbye:
            self._left = True
            self._end(NORMAL_CLOSURE, "the terminal has ended")
        elif not written.done() or self._cursor < self._replay_until:
            self._in_flight = True
            written.add_done_callback(self._written)

    def _written(self, written: asyncio.Future[None]) -> None:
        self._in_flight = False
        if not written.cancelled() and written.exception() is None:
            self.pump()
            self._terminal.check()

    def _urge(self, frame: wire.ServerFrame) -> None:
        """Send a frame as soon as may be; of each type, the last one counts."""
        encoded = wire.encode(frame)
        self._control[encoded[0]] = encoded
        self.pump()

    # Input

    def receive(self, frame: str | bytes) -> None:
        """Take a frame of the client; after its goodbye, or when it was superseded, nothing.

        Raises:
            RemoteProtocolError: the connection cannot go on.
        """
        if self._left:
            return
        if isinstance(frame, str):
            raise RemoteProtocolError(Code.BAD_FRAME, "This protocol has no text messages.")
        self._pinged, self.known.has_met = False, True
        self._heard_s = self._ticked_s
        try:
            message = wire.decode_client_frame(frame)
        except RemoteProtocolError as error:
            if error.code != Code.UNKNOWN_TYPE:
                raise
            self._refuse(error)
            return
        match message:
            case wire.Data(payload):
                self._typed(payload)
            case wire.Ack(byte_offset):
                self._acknowledged(byte_offset)
            case wire.Resize():
                self._resize(message)
            case wire.Ping(data):
                self._urge(wire.Pong(data))
            case wire.Bye():
                self.will_return = False
                self._end(NORMAL_CLOSURE, "goodbye")

    def _refuse(self, error: HubError) -> None:
        self._urge(wire.Error(int(error.code), error.message))

    def _typed(self, payload: bytes) -> None:
        if self._read_only:
            self._refuse(HubError(Code.FORBIDDEN, "You may watch this terminal, but not type into it."))
            return
        known = self.known
        if known.accepted + len(payload) > known.limit:
            raise RemoteProtocolError(Code.TOO_BIG, f"Input beyond byte {known.limit} was not allowed yet.")
        known.accepted += len(payload)
        self._terminal.feed(payload)  # first of all
        self._active_s = self._ticked_s
        self._owe()

    def _limit(self) -> int:
        return max(self.known.limit, self.known.accepted + MAX_BACKLOG_BYTES - self._terminal.backlog)

    def _owe(self) -> None:
        """An acknowledgement goes with the next output, or by itself soon; it is made ready while the echo comes."""
        self.known.limit = self._limit()
        self._owed = wire.encode(wire.InputAck(self.known.accepted, self.known.limit))
        if self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(INPUT_ACK_S, self._timed)

    def _timed(self) -> None:
        self._ack_timer = None
        self._pay()

    def _pay(self) -> None:
        if self._owed is not None:
            self._control[wire.FrameType.INPUT_ACK], self._owed = self._owed, None
            self.pump()

    def input_read(self) -> None:
        """The program has read some of the input: there may be room for more."""
        grown = self._limit() - self.known.limit
        if grown >= LIMIT_STEP_BYTES or (grown > 0 and not self._terminal.backlog):
            self._owe()
            self._pay()

    def _acknowledged(self, byte_offset: int) -> None:
        if byte_offset > self._cursor:
            raise RemoteProtocolError(Code.BAD_FRAME, "What was not sent cannot be acknowledged.")
        if byte_offset > self._acked:
            self._acked = byte_offset
            self.pump()
            self._terminal.check()

    # Size and time

    def _resize(self, size: wire.Resize) -> None:
        if size.rows and size.columns:
            self.known.extent = Extent(size.rows, size.columns, size.width_px, size.height_px)
        self._visible = size.visible
        self._active_s = self._ticked_s
        self._terminal.resized()

    def vote(self) -> Vote:
        """What it says of the terminal's size."""
        return Vote(self.known.extent, self._visible, self._active_s)

    def size_changed(self, extent: Extent) -> None:
        """Tell it of the terminal's size."""
        self._urge(wire.Size(*extent))

    def tick(self, now_s: float) -> None:
        """Let time pass; about once a second."""
        if now_s - self._ticked_s > LATE_TICK_S:
            self._heard_s += now_s - self._ticked_s
        self._ticked_s = now_s
        if self._progress.note(now_s, self._acked, self._terminal.ring.head - self._acked):
            self._terminal.check()
        if now_s - self._heard_s >= DEATH_S:
            self._end(int(Code.HEARTBEAT_TIMEOUT), "Nothing was heard from this client.")
        elif now_s - self._heard_s >= SILENCE_S and not self._pinged:
            self._pinged = True
            self._urge(wire.Ping())

    def supersede(self) -> None:
        """A newer connection takes its place; what still comes on this one is discarded."""
        self.leave()
        self._end(int(Code.SUPERSEDED), "A newer connection of this client took this one's place.")

    def closed(self) -> None:
        """The socket is gone: leave the terminal. Idempotent."""
        self._terminal.detach(self)

    def leave(self) -> None:
        """Take nothing from its socket any more. Idempotent."""
        self._left = True
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
