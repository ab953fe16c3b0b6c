"""What is read and written on the socket itself: whole, in order, bounded, and ended like any other WebSocket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, WebSocketProtocol
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from jupyter_ws_hub.handlers.direct import DirectProtocol, directly
from jupyter_ws_hub.handlers.direct_stream import DirectStream
from jupyter_ws_hub.handlers.framing import binary_messages, masked_bytes, whole_messages

from ..support.client import WAIT_S, until

LIMIT = 1024 * 1024


class Server:
    """A Tornado server whose handler keeps what it is told."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.messages: list[str | bytes] = []
        self.handlers: list[Handler] = []
        self.closed: list[tuple[int | None, str | None]] = []
        self.fail = False
        self.port = 0


class Handler(WebSocketHandler):
    """Keeps what comes, and writes what a test says."""

    def initialize(self, server: Server) -> None:
        """Belong to a server."""
        self.server = server

    @property
    def max_message_size(self) -> int:
        """A small one."""
        return LIMIT

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Directly."""
        return directly(super().get_websocket_protocol())

    def open(self, *args: str, **kwargs: str) -> None:
        """Be there."""
        self.server.handlers.append(self)

    def on_message(self, message: str | bytes) -> None:
        """Keep it."""
        if self.server.fail:
            raise RuntimeError("the handler fails")
        self.server.messages.append(message)

    def on_close(self) -> None:
        """Keep how it ended."""
        self.server.closed.append((self.close_code, self.close_reason))

    def put(self, *payloads: bytes) -> asyncio.Future[None]:
        """Write."""
        connection: Any = self.ws_connection
        future: asyncio.Future[None] = connection.stream.write(binary_messages(payloads))
        return future

    @property
    def stream(self) -> Any:
        """What the connection reads and writes."""
        connection: Any = self.ws_connection
        return connection.stream


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    http = HTTPServer(Application([("/", Handler, {"server": server})]))
    sockets = bind_sockets(0, "127.0.0.1")
    http.add_sockets(sockets)
    server.port = sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        http.stop()
        await http.close_all_connections()


@asynccontextmanager
async def joined(server: Server, **options: Any) -> AsyncIterator[tuple[ClientConnection, Handler]]:
    """A client that has said something: only then the socket is taken over."""
    async with connect(f"ws://127.0.0.1:{server.port}/", compression=None, max_size=None, **options) as client:
        await client.send(b"first")
        await until(lambda: b"first" in server.messages, "the first message")
        server.messages.clear()
        assert isinstance(server.handlers[-1].stream, DirectStream)
        yield client, server.handlers[-1]


async def test_messages_of_all_sizes_arrive_whole_and_in_order() -> None:
    async with serving() as server, joined(server) as (client, _):
        sent: list[str | bytes] = [b"", b"k", "text é", *(os.urandom(n) for n in (125, 126, 4096, 65535, 65536, LIMIT))]
        for message in sent:
            await client.send(message)
        await client.send([b"in ", b"three ", b"pieces"])
        await until(lambda: len(server.messages) == len(sent) + 1, "all messages")
        assert server.messages == [*sent, b"in three pieces"]


async def test_what_came_with_the_handshake_is_not_lost() -> None:
    """Tornado reads as much as it can: the first frames may be in its buffer."""
    async with serving() as server, connect(f"ws://127.0.0.1:{server.port}/", compression=None) as client:
        sent = [os.urandom(n) for n in (1, 50_000, 3, 200_000, 1)]
        for message in sent:
            await client.send(message)
        await until(lambda: len(server.messages) == len(sent), "all messages")
        assert server.messages == sent


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.data())
def test_it_does_not_matter_how_the_bytes_are_cut(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(Frame(Opcode.BINARY, m).serialize(mask=True) for m in messages)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=8)))
    asyncio.run(send_in_pieces(messages, stream, cuts))


async def send_in_pieces(messages: list[bytes], stream: bytes, cuts: list[int]) -> None:
    """Give a protocol a stream in pieces, without a socket."""
    got: list[bytes] = []
    protocol = DirectProtocol.__new__(DirectProtocol)
    protocol.client_terminated = False
    protocol.prepare(LIMIT)
    protocol.stream = SimpleNamespace(pause=lambda: None, resume=lambda: None, closed=lambda: False)
    protocol.server_terminated = False
    protocol.__dict__["_handle_message"] = lambda opcode, message: got.append(message)
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if begin < end:
            half_read = protocol._take(stream[begin:end])
    assert got == messages and not half_read


def test_whole_messages_are_read_the_short_way_and_nothing_else() -> None:
    whole = Frame(Opcode.BINARY, b"key").serialize(mask=True)
    text = Frame(Opcode.TEXT, b"").serialize(mask=True)
    assert whole_messages(whole) == [(Opcode.BINARY, b"key")] and len(whole) == masked_bytes(3)
    assert whole_messages(whole + text + whole) == [(2, b"key"), (1, b""), (2, b"key")]
    part = Frame(Opcode.BINARY, b"key", fin=False).serialize(mask=True)
    bare = Frame(Opcode.BINARY, b"key").serialize(mask=False)
    ping = Frame(Opcode.PING, b"key").serialize(mask=True)
    for other in (part, bare, ping, b"\x82", b"\x82\x80", b"\x82\xfe\0\0\0\0", b"\x82\xfe\0\x80\0\0\0", whole[:-1]):
        assert whole_messages(other) is None
        assert whole_messages(whole + other) is None
    for size in (0, 125, 126, 65535, 65536):
        payload = os.urandom(size)
        frame = Frame(Opcode.BINARY, payload).serialize(mask=True)
        assert len(frame) == masked_bytes(size)
        assert whole_messages(text + frame) == ([(1, b""), (2, payload)] if size < 65536 else None)


async def test_a_flood_of_small_messages_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.handlers.direct.SLICE_S", 0.0)
    async with serving() as server, joined(server) as (client, handler):
        between = list[int]()
        loop = asyncio.get_running_loop()

        def keep(_: Handler, message: bytes) -> None:
            server.messages.append(message)
            loop.call_soon(between.append, len(message))

        monkeypatch.setattr(Handler, "on_message", keep)
        client.transport.write(b"".join(Frame(Opcode.BINARY, bytes(n)).serialize(mask=True) for n in range(50)))
        await until(lambda: len(server.messages) == 50, "all messages")
        assert server.messages == [bytes(n) for n in range(50)]
        assert len(between) > 40  # others had their turn between any two
        assert not handler.stream._paused


async def test_a_reader_that_is_slow_gets_all_and_the_writer_knows_when() -> None:
    async with serving() as server, joined(server) as (client, handler):
        client.transport.pause_reading()
        payload = os.urandom(8 * LIMIT)
        futures = [handler.put(payload), handler.put(b"after it")]
        await asyncio.sleep(0.05)
        assert not any(future.done() for future in futures)
        client.transport.resume_reading()
        assert await client.recv() == payload and await client.recv() == b"after it"
        await asyncio.wait_for(asyncio.gather(*futures), WAIT_S)
        assert handler.put(b"at once").done()


async def test_a_write_that_can_never_end_fails() -> None:
    async with serving() as server, joined(server) as (client, handler):
        client.transport.pause_reading()
        future = handler.put(bytes(16 * LIMIT))
        handler.stream.close()
        handler.stream.close()
        with pytest.raises(Exception, match="closed"):
            await future
        await until(lambda: server.closed == [(None, None)], "the end")


async def test_pings_are_answered_and_closes_are_echoed() -> None:
    async with serving() as server, joined(server) as (client, _):
        await asyncio.wait_for(await client.ping(b"hello"), WAIT_S)
        await client.close(4321, "enough")
        assert client.close_code == 4321
        await until(lambda: server.closed == [(4321, "enough")], "the end")


async def test_the_server_closes_with_a_code_after_what_it_has_written() -> None:
    async with serving() as server, joined(server) as (client, handler):
        handler.put(bytes(3 * LIMIT))
        handler.close(4000, "later")
        assert len(await client.recv()) == 3 * LIMIT
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4000, "later")
        await until(lambda: len(server.closed) == 1, "the end")


@pytest.mark.parametrize("linger", [struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)], ids=["RST", "FIN"])
async def test_a_socket_that_breaks_is_an_end(linger: bytes) -> None:
    async with serving() as server, joined(server) as (client, _):
        raw = client.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.transport.abort()
        await until(lambda: server.closed == [(None, None)], "the end")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.BINARY, b"x").serialize(mask=False), 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (Frame(Opcode.BINARY, bytes(LIMIT + 1)).serialize(mask=True), 1009),
        (Frame(Opcode.CONT, b"x").serialize(mask=True), 1002),
    ],
    ids=["not masked", "unknown opcode", "too big", "continues nothing"],
)
async def test_who_breaks_the_protocol_is_told_and_cut_off(frame: bytes, code: int) -> None:
    async with serving() as server, joined(server) as (client, _):
        client.transport.write(frame)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(client.recv(), WAIT_S)
        assert client.close_code in (code, 1006)
        await until(lambda: len(server.closed) == 1, "the end")
        assert server.messages == []


async def test_text_that_is_none_and_a_handler_that_fails_end_the_connection() -> None:
    async with serving() as server:
        async with joined(server) as (client, _):
            client.transport.write(Frame(Opcode.TEXT, b"\xff").serialize(mask=True))
            await until(lambda: len(server.closed) == 1, "the end")
        async with joined(server) as (client, _):
            server.fail = True
            await client.send(b"x")
            await until(lambda: len(server.closed) == 2, "the end")
