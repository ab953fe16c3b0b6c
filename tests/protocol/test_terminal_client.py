"""The client's state machine against a small model of the server: whatever is cut, split, late or doubled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.terminal_client import (
    PATIENCE,
    PING_INTERVAL_S,
    PONG_TIMEOUT_S,
    Cleared,
    Event,
    Joined,
    Output,
    TerminalClient,
)

from ..support.terminal_model import ModelConnection, ModelTerminal

WINDOW = wire.MIN_WINDOW_BYTES


def welcome(**fields: Any) -> bytes:
    plain: dict[str, Any] = {
        "epoch": "00" * 16,
        "start": 0,
        "head": 0,
        "accepted": 0,
        "input_limit": 1000,
        "rows": 24,
        "columns": 80,
    }
    return wire.encode(wire.Welcome(**(plain | {"window": WINDOW} | fields)))


def joined(**fields: Any) -> TerminalClient:
    client = TerminalClient("me", window=WINDOW)
    client.query()
    client.receive(welcome(**fields), 0.0)
    return client


def sent(client: TerminalClient, now_s: float) -> list[wire.ClientFrame]:
    return [wire.decode_client_frame(frame) for frame in client.frames(now_s)]


class World:
    """A client, a terminal, a connection with frames on the way, and perhaps a second one beside it."""

    def __init__(self, terminal: ModelTerminal, **options: Any) -> None:
        self.terminal = terminal
        self.client = TerminalClient("me", window=WINDOW, **options)
        self.now_s = 0.0
        self.screen = bytearray()
        self.typed = bytearray()
        self.cleared: list[int] = []
        self.lost_input = 0
        self.exits: list[wire.Exit] = []
        self.unconsumed: deque[int] = deque()
        self.current: ModelConnection | None = None
        self.beside: ModelConnection | None = None
        self.up: deque[bytes] = deque()

    def dial(self) -> None:
        """Ask for a connection; it becomes the current one with its WELCOME."""
        made = self.terminal.connect(self.client.query())
        assert isinstance(made, ModelConnection)
        self.beside = made

    def cut(self) -> None:
        """What is on its way is lost."""
        self.client.lost()
        self.current = None
        self.up.clear()

    def switch(self) -> None:
        """The first frame of the second connection arrives."""
        if self.beside is not None:
            self.current, self.beside = self.beside, None
            self.up.clear()
            self.note(self.client.receive(self.current.outgoing.popleft(), self.now_s))

    def type(self, data: bytes) -> None:
        taken = self.client.feed(data)
        self.typed += data[:taken]

    def send(self) -> None:
        if self.current is not None:
            self.up.extend(self.client.frames(self.now_s))

    def to_server(self, count: int) -> None:
        for _ in range(min(count, len(self.up))):
            assert self.current is not None
            self.current.receive(self.up.popleft())

    def to_client(self, count: int) -> None:
        if self.current is not None:
            for _ in range(min(count, len(self.current.outgoing))):
                self.note(self.client.receive(self.current.outgoing.popleft(), self.now_s))

    def pump(self, piece: int) -> None:
        """The server sends some output, also on the connection that has not been welcomed."""
        for connection in (self.current, self.beside):
            if connection is not None and not connection.superseded:
                connection.pump(piece)

    def note(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Output(data, until):
                    self.screen += data
                    self.unconsumed.append(until)
                case Joined():
                    self.lost_input += event.lost_input
                case Cleared(missing):
                    self.cleared.append(missing)
                    del self.screen[:]
                case wire.Exit():
                    self.exits.append(event)

    def consume(self, count: int) -> None:
        for _ in range(min(count, len(self.unconsumed))):
            self.client.consumed(self.unconsumed.popleft(), self.now_s)

    def settle(self) -> None:
        """The network is whole from now on."""
        self.cut()
        self.dial()
        self.switch()
        for _ in range(400):
            self.now_s += 0.06
            self.pump(wire.MAX_DATA_BYTES)
            self.send()
            self.to_server(len(self.up))
            self.to_client(1000)
            self.consume(1000)
        assert self.client.backlog == 0


class Step:
    """One thing that happens, by name; its number says how much of it."""

    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count

    def __repr__(self) -> str:
        return f"{self.name}({self.count})"

    def __call__(self, world: World) -> None:
        count = self.count
        {
            "type": lambda: world.type(bytes((len(world.typed) + i) % 251 for i in range(count))),
            "signal": lambda: world.type(b"\x03"),
            "print": lambda: world.terminal.output.extend(bytes((i * 7) % 253 for i in range(count * 300))),
            "pump": lambda: world.pump(count * 97),
            "send": world.send,
            "to_server": lambda: world.to_server(count % 7),
            "to_client": lambda: world.to_client(count % 7),
            "consume": lambda: world.consume(count % 7),
            "wait": lambda: setattr(world, "now_s", world.now_s + count / 50),
            "dial": world.dial,
            "switch": world.switch,
            "cut": world.cut,
            "trim": lambda: setattr(
                world.terminal, "tail", max(world.terminal.tail, len(world.terminal.output) - count)
            ),
            "forget": world.terminal.forget,
        }[self.name]()


def steps(*names: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.builds(Step, st.sampled_from(names), st.integers(1, 300)), max_size=80)


USUAL = ("type", "print", "pump", "send", "to_server", "to_client", "consume", "wait", "dial", "switch", "cut")
BUSY = (*USUAL, "send", "to_server", "to_client", "type")


def run(world: World, path: list[Step]) -> World:
    world.dial()
    world.switch()
    for step in path:
        step(world)
    world.settle()
    return world


@settings(max_examples=300, deadline=None)
@given(steps(*BUSY), st.integers(20, 2000))
def test_nothing_is_lost_and_nothing_doubled_whatever_is_cut(path: list[Step], room: int) -> None:
    world = run(World(ModelTerminal(room=room), keys=False), path)
    assert world.screen == world.terminal.output
    assert world.terminal.input == world.typed
    assert (world.cleared, world.lost_input) == ([], 0)


@settings(max_examples=150, deadline=None)
@given(steps(*BUSY, "trim"))
def test_what_the_ring_has_forgotten_is_told_and_the_rest_is_whole(path: list[Step]) -> None:
    world = run(World(ModelTerminal()), path)
    assert world.terminal.output.endswith(world.screen)
    assert world.cleared or world.screen == world.terminal.output
    assert world.terminal.input == world.typed


@settings(max_examples=150, deadline=None)
@given(steps(*BUSY, "forget"))
@example(
    [Step(name, 1) for name in ("type", "send", "forget", "type", "dial", "send")]
)  # more is sent on the old connection while a new one's WELCOME is on its way, and lost
def test_a_server_that_has_forgotten_the_client_gets_nothing_twice(path: list[Step]) -> None:
    terminal = ModelTerminal()
    world = run(World(terminal, keys=False), path)
    assert len(world.typed) - world.lost_input <= len(terminal.input) <= len(world.typed)
    rest = iter(world.typed)
    assert all(byte in rest for byte in terminal.input), "in order, with holes"


@settings(max_examples=150, deadline=None)
@given(steps(*BUSY, "signal"))
def test_signals_arrive_in_order_where_nothing_is_held_back(path: list[Step]) -> None:
    world = run(World(ModelTerminal(room=1_000_000)), path)
    assert world.terminal.input == world.typed


def test_a_signal_gets_through_to_a_program_that_does_not_read() -> None:
    world = World(ModelTerminal(room=100, reads=False))
    world.dial()
    world.switch()
    world.type(b"x" * 1000)
    world.send()
    world.to_server(10)
    world.to_client(10)
    assert world.terminal.waiting > 0
    world.type(b"\x03")
    world.send()
    world.to_server(10)
    assert world.terminal.input.endswith(b"\x03") and world.terminal.waiting == 0


def test_the_query_says_what_a_resume_needs() -> None:
    client = TerminalClient("me", history=500)
    client.resize(30, 100)
    assert client.query() == {"client": "me", "history": "500", "rows": "30", "columns": "100"}
    client.receive(welcome(start=7, epoch="ab" * 16, window=wire.WINDOW_BYTES), 0)
    client.receive(wire.encode(wire.Data(b"12345")), 0)
    client.feed(b"abc")
    client.frames(0)
    query = client.query()
    assert (query["epoch"], query["have"], query["sent"]) == ("ab" * 16, "12", "3")
    assert int(query["window"]) == wire.WINDOW_BYTES - 5
    assert "history" not in query


def test_output_is_acknowledged_at_an_eighth_of_the_window_or_after_50_ms() -> None:
    client = joined()
    client.receive(wire.encode(wire.Data(bytes(5000))), 1.0)
    assert sent(client, 1.0) == []
    client.consumed(WINDOW // 8, 1.0)
    assert sent(client, 1.0) == [wire.Ack(WINDOW // 8)]
    client.consumed(WINDOW // 8 + 1, 1.1)
    assert sent(client, 1.1) == []
    assert client.next_s(1.1) == pytest.approx(1.15)
    client.consumed(WINDOW // 8 + 2, 1.14)
    assert sent(client, 1.151) == [wire.Ack(WINDOW // 8 + 2)]
    assert sent(client, 2.0) == []


def test_a_second_connection_is_not_told_that_more_was_consumed_than_it_has_sent() -> None:
    client = joined()
    client.query()
    client.receive(wire.encode(wire.Data(bytes(9000))), 0.1)
    client.consumed(9000, 0.1)
    client.receive(welcome(resumed=True), 0.2)
    assert sent(client, 1.0) == []
    assert client.receive(wire.encode(wire.Data(bytes(1000))), 1.1) == []
    assert sent(client, 1.1) == []
    assert sent(client, 1.2) == [wire.Ack(1000)]
    assert client.receive(wire.encode(wire.Data(bytes(8001))), 1.3) == [Output(b"\0", 9001)]


def test_what_cannot_be_resumed_is_cleared_and_counted_anew() -> None:
    client = joined()
    client.receive(wire.encode(wire.Data(bytes(100))), 0)
    events = client.receive(welcome(start=1000, head=2000), 1)
    assert events[1:] == [Cleared(900)]
    events = client.receive(welcome(start=1010, head=2000, resumed=True), 1)
    assert events[1:] == [Cleared(10)], "a server that leaves something out"
    client.receive(welcome(start=1000, head=2000), 1)
    assert client.have == 1000
    assert client.receive(wire.encode(wire.Gap(1000, 1500)), 1) == [Cleared(500)]
    assert client.receive(wire.encode(wire.Data(b"x")), 1) == [Output(b"x", 1501)]


def test_pings_are_answered_and_sent_and_silence_is_noticed() -> None:
    client = joined()
    client.receive(wire.encode(wire.Ping(b"01234567")), 0)
    assert sent(client, 0) == [wire.Pong(b"01234567")]
    assert client.next_s(0) == PING_INTERVAL_S
    (ping,) = sent(client, PING_INTERVAL_S)
    assert isinstance(ping, wire.Ping)
    late = PING_INTERVAL_S + PONG_TIMEOUT_S
    assert client.next_s(PING_INTERVAL_S) == late
    assert not client.wants_second(late - 0.01)
    assert client.wants_second(late)
    assert sent(client, late + 100) == [], "one ping is enough"
    client.receive(wire.encode(wire.Pong(ping.data)), late)
    assert not client.wants_second(late + 1)


def test_input_that_nobody_takes_is_noticed() -> None:
    client = joined()
    client.feed(b"abc")
    client.frames(1.0)
    assert not client.wants_second(2.9)
    assert client.wants_second(3.0)
    client.receive(wire.encode(wire.InputAck(2, 1000)), 3.0)
    assert not client.wants_second(4.9)
    assert client.wants_second(5.0)
    client.receive(wire.encode(wire.InputAck(3, 1000)), 5.0)
    assert not client.wants_second(9.0)


def test_a_slow_line_is_not_taken_for_a_dead_one_but_not_for_ever() -> None:
    client = joined()
    client.feed(b"abc")
    client.frames(0.0)
    wanted_s = next(s for s in range(1, 100) if heard(client, float(s)).wants_second(float(s)))
    assert wanted_s == PATIENCE * wire.ACK_TIMEOUT_S


def heard(client: TerminalClient, now_s: float) -> TerminalClient:
    client.receive(wire.encode(wire.Data(b"x")), now_s)
    return client


def test_a_new_size_is_told_once_and_not_where_the_query_has_told_it() -> None:
    client = TerminalClient("me")
    client.resize(24, 80)
    client.query()
    client.receive(welcome(), 0)
    assert sent(client, 0) == []
    client.resize(50, 80, 1, 2)
    assert sent(client, 0) == [wire.Resize(50, 80, 1, 2)]
    assert sent(client, 0) == []


def test_bye_is_the_last_frame() -> None:
    client = joined()
    client.feed(b"abc")
    client.bye()
    assert sent(client, 0) == [wire.Data(b"abc"), wire.Bye()]
    assert client.frames(10) == [] and not client.connected


def test_a_watcher_types_nothing() -> None:
    client = joined(read_only=True)
    assert client.feed(b"\x03") == 1 and client.feed(b"abc") == 3
    assert sent(client, 0) == []


def test_the_exit_is_told_and_kept() -> None:
    client = joined()
    assert client.receive(wire.encode(wire.Exit(3, 0, 0)), 0) == [wire.Exit(3, 0, 0)] == [client.exit]


def test_unknown_frames_are_ignored_and_others_handed_on() -> None:
    client = joined()
    assert client.receive(b"\x63", 0) == []
    for frame in (wire.Size(1, 2), wire.Replay(5), wire.Error(4507, "what?")):
        assert client.receive(wire.encode(frame), 0) == [frame]


@pytest.mark.parametrize(
    ("make", "frame", "code"),
    [
        (lambda: TerminalClient("me"), wire.encode(wire.Data(b"x")), Code.BAD_FRAME),
        (joined, welcome(epoch="11" * 16), Code.NOT_FOUND),
        (joined, welcome(accepted=1), Code.BAD_FRAME),
        (joined, wire.encode(wire.InputAck(1, 1)), Code.BAD_FRAME),
        (joined, b"", Code.BAD_FRAME),
    ],
    ids=["no welcome", "another terminal", "input never sent", "input not sent", "empty"],
)
def test_what_breaks_the_protocol_is_an_error(make: Callable[[], TerminalClient], frame: bytes, code: Code) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        make().receive(frame, 0.0)
    assert caught.value.code is code
