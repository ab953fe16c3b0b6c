"""A terminal of a real server through a bad network: bytes split and late, sockets cut, the shell goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from tests.support.client import WAIT_S, Address, until
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer

from .test_plain_server import make_terminal

FLOOD = "head -c {} /dev/zero | tr '\\0' x"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file."""
    server = RealServer(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def joined(address: Address, name: str, endpoint: str = "ws/terminal") -> AsyncIterator[ClientConnection]:
    socket = await address.open(f"{endpoint}/{name}")
    try:
        yield socket
    finally:
        socket.transport.abort()
        await socket.wait_closed()


async def send(socket: ClientConnection, text: str) -> None:
    await socket.send(json.dumps(["stdin", text]))


async def read_until(socket: ClientConnection, marker: str) -> str:
    """The output up to where `marker` came; fails if it does not come."""
    pieces, tail = [""], ""
    async with asyncio.timeout(2 * WAIT_S):
        while marker not in tail:
            kind, *arguments = json.loads(await socket.recv())
            pieces += arguments if kind == "stdout" else []
            tail = tail[-len(marker) :] + pieces[-1] if kind == "stdout" else tail
    return "".join(pieces)


async def read_to_end(socket: ClientConnection) -> list[str]:
    frames: list[str] = []
    async with asyncio.timeout(2 * WAIT_S):
        try:
            while True:
                frames.append(str(await socket.recv()))
        except ConnectionClosed:
            return frames


async def test_a_terminal_works_through_a_network_that_splits_delays_and_cuts(server: RealServer) -> None:
    name = await asyncio.to_thread(make_terminal, server)
    slow = Fault(up=Way(piece_bytes=3, delay_s=0.02), down=Way(piece_bytes=5, delay_s=0.02))
    async with FaultProxy(server.port, slow) as proxy, joined(Address.of(server), name) as near:
        async with joined(Address.of(server, proxy.port), name) as far:
            await send(far, "echo sp''lit ä 😀\r")
            text = await read_until(far, "split ä 😀\r\n")
            assert await read_until(near, "split ä 😀\r\n") == text

        # Cut by RST while output flows: the shell goes on, and who comes back sees what was missed.
        proxy.fault = Fault(down=Way(cut_after=2000), how="rst")
        async with joined(Address.of(server, proxy.port), name) as far:
            await send(far, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line-$i; done; echo al''l\r")
            await read_to_end(far)
            assert far.close_code == 1006
        await read_until(near, "all\r\n")
        proxy.fault = Fault()
        async with joined(Address.of(server, proxy.port), name) as far:
            history = await read_until(far, "all\r\n")
            assert all(f"line-{n}\r\n" in history for n in range(1, 301))

            # The end is told through the proxy too.
            await send(near, "exit\r")
            frames = await read_to_end(far)
            assert (frames[-1], far.close_code) == ('["disconnect", 1]', CloseCode.NO_STATUS_RCVD)
    assert "Traceback" not in server.log_text


async def test_a_client_that_reads_slowly_does_not_hold_up_another_one(server: RealServer) -> None:
    name = await asyncio.to_thread(make_terminal, server)
    async with FaultProxy(server.port) as proxy, joined(Address.of(server), name) as fast:
        async with joined(Address.of(server, proxy.port), name) as slow:
            await send(slow, "echo rea''dy\r")
            await read_until(slow, "ready")
            proxy.stall()
            for _ in range(9):
                await send(fast, f"{FLOOD.format(1_000_000)}; echo fini''shed\r")
                assert (await read_until(fast, "finished\r\n")).count("x") >= 1_000_000
            await send(fast, "echo still he''re\r")
            await read_until(fast, "still here")
            proxy.flow()
            # Whoever could not keep up is sent away, to come back and get the history; never for good.
            frames = await read_to_end(slow)
            assert slow.close_code in (4001, 1006)
            assert sum(map(len, frames)) < 9_000_000


async def test_a_flood_waits_for_the_only_client_and_reaches_it_whole(server: RealServer) -> None:
    """protocols.md: the PTY is paused when every client is out of window; a JSON client's progress is what it took."""
    name = await asyncio.to_thread(make_terminal, server)
    async with FaultProxy(server.port) as proxy, joined(Address.of(server, proxy.port), name) as far:
        await send(far, "echo rea''dy\r")
        await read_until(far, "ready\r\n")
        before = proxy.links[-1].down_bytes
        await send(far, f"{FLOOD.format(12_000_000)}; echo fini''shed\r")
        await until(lambda: proxy.links[-1].down_bytes > before + 1000, "the flood to begin")
        proxy.stall()
        await asyncio.sleep(2)  # the train is in a tunnel
        proxy.flow()
        assert (await read_until(far, "finished\r\n")).count("x") >= 12_000_000


async def size_becomes(socket: ClientConnection, size: str) -> None:
    """Rows and columns as `stty size` tells them; other clients' sizes may be on their way."""
    for _ in range(100):
        await send(socket, "stty size; echo do''ne\r")
        if size in await read_until(socket, "done\r\n"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the size never was {size}")


async def test_a_half_open_client_neither_keeps_the_size_nor_the_terminal(server: RealServer) -> None:
    name = await asyncio.to_thread(make_terminal, server)
    async with FaultProxy(server.port) as proxy, joined(Address.of(server), name) as near:
        async with joined(Address.of(server, proxy.port), name) as far:
            await far.send('["set_size", 20, 60, 0, 0]')
            await near.send('["set_size", 30, 90, 0, 0]')
            await size_becomes(near, "20 60")
            proxy.cut_all("rst", unaware="client")
            await size_becomes(near, "30 90")
