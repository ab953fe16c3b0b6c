"""A place in the ring, a window, and what was typed: nothing lost, nothing doubled, and nothing kept for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.terminal_opening import Opening
from jupyter_ws_hub.terminals.binary_client import GAP_TAIL_BYTES, BinaryClient, Known
from jupyter_ws_hub.terminals.input_queue import MAX_BACKLOG_BYTES
from jupyter_ws_hub.terminals.process import ExitStatus
from jupyter_ws_hub.terminals.ring import ByteRing
from jupyter_ws_hub.terminals.sizes import Extent

from ..support.client import until

EPOCH = "ab" * 16
KIB = 1024
SIZE = Extent(24, 80)


@dataclass(eq=False)
class FakeTerminal:
    """A PTY without a process."""

    ring: ByteRing = field(default_factory=lambda: ByteRing(1024 * KIB))
    epoch: str = EPOCH
    exit: ExitStatus | None = None
    extent: Extent = SIZE
    backlog: int = 0
    reads: bool = True
    typed: bytes = b""
    checks: int = 0
    resizes: int = 0

    def feed(self, data: bytes) -> None:
        """Take input."""
        self.typed += data
        self.backlog += 0 if self.reads else len(data)

    def resized(self) -> None:
        """A size has changed."""
        self.resizes += 1

    def check(self) -> None:
        """A client keeps up or not."""
        self.checks += 1

    def detach(self, client: BinaryClient) -> None:
        """A client has left."""
        client.leave()


class Link:
    """One connection, with what its client makes of it."""

    def __init__(
        self, terminal: FakeTerminal, known: Known | None = None, read_only: bool = False, **opening: Any
    ) -> None:
        """Open it."""
        self.frames: list[Any] = []
        self.ends: list[int | None] = []
        self.slow: asyncio.Future[None] | None = None
        self.gone = False
        self.terminal = terminal
        self.client = BinaryClient(
            terminal, known, Opening(client="c", **opening), self.write, self.end, 0.0, read_only
        )
        self.client.start()

    def write(self, frames: Sequence[bytes]) -> asyncio.Future[None] | None:
        """Take frames; the future is done when the socket has them."""
        if self.gone:
            return None
        self.frames += map(wire.decode_server_frame, frames)
        if self.slow is not None:
            return self.slow
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def end(self, code: int | None, reason: str) -> None:
        """The socket is closed."""
        self.ends.append(code)

    def send(self, frame: wire.ClientFrame) -> None:
        """The client says something."""
        self.client.receive(wire.encode(frame))

    def say(self, data: bytes) -> None:
        """The program writes."""
        self.terminal.ring.append(data)
        self.client.pump()

    def of(self, kind: type) -> list[Any]:
        """The frames of a kind."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def welcome(self) -> wire.Welcome:
        """The first frame."""
        assert isinstance(self.frames[0], wire.Welcome) and len(self.of(wire.Welcome)) == 1
        return self.frames[0]

    @property
    def output(self) -> bytes:
        """All bytes of the output."""
        return b"".join(frame.payload for frame in self.of(wire.Data))


async def test_the_first_flight_says_all_and_brings_the_history_without_queries() -> None:
    terminal = FakeTerminal()
    terminal.ring.append(b"$ ask\x1b[6n\r\n$ ")
    link = Link(terminal, sent=7, rows=30, columns=100)
    counts = (0, 13, 7, 7 + MAX_BACKLOG_BYTES)
    assert link.welcome == wire.Welcome(EPOCH, *counts, 24, 80, wire.WINDOW_BYTES, fresh=True)
    assert link.frames[1:] == [wire.Replay(13), wire.Data(b"$ ask\0\0\0\0\r\n$ ")]
    link.say(b"\x1b[6n")
    assert link.frames[-1] == wire.Data(b"\x1b[6n")
    assert link.client.vote().extent == Extent(30, 100)


async def test_a_little_history_begins_with_a_line() -> None:
    terminal = FakeTerminal()
    terminal.ring.append(b"".join(b"line %d\r\n" % n for n in range(1000)))
    link = Link(terminal, history=100)
    assert 80 < len(link.output) <= 100 and link.output.startswith(b"line 9")
    assert link.welcome.start == terminal.ring.head - len(link.output) and Link(terminal, history=0).output == b""


async def test_a_resume_goes_on_at_the_byte_untouched() -> None:
    terminal = FakeTerminal()
    terminal.ring.append(b"before\x1b[6nafter")
    link = Link(terminal, Known(accepted=5, has_met=True), epoch=EPOCH, have=6)
    assert (link.welcome.resumed, link.welcome.fresh, link.welcome.start, link.welcome.accepted) == (True, False, 6, 5)
    assert link.frames[1:] == [wire.Data(b"\x1b[6nafter")]


async def test_until_it_has_said_something_a_client_may_not_have_seen_that_it_is_new() -> None:
    terminal = FakeTerminal()
    first = Link(terminal, sent=5)
    known = first.client.known
    assert first.welcome.fresh and Link(terminal, known, sent=5).welcome.fresh
    again = Link(terminal, known, sent=7)  # it may have sent more on an old connection, which hangs
    assert (again.welcome.fresh, again.welcome.accepted) == (True, 7)
    again.send(wire.Ack(0))
    after = Link(terminal, known, sent=9)
    assert (after.welcome.fresh, after.welcome.accepted) == (False, 7)


async def test_what_a_new_client_has_sent_first_is_not_lost_with_its_connection() -> None:
    terminal = FakeTerminal()
    known = Link(terminal).client.known
    again = Link(terminal, known, epoch=EPOCH, sent=7)
    assert (again.welcome.fresh, again.welcome.accepted) == (False, 0)


async def test_no_more_is_sent_than_the_window_allows() -> None:
    terminal = FakeTerminal()
    link = Link(terminal, window=100 * KIB)
    link.say(bytes(300 * KIB))
    assert len(link.output) == 100 * KIB and link.client.is_behind
    assert all(len(frame.payload) <= 64 * KIB for frame in link.of(wire.Data))
    link.send(wire.Ack(60 * KIB))
    assert len(link.output) == 160 * KIB
    link.send(wire.Ack(10))  # late: it says nothing new
    assert len(link.output) == 160 * KIB
    link.send(wire.Ack(160 * KIB))
    link.send(wire.Ack(260 * KIB))
    assert len(link.output) == 300 * KIB and not link.client.is_behind
    assert terminal.checks == 3


async def test_nobody_can_acknowledge_what_was_not_sent() -> None:
    link = Link(FakeTerminal())
    link.say(b"abc")
    with pytest.raises(RemoteProtocolError) as caught:
        link.send(wire.Ack(4))
    assert caught.value.code is Code.BAD_FRAME


async def test_one_write_is_under_way_at_a_time_and_what_is_urgent_goes_first_afterwards() -> None:
    terminal = FakeTerminal()
    link = Link(terminal)
    link.slow = asyncio.get_running_loop().create_future()
    link.say(b"a")
    for n in range(1000):
        link.send(wire.Ping(n.to_bytes(8)))
        link.say(b"b")
    assert len(link.frames) == 2  # welcome and "a"
    done, link.slow = link.slow, None
    done.set_result(None)
    await until(lambda: len(link.frames) > 2, "the rest")
    assert link.frames[2:] == [wire.Pong((999).to_bytes(8)), wire.Data(b"b" * 1000)]


async def test_who_is_too_slow_for_the_ring_is_told_what_is_missing_and_gets_the_end() -> None:
    terminal = FakeTerminal()
    link = Link(terminal, window=64 * KIB)
    line = b"0123456789\x1b[6n\r\n"
    link.say(line * (70 * KIB // len(line)))
    seen = len(link.output)
    for _ in range(40):  # over and over again
        link.say(line * (100 * KIB // len(line)))
    assert len(link.output) == seen == 64 * KIB and not link.of(wire.Gap)
    link.frames.clear()
    link.send(wire.Ack(seen))
    gap, replay = link.frames[:2]
    head = terminal.ring.head
    assert gap.begin == seen and head - GAP_TAIL_BYTES <= gap.until <= head - GAP_TAIL_BYTES + len(line)
    assert replay == wire.Replay(head)
    assert len(link.output) <= 16 * KIB, "the past comes in slices, with turns of others in between"

    def is_there() -> bool:
        link.send(wire.Ack(gap.until + len(link.output)))
        return bool(len(link.output) == head - gap.until)

    await until(is_there, "the end")
    assert link.output.startswith(b"0123456789\0\0\0\0\r\n") and b"\x1b" not in link.output


async def test_input_is_typed_counted_and_acknowledged() -> None:
    terminal = FakeTerminal()
    link = Link(terminal)
    link.send(wire.Data(b"ls"))
    link.send(wire.Data(b"\r"))
    assert terminal.typed == b"ls\r"
    link.say(b"ls\r\n")
    assert link.frames[-2:] == [wire.InputAck(3, 3 + MAX_BACKLOG_BYTES), wire.Data(b"ls\r\n")]
    link.send(wire.Data(b"x"))
    await until(lambda: link.frames[-1] == wire.InputAck(4, 4 + MAX_BACKLOG_BYTES), "an acknowledgement by itself")
    assert len(link.of(wire.InputAck)) == 2


async def test_input_that_nobody_reads_is_limited_and_the_room_is_told() -> None:
    terminal = FakeTerminal(backlog=MAX_BACKLOG_BYTES - 100, reads=False)
    link = Link(terminal)
    assert link.welcome.input_limit == 100
    link.send(wire.Data(bytes(100)))
    await until(lambda: link.of(wire.InputAck) == [wire.InputAck(100, 100)], "an acknowledgement without more room")
    with pytest.raises(RemoteProtocolError) as caught:
        link.send(wire.Data(b"x"))
    assert caught.value.code is Code.TOO_BIG
    terminal.backlog -= 10
    link.client.input_read()
    assert len(link.of(wire.InputAck)) == 1  # a little room is not worth a frame
    terminal.backlog = 0
    link.client.input_read()
    assert link.frames[-1] == wire.InputAck(100, 100 + MAX_BACKLOG_BYTES)


async def test_who_only_watches_is_told_so_and_types_nothing() -> None:
    terminal = FakeTerminal()
    link = Link(terminal, read_only=True)
    assert link.welcome.read_only
    link.send(wire.Data(b"rm"))
    assert terminal.typed == b"" and link.frames[-1].code == Code.FORBIDDEN


async def test_an_unknown_frame_is_answered_and_a_broken_one_is_not_survived() -> None:
    link = Link(FakeTerminal())
    link.client.receive(b"\x63what?")
    assert link.frames[-1].code == Code.UNKNOWN_TYPE
    for frame in (b"", b"\x02", b"\x04\0\0", "text", bytes(64 * KIB + 2)):
        with pytest.raises(RemoteProtocolError):
            link.client.receive(frame)


async def test_the_end_comes_after_the_last_byte() -> None:
    terminal = FakeTerminal()
    link = Link(terminal, window=64 * KIB)
    link.say(bytes(100 * KIB))
    terminal.exit = ExitStatus(137, 9)
    link.client.pump()
    assert link.ends == [] and not link.of(wire.Exit)
    link.send(wire.Ack(64 * KIB))
    assert len(link.output) == 100 * KIB
    assert link.frames[-1] == wire.Exit(137, 9, 100 * KIB) and link.ends == [NORMAL_CLOSURE]
    link.send(wire.Data(b"too late"))
    assert terminal.typed == b""


async def test_a_superseded_connection_says_nothing_more() -> None:
    terminal = FakeTerminal()
    link = Link(terminal)
    link.send(wire.Data(b"a"))
    link.client.supersede()
    assert link.ends == [Code.SUPERSEDED]
    link.send(wire.Data(b"b"))
    before = len(link.frames)
    link.say(b"output")
    await asyncio.sleep(0.05)  # longer than an acknowledgement waits
    assert (terminal.typed, len(link.frames)) == (b"a", before)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.binary(max_size=3000)),
        st.tuples(st.just("type"), st.binary(max_size=200)),
        st.tuples(st.just("ack"), st.floats(0, 1)),
        st.tuples(st.just("cut"), st.floats(0, 1)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(ACTIONS)
def test_no_byte_is_lost_or_doubled_by_cuts_in_either_direction(actions: list[tuple[str, Any]]) -> None:
    asyncio.run(live_through(actions))


async def live_through(actions: list[tuple[str, Any]]) -> None:
    """A client's life; in the end both sides have what the other has written."""
    terminal = FakeTerminal(ring=ByteRing(1 << 20))
    link = Link(terminal, window=16 * KIB)
    said, typed, got, sent = b"", b"", b"", 0
    taken = 0  # frames of the connection that the client has seen

    def receive(share: float) -> None:
        nonlocal got, taken
        upto = taken + int((len(link.frames) - taken) * share)
        got += b"".join(f.payload for f in link.frames[taken:upto] if isinstance(f, wire.Data))
        taken = upto

    for kind, argument in actions:
        match kind:
            case "say":
                said += argument
                link.say(argument)
            case "type":
                typed += argument
                link.send(wire.Data(argument))
                sent = len(typed)
            case "ack":
                receive(argument)
                link.send(wire.Ack(len(got)))
            case "cut":
                receive(argument)
                known = link.client.known
                link.client.supersede()
                known.accepted -= int((known.accepted) * argument / 2)  # as if the last frames had never arrived
                terminal.typed = terminal.typed[: known.accepted]
                link = Link(terminal, known, epoch=EPOCH, have=len(got), sent=sent, window=16 * KIB)
                taken = 0
                if typed[link.welcome.accepted :]:
                    link.send(wire.Data(typed[link.welcome.accepted :]))
    while len(got) < len(said):
        receive(1.0)
        link.send(wire.Ack(len(got)))
    receive(1.0)
    assert got == said
    assert terminal.typed == typed
