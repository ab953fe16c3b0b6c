"""A terminal as PROTOCOL.md, section 3.1, describes it from outside: no PTY, no socket, no time.

It is written from the text alone, and it refuses what a client must not do. The tests of the client's state machine and
the small server of tests/support/terminal_server.py use it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import Code

SIGNALS = b"\x03\x1a\x1c"


@dataclass
class Known:
    """What the terminal knows of a client over all its connections."""

    accepted: int = 0
    has_met: bool = False
    """It has said something since its first WELCOME."""
    connection: ModelConnection | None = None


@dataclass
class ModelTerminal:
    """One terminal: a ring of output, and the input that its clients have given."""

    epoch: str = "00112233445566778899aabbccddeeff"
    room: int = 64 * 1024
    """How much input may wait for the program."""
    read_only: bool = False
    output: bytearray = field(default_factory=bytearray)
    tail: int = 0
    """Output before is forgotten."""
    input: bytearray = field(default_factory=bytearray)
    """What was taken, of all clients."""
    waiting: int = 0
    """The last bytes of it that the program has not read."""
    reads: bool = True
    """Whether the program reads what it gets at once."""
    ended: wire.Exit | None = None
    clients: dict[str, Known] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def connect(self, query: Mapping[str, str]) -> ModelConnection | Code:
        """A new connection, which takes the place of an older one; or why there is none."""
        if query.get("epoch") not in {None, self.epoch}:
            return Code.NOT_FOUND
        return ModelConnection(self, query)

    def read(self, count: int) -> None:
        """The program reads some of its input."""
        self.waiting = max(0, self.waiting - count)
        for known in self.clients.values():
            if known.connection is not None:
                known.connection.tell_input()

    def exit(self, code: int) -> None:
        """The program ends."""
        self.ended = wire.Exit(code, 0, len(self.output))

    def forget(self) -> None:
        """Know no client any more; only one whose connection is gone can be forgotten."""
        for known in self.clients.values():
            if known.connection is not None:
                known.connection.superseded = True
        self.clients.clear()


class ModelConnection:
    """One connection; `outgoing` holds its frames in order."""

    def __init__(self, terminal: ModelTerminal, query: Mapping[str, str]) -> None:
        """Supersede the older one, say WELCOME."""
        self.terminal = terminal
        self.outgoing: deque[bytes] = deque()
        self.superseded = self.left = self.exited = False
        self.window = int(query.get("window", 256 * 1024))
        identity = query["client"]
        sent = int(query.get("sent", 0))
        fresh = identity not in terminal.clients
        self.known = terminal.clients.setdefault(identity, Known())
        fresh = fresh or (not self.known.has_met and (sent == 0 or self.known.accepted > 0))
        if fresh:
            self.known.accepted = sent
        if self.known.connection is not None:
            self.known.connection.superseded = True
        self.known.connection = self
        have, head = int(query.get("have", 0)), len(terminal.output)
        self.resumed = "epoch" in query and terminal.tail <= have <= head
        self.sent = self.acked = have if self.resumed else terminal.tail
        terminal.sizes.append((int(query.get("rows", 0)), int(query.get("columns", 0))))
        self.put(
            wire.Welcome(
                epoch=terminal.epoch,
                start=self.sent,
                head=head,
                accepted=self.known.accepted,
                input_limit=self.limit,
                rows=24,
                columns=80,
                window=self.window,
                resumed=self.resumed,
                fresh=fresh,
                read_only=terminal.read_only,
            )
        )
        if not self.resumed:
            self.put(wire.Replay(head))

    @property
    def limit(self) -> int:
        """Up to where the client may send input."""
        return self.known.accepted + max(0, self.terminal.room - self.terminal.waiting)

    def put(self, frame: wire.ServerFrame) -> None:
        """Send a frame."""
        self.outgoing.append(wire.encode(frame))

    def tell_input(self) -> None:
        """Send INPUT_ACK."""
        self.put(wire.InputAck(self.known.accepted, self.limit))

    def pump(self, piece: int = wire.MAX_DATA_BYTES, *, skip: bool = False) -> int:
        """Send up to `piece` bytes of output, if the window is open; `skip`: this client misses what is in the ring."""
        terminal = self.terminal
        if self.sent < terminal.tail or skip:
            until = len(terminal.output) if skip else terminal.tail
            self.put(wire.Gap(self.sent, until))
            self.sent = until
        count = min(piece, len(terminal.output) - self.sent, self.acked + self.window - self.sent)
        if count > 0:
            self.put(wire.Data(bytes(terminal.output[self.sent : self.sent + count])))
            self.sent += count
        if terminal.ended is not None and self.sent == len(terminal.output) and not self.exited:
            self.exited = True
            self.put(terminal.ended)
        return max(0, count)

    def receive(self, frame: bytes) -> None:
        """Follow a client's frame; what it must not do is an AssertionError."""
        if self.superseded:
            return
        assert not self.left, "a frame after BYE"
        self.known.has_met = True
        match wire.decode_client_frame(frame):
            case wire.Data(payload):
                self._take(payload)
            case wire.Ack(offset):
                assert offset <= self.sent, "an ACK beyond what was sent"
                self.acked = max(self.acked, offset)
            case wire.Ping(data):
                self.put(wire.Pong(data))
            case wire.Resize(rows, columns):
                self.terminal.sizes.append((rows, columns))
            case wire.Bye():
                self.left = True

    def _take(self, payload: bytes) -> None:
        terminal, known = self.terminal, self.known
        assert not terminal.read_only, "input that is refused"
        assert known.accepted + len(payload) <= self.limit, "input beyond the limit"
        known.accepted += len(payload)
        terminal.input += payload
        terminal.waiting += 0 if terminal.reads else len(payload)
        if len(payload) == 1 and payload in SIGNALS:
            terminal.waiting = 0
        self.tell_input()
