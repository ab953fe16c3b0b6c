"""Terminal clients that break the rules: they harm themselves, and nobody else on the terminal notices."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address
from tests.support.proxy import FaultProxy
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, close_code, echoing, on_new_terminal

MB = 1 << 20
ECHO_S = 0.25
U64 = 2**64 - 1


@asynccontextmanager
async def nobody_notices(address: Address, server: RealServer, most: int = 12 * MB) -> AsyncIterator[TerminalClient]:
    """Gives a client on the terminal that is attacked; it and another terminal are as fast as before."""
    async with on_new_terminal(address) as client:
        await client.run("true")
        before = server.resident_bytes
        async with echoing(address) as waits:
            yield client
        print(waits)
        assert waits.longest_but_one_s < ECHO_S, waits
        assert server.resident_bytes - before < most, "the server keeps what it should not"
        assert b"alive-4" in await client.run("echo alive-$((2 + 2))")
        assert client.close_code is None and client.errors == []


async def opened(address: Address, name: str, query: str = "client=enemy") -> ClientConnection:
    """A bare socket; nothing is read from it yet."""
    return await address.open(f"ws/terminal/{name}?{query}", TERMINAL_SUBPROTOCOL)


def short_frames() -> dict[str, bytes]:
    """A frame of each kind with one byte less than it needs."""
    whole = (wire.Ack(0), wire.Resize(1, 1), wire.Ping(), wire.Pong())
    return {type(frame).__name__: wire.encode(frame)[:-1] for frame in whole}


FATAL: dict[str, tuple[bytes | str, set[int]]] = {
    "nothing": (b"", {Code.BAD_FRAME}),
    **{f"a short {name}": (frame, {Code.BAD_FRAME}) for name, frame in short_frames().items()},
    **{f"a bare type {n}": (bytes([n]), {Code.BAD_FRAME}) for n in (2, 4, 5, 6)},
    "a text": ('["stdin", "touch leak\\r"]', {Code.BAD_FRAME}),
    "an empty text": ("", {Code.BAD_FRAME}),
    "an ACK of what was never sent": (wire.encode(wire.Ack(U64)), {Code.BAD_FRAME}),
    "more than a frame carries": (b"\0" + bytes(wire.MAX_DATA_BYTES + 1), {Code.TOO_BIG}),
    "10 MB": (b"\0" + b"touch leak\r" * (10 * MB // 11), {Code.TOO_BIG, 1009, 1006}),
    "40 MB": (b"\0" + bytes(40 * MB), {Code.TOO_BIG, 1009, 1006}),
}


@pytest.mark.parametrize("name", FATAL)
async def test_a_frame_that_breaks_the_protocol_ends_its_connection_only(
    terminal_server: RealServer, address: Address, name: str
) -> None:
    frame, codes = FATAL[name]
    async with nobody_notices(address, terminal_server, 64 * MB) as client:
        enemy = await opened(address, client.name)
        with suppress(ConnectionClosed):
            await enemy.send(frame)
        assert await close_code(enemy) in codes
    assert not (terminal_server.root / "leak").exists()


async def test_an_ack_of_one_byte_too_many_ends_the_connection(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.run("true")
        await client.ping()
        await client.acknowledge(client.received)
        await client.ping()
        await client.acknowledge(client.received + 1)
        assert await client.wait_closed() == Code.BAD_FRAME


@pytest.mark.parametrize("kind", [1, 3, 7, 8, 9, 11, 12, 100, 255])
async def test_an_unknown_type_is_answered_and_the_connection_goes_on(address: Address, kind: int) -> None:
    async with on_new_terminal(address) as client:
        for body in (b"", b"touch leak\r", os.urandom(1000)):
            await client.socket.send(bytes([kind]) + body)
        await client.wait_for(lambda: len(client.errors) >= 3, "an answer to each")
        assert {error.code for error in client.errors} == {Code.UNKNOWN_TYPE}
        assert all(error.message for error in client.errors)
        await client.run("true")
        assert client.close_code is None and len(client.errors) == 3


async def test_what_follows_the_known_fields_is_ignored(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.run("true")
        for frame in (wire.Ack(client.received), wire.Resize(31, 97), wire.Ping(b"12345678")):
            await client.socket.send(wire.encode(frame) + b"and more in some later version")
        await client.wait_for(lambda: b"12345678" in client.pongs, "the pong")
        assert b"31 97\r\n" in await client.run("stty size")
        await client.socket.send(wire.encode(wire.Bye()) + b"and more")
        assert await client.wait_closed() == 1000


async def test_input_beyond_the_limit_is_too_big(terminal_server: RealServer, address: Address) -> None:
    async with nobody_notices(address, terminal_server) as near, TerminalClient(address, near.name) as enemy:
        await near.start_sleep()
        piece = b"\n" * wire.MAX_DATA_BYTES
        for _ in range(400):  # 25 MB
            if enemy.close_code is not None:
                break
            await enemy.send(wire.Data(piece))
        assert await enemy.wait_closed() == Code.TOO_BIG
        await near.press(b"\x03")


BAD_QUERIES = [
    *("client=", "client=a%20b", f"client={'x' * 65}", "client=%C3%A4", "client=a/b"),
    *("client=a&epoch=xyz", f"client=a&epoch={'0' * 31}", f"client=a&epoch={'0' * 33}", f"client=a&epoch={'g' * 32}"),
    *("have=-1", "have=x", "have=1.5", f"have={2**64}", "have=", "have=%D9%A1"),
    *("sent=-1", "sent=x", f"sent={2**64}"),
    *("rows=-1", "rows=65536", "rows=x", "columns=-1", "columns=65536", "columns=1e3"),
    *("visible=2", "visible=yes", "window=x", "window=-1", "history=-1", "history=x"),
]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:20])
async def test_a_wrong_parameter_is_told_of(terminal_server: RealServer, address: Address, query: str) -> None:
    async with on_new_terminal(address) as client:
        assert await close_code(await opened(address, client.name, query)) == Code.INVALID
        await client.run("true")


@pytest.mark.parametrize(("asked", "given"), [("0", wire.MIN_WINDOW_BYTES), (str(10**9), wire.MAX_WINDOW_BYTES)])
async def test_a_window_is_given_within_bounds(address: Address, asked: str, given: int) -> None:
    async with on_new_terminal(address) as client:
        assert (await client.connect(window=asked)).window == given


async def test_unknown_parameters_are_ignored(address: Address) -> None:
    async with on_new_terminal(address) as client:
        assert (await client.connect(colour="blue")).resumed


@pytest.mark.parametrize("frame", [wire.Ping(), wire.Data(b""), wire.Resize(30, 80)], ids=["PING", "DATA", "RESIZE"])
async def test_a_flood_of_small_frames_by_who_never_reads_costs_little(
    terminal_server: RealServer, address: Address, frame: wire.ClientFrame
) -> None:
    """200,000 of them: the server stops reading, answers less, or ends the connection."""
    async with FaultProxy(terminal_server.port) as proxy, nobody_notices(address, terminal_server) as client:
        enemy = await opened(Address.of(terminal_server, proxy.port), client.name)
        data = wire.encode(frame)
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(8):
                for n in range(200_000):
                    await enemy.send(data)
                    if n % 50 == 0:
                        await asyncio.sleep(0)
        enemy.transport.abort()
        await enemy.wait_closed()


async def test_a_flood_of_unknown_types_by_who_never_reads_costs_little(
    terminal_server: RealServer, address: Address
) -> None:
    async with FaultProxy(terminal_server.port) as proxy, nobody_notices(address, terminal_server) as client:
        enemy = await opened(Address.of(terminal_server, proxy.port), client.name)
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(8):
                for n in range(100_000):
                    await enemy.send(b"\xfe")
                    if n % 50 == 0:
                        await asyncio.sleep(0)
        enemy.transport.abort()
        await enemy.wait_closed()


async def test_many_client_ids_cost_little(terminal_server: RealServer, address: Address) -> None:
    """What is remembered of clients that have left is bounded."""
    async with nobody_notices(address, terminal_server, 4 * MB) as client:
        for n in range(600):
            socket = await opened(address, client.name, f"client=many-{n}-{'x' * 40}&rows=30&columns=80")
            await asyncio.wait_for(socket.recv(), FLOOD_S)
            socket.transport.abort()
            await socket.wait_closed()
        await client.ping()
