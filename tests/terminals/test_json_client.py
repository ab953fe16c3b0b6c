"""A JSON client of a terminal, on a PTY of hooks: what it is sent, what it may send, and how it leaves."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, RemoteProtocolError
from jupyter_ws_hub.terminals.json_client import MAX_PENDING_CHARACTERS, JsonClient

from ..support.fakes import turns, until

ODD_TEXT = 'a"\\/\b\x1b[0m\r\n\x00äß😀\u2028\ufffd'
SETUP = '["setup", {}]'


class FakeProcess:
    """A process behind a PTY; `on_write` is the hook."""

    def __init__(self) -> None:
        """Take everything."""
        self.input: list[str] = []
        self.on_write: Callable[[str], None] = lambda text: None

    def write(self, text: str) -> int:
        """What ptyprocess does: encode, then write, and block where the terminal does not read."""
        data = text.encode()
        self.on_write(text)
        self.input.append(text)
        return len(data)


class FakePty:
    """What is used of terminado's PtyWithClients; `sizes` are those of the clients at each resize."""

    def __init__(self, *history: str) -> None:
        """Begin with some output that was there before."""
        self.clients: list[Any] = []
        self.read_buffer = deque(history, maxlen=1000)
        self.ptyproc = FakeProcess()
        self.sizes: list[list[tuple[int | None, int | None]]] = []

    def resize_to_smallest(self) -> None:
        """Note the sizes."""
        self.sizes.append([client.size for client in self.clients])

    def say(self, text: str) -> None:
        """Output, as terminado's manager hands it on."""
        self.read_buffer.append(text)
        for client in self.clients:
            client.on_pty_read(text)

    def die(self) -> None:
        """The end, as terminado's manager tells it."""
        for client in self.clients:
            client.on_pty_died()


class Socket:
    """A client with its socket and manager. While `taking` is not set the socket takes nothing."""

    def __init__(self, pty: FakePty) -> None:
        """Make the client."""
        self.pty = pty
        self.blocking_io_executor = ThreadPoolExecutor(1)
        self.disconnected: list[Any] = []
        self.frames: list[str] = []
        self.ends: list[tuple[int | None, str]] = []
        self.activity = 0
        self.broken = False
        self.taking = asyncio.Event()
        self.taking.set()
        self.client = JsonClient(pty, self, self.write, lambda *end: self.ends.append(end), self.active)

    def client_disconnected(self, websocket: Any) -> None:
        """See Manager."""
        self.disconnected.append(websocket)

    def active(self) -> None:
        """Count."""
        self.activity += 1

    async def write(self, text: str) -> bool:
        """Take a frame when the socket takes any; False when it is gone."""
        await self.taking.wait()
        if not self.broken:
            self.frames.append(text)
        return not self.broken

    async def settled(self) -> list[str]:
        """All frames, when nothing more happens by itself."""
        await turns()
        return self.frames

    @property
    def output(self) -> str:
        """All output that was sent."""
        return "".join(content for kind, content in map(json.loads, self.frames) if kind == "stdout")


@asynccontextmanager
async def joined(*history: str) -> AsyncIterator[Socket]:
    """A client that has joined a terminal, and leaves it at the end."""
    socket = Socket(FakePty(*history))
    socket.client.start()
    try:
        yield socket
    finally:
        socket.client.closed()
        socket.blocking_io_executor.shutdown()
        await turns()


async def test_setup_comes_first_then_the_history_as_one_message() -> None:
    async with joined("one\r\n", "", "two\r\n") as socket:
        assert await socket.settled() == [SETUP, json.dumps(["stdout", "one\r\ntwo\r\n"])]
        assert socket.pty.clients == [socket.client]


async def test_without_a_history_there_is_setup_only() -> None:
    async with joined() as socket:
        assert await socket.settled() == [SETUP]


async def test_setup_comes_first_though_output_comes_before_it_is_written() -> None:
    async with joined("old ") as socket:
        socket.pty.say("new")
        await socket.settled()
        assert socket.frames[0] == SETUP
        assert socket.output == "old new"


async def test_output_is_sent_in_order_and_nothing_twice() -> None:
    async with joined("0,") as socket:
        for number in range(1, 200):
            socket.pty.say(f"{number},")
            if number % 7 == 0:
                await turns(number % 3)
        await socket.settled()
        assert socket.output == "".join(f"{number}," for number in range(200))


async def test_output_is_written_as_terminado_writes_it_byte_for_byte() -> None:
    async with joined() as socket:
        await socket.settled()
        for text in (ODD_TEXT, "\ud83d", "x" * 70_000):
            socket.pty.say(text)
            assert (await socket.settled())[-1] == json.dumps(["stdout", text])


async def test_what_a_slow_socket_does_not_take_at_once_is_joined() -> None:
    async with joined() as socket:
        await socket.settled()
        socket.taking.clear()
        for text in "abcdef":
            socket.pty.say(text)
            await turns(2)
        socket.taking.set()
        await socket.settled()
        assert socket.frames[1:] == [json.dumps(["stdout", "a"]), json.dumps(["stdout", "bcdef"])]


async def test_a_client_that_lets_too_much_wait_is_ended_and_holds_nothing() -> None:
    async with joined() as socket:
        await socket.settled()
        socket.taking.clear()
        for _ in range(100):
            socket.pty.say("x" * (MAX_PENDING_CHARACTERS // 20))
            await turns(2)
            assert sum(map(len, socket.client._pending)) <= MAX_PENDING_CHARACTERS
        assert [code for code, _ in socket.ends] == [Code.SLOW_CONSUMER]
        assert list(socket.client._pending) == []
        socket.taking.set()
        await socket.settled()
        assert len(socket.output) <= MAX_PENDING_CHARACTERS


async def test_a_client_that_keeps_up_is_never_ended_however_much_there_is() -> None:
    async with joined() as socket:
        for _ in range(50):
            socket.pty.say("x" * (MAX_PENDING_CHARACTERS // 10))
            await turns(3)
        await socket.settled()
        assert socket.ends == []
        assert len(socket.output) == 50 * (MAX_PENDING_CHARACTERS // 10)


async def test_a_long_history_is_sent_and_not_held_against_the_client() -> None:
    chunk = "x" * 65_536
    async with joined(*[chunk] * 100) as socket:
        await socket.settled()
        assert socket.ends == []
        assert socket.output.endswith(chunk)
        socket.pty.say("more")
        await socket.settled()
        assert socket.output.endswith("more")


async def test_the_end_of_the_terminal_comes_after_its_last_output_and_has_no_code_as_terminados() -> None:
    async with joined() as socket:
        await socket.settled()
        socket.taking.clear()
        socket.pty.say("first")
        await turns()
        socket.pty.say("last words")
        socket.pty.die()
        await turns()
        assert socket.ends == []
        socket.taking.set()
        assert (await socket.settled())[1:] == [
            json.dumps(["stdout", "first"]),
            json.dumps(["stdout", "last words"]),
            '["disconnect", 1]',
        ]
        assert socket.ends == [(None, "")]


async def test_the_end_is_told_once_and_after_it_nothing_is_sent() -> None:
    async with joined() as socket:
        socket.pty.die()
        socket.pty.die()
        socket.pty.say("too late")
        await socket.settled()
        socket.pty.die()
        assert await socket.settled() == [SETUP, '["disconnect", 1]']
        assert len(socket.ends) == 1


async def test_a_socket_that_is_gone_is_not_written_to_again() -> None:
    async with joined() as socket:
        socket.broken = True
        socket.pty.say("x")
        assert await socket.settled() == []
        assert socket.ends == []


async def test_input_is_written_in_order_and_counts_as_activity() -> None:
    async with joined() as socket:
        for text in ("ls", "\r", ODD_TEXT):
            await socket.client.receive(json.dumps(["stdin", text]))
        assert socket.pty.ptyproc.input == ["ls", "\r", ODD_TEXT]
        assert socket.activity == 3
        socket.pty.say("out")
        assert socket.activity == 4


async def test_input_that_the_terminal_does_not_take_holds_up_its_sender_and_not_the_loop() -> None:
    async with joined() as socket:
        loop, reading = asyncio.get_running_loop(), asyncio.Event()
        started: list[str] = []

        def block(text: str) -> None:
            started.append(text)
            asyncio.run_coroutine_threadsafe(reading.wait(), loop).result(5)

        socket.pty.ptyproc.on_write = block
        writing = asyncio.ensure_future(socket.client.receive('["stdin", "x"]'))
        await until(lambda: bool(started))
        socket.pty.say("the loop goes on")
        await socket.settled()
        assert socket.output == "the loop goes on"
        assert not writing.done()
        reading.set()
        await asyncio.wait_for(writing, 5)


@pytest.mark.parametrize("error", [OSError("gone"), EOFError("gone")])
async def test_input_for_a_terminal_that_does_not_take_it_any_more_is_an_error(error: Exception) -> None:
    def fail(text: str) -> None:
        raise error

    async with joined() as socket:
        socket.pty.ptyproc.on_write = fail
        with pytest.raises(HubError) as caught:
            await socket.client.receive('["stdin", "x"]')
        assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("frame", ['["set_size", 24, 80]', '["set_size", 24, 80, 480, 640]', '["set_size",24,80,0,0]'])
async def test_the_size_is_kept_and_the_terminal_has_the_smallest(frame: str) -> None:
    async with joined() as socket:
        assert all(length is None for length in socket.client.size)
        await socket.client.receive(frame)
        assert socket.pty.sizes == [[(24, 80)]]
        await socket.client.receive('["set_size", null, null, 0, 0]')
        assert socket.pty.sizes[1:] == [[(None, None)]]


BAD = """
    nonsense
    {}
    []
    "stdin"
    null
    ["stdin"]
    ["stdin", 1]
    ["stdin", null]
    ["stdin", ["x"]]
    ["stdin", "\\ud800"]
    ["set_size"]
    ["set_size", 24]
    ["set_size", 24, "80"]
    ["set_size", 24, null]
    ["set_size", 0, 80]
    ["set_size", -1, 80]
    ["set_size", 24, 65536]
    ["set_size", 24.5, 80]
    ["set_size", 1e999, 80]
"""

UNKNOWN = ['["stdout", "x"]', '["setup", {}]', "[1, 2]", "[null, null]", '[["stdin"], "x"]', '[{"stdin": "x"}, "x"]']


@pytest.mark.parametrize("frame", [*map(str.strip, BAD.strip().splitlines()), "", b'["stdin", "x"]', "[" * 100_000])
async def test_a_message_that_terminado_cannot_take_breaks_the_protocol(frame: str | bytes) -> None:
    async with joined() as socket:
        with pytest.raises(RemoteProtocolError) as caught:
            await socket.client.receive(frame)
        assert caught.value.code is Code.BAD_FRAME
        assert len(caught.value.message) < 300
        assert socket.pty.ptyproc.input == [] and socket.client.size == (None, None)


@pytest.mark.parametrize("frame", UNKNOWN)
async def test_a_message_of_another_kind_is_ignored_as_by_terminado(frame: str) -> None:
    async with joined() as socket:
        await socket.client.receive(frame)
        assert socket.pty.ptyproc.input == [] and socket.client.size == (None, None) and socket.ends == []


async def test_what_comes_after_the_end_of_the_terminal_is_ignored() -> None:
    async with joined() as socket:
        socket.pty.die()
        await socket.client.receive('["stdin", "x"]')
        await socket.client.receive('["set_size", 24, 80]')
        assert socket.pty.ptyproc.input == [] and socket.pty.sizes == []


async def test_who_leaves_gives_the_others_their_size_back() -> None:
    pty = FakePty()
    big, small = Socket(pty), Socket(pty)
    for socket, size in ((big, 100), (small, 20)):
        socket.client.start()
        await socket.client.receive(f'["set_size", {size}, {size}]')
    small.client.closed()
    assert pty.clients == [big.client]
    assert pty.sizes[-1] == [(100, 100)]
    pty.say("for who is left")
    assert (await big.settled())[-1] == json.dumps(["stdout", "for who is left"])
    assert small.output == ""
    big.client.closed()
    await turns()


async def test_leaving_twice_is_leaving_once() -> None:
    async with joined() as socket:
        await socket.settled()
        socket.client.closed()
        socket.client.closed()
        assert socket.pty.clients == []
        assert socket.disconnected == [socket.client]
        assert len(socket.pty.sizes) == 1


@pytest.mark.parametrize("leave", ["before it is joined", "after its end"])
async def test_leaving_is_always_possible(leave: str) -> None:
    socket = Socket(FakePty("history"))
    if leave == "after its end":
        socket.client.start()
        socket.pty.die()
        await socket.settled()
    socket.client.closed()
    await turns()
    assert socket.disconnected == [socket.client]
    await socket.client.receive('["stdin", "x"]')
    assert socket.pty.ptyproc.input == []


async def test_who_has_left_is_sent_nothing_more() -> None:
    async with joined("history") as socket:
        socket.taking.clear()
        await turns()
        socket.client.closed()
        socket.client.on_pty_read("late")
        socket.taking.set()
        assert await socket.settled() == []
