"""The fault proxy does what it says: otherwise the tests that use it would show nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.client import until
from tests.support.proxy import Fault, FaultProxy, Way

SILENCE_S = 0.15


class Echo:
    """A server that sends back what it gets, and notes how its connections end."""

    def __init__(self) -> None:
        """Start with `serving`."""
        self.received = bytearray()
        self.ends: list[str] = []
        self.pieces: list[int] = []
        self.reading = asyncio.Event()
        self.reading.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo until the connection ends."""
        try:
            while data := await reader.read(65536):
                await self.reading.wait()
                self.received += data
                self.pieces.append(len(data))
                writer.write(data)
                await writer.drain()
            self.ends.append("fin")
        except ConnectionError:
            self.ends.append("rst")
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def proxied(fault: Fault) -> AsyncIterator[tuple[Echo, FaultProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    try:
        async with FaultProxy(server.sockets[0].getsockname()[1], fault) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            try:
                yield echo, proxy, reader, writer
            finally:
                writer.transport.abort()
        await until(lambda: echo.ends or not proxy.links, "the server to see the end")
    finally:
        server.close()


async def read_all(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """What comes until the end, and how it ends."""
    got = b""
    try:
        async with asyncio.timeout(5):
            while data := await reader.read(65536):
                got += data
        return got, "fin"
    except ConnectionResetError:
        return got, "rst"


async def silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(SILENCE_S):
            await reader.read(1)
        return False
    except TimeoutError:
        return True


async def test_without_a_fault_everything_passes_and_ends_as_it_ended() -> None:
    data = bytes(range(256)) * 4000
    async with proxied(Fault()) as (echo, proxy, reader, writer):
        writer.write(data)
        writer.write_eof()
        assert await read_all(reader) == (data, "fin")
        assert proxy.links[0].up_bytes == proxy.links[0].down_bytes == len(data)
    assert echo.ends == ["fin"]


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_a_cut_lets_exactly_so_many_bytes_up_and_tells_both_sides(how: str) -> None:
    fault = Fault(up=Way(cut_after=1000), how="rst" if how == "rst" else "fin")
    async with proxied(fault) as (echo, _, reader, writer):
        writer.write(b"x" * 5000)
        _, end = await read_all(reader)
        await until(lambda: echo.ends, "the server to see the cut")
        assert len(echo.received) == 1000
        assert (end, echo.ends) == (how, [how])


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_a_cut_lets_exactly_so_many_bytes_down(how: str) -> None:
    fault = Fault(down=Way(cut_after=777), how="rst" if how == "rst" else "fin")
    async with proxied(fault) as (_, _, reader, writer):
        writer.write(b"y" * 5000)
        got, end = await read_all(reader)
        assert got == b"y" * 777
        assert end == how


async def test_a_black_hole_takes_bytes_and_says_nothing() -> None:
    async with proxied(Fault(up=Way(swallow_after=10))) as (echo, _, reader, writer):
        writer.write(b"0123456789lost")
        assert await reader.readexactly(10) == b"0123456789"
        assert await silent(reader)
        assert bytes(echo.received) == b"0123456789"
        assert echo.ends == []


async def test_a_sender_s_buffers_fill_where_the_proxy_takes_no_more() -> None:
    async with proxied(Fault(up=Way(stall_after=1000))) as (echo, proxy, reader, writer):
        writer.write(bytes(20_000_000))
        assert await reader.readexactly(1000) == bytes(1000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await writer.drain()
        assert len(echo.received) == proxy.links[0].up_bytes == 1000


async def test_half_open_the_unaware_client_hears_nothing_of_the_cut() -> None:
    async with proxied(Fault(up=Way(cut_after=3), unaware="client")) as (echo, _, reader, writer):
        writer.write(b"abc")
        await until(lambda: echo.ends == ["rst"], "the server to see the cut")
        assert await silent(reader)
        writer.write(b"still there?")
        assert await silent(reader)


async def test_half_open_the_unaware_server_hears_nothing_of_the_cut() -> None:
    async with proxied(Fault()) as (echo, proxy, reader, writer):
        writer.write(b"abc")
        assert await reader.readexactly(3) == b"abc"
        proxy.cut_all("fin", unaware="server")
        assert await read_all(reader) == (b"", "fin")
        assert echo.ends == []


async def test_delay_holds_each_byte_back_but_not_the_next_ones_more() -> None:
    async with proxied(Fault(up=Way(delay_s=0.1), down=Way(delay_s=0.1))) as (_, _, reader, writer):
        started = time.monotonic()
        for piece in range(20):
            writer.write(bytes([piece]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readexactly(20) == bytes(range(20))
        assert 0.2 <= time.monotonic() - started < 1.5


async def test_throttle_bounds_the_rate() -> None:
    async with proxied(Fault(down=Way(bytes_per_s=200_000, piece_bytes=4096))) as (_, _, reader, writer):
        started = time.monotonic()
        writer.write(b"z" * 60_000)
        await reader.readexactly(60_000)
        # All but the last piece were paid for; a loaded machine may be slower, never faster.
        assert time.monotonic() - started >= (60_000 - 4096) / 200_000


async def test_throttle_can_begin_later() -> None:
    async with proxied(Fault(down=Way(bytes_per_s=1, slow_after=5000, piece_bytes=1))) as (_, _, reader, writer):
        writer.write(b"z" * 6000)
        assert await reader.readexactly(5000) == b"z" * 5000
        await reader.readexactly(1)
        assert await silent(reader)


async def test_fragments_are_small_and_nothing_is_lost() -> None:
    async with proxied(Fault(up=Way(piece_bytes=7, bytes_per_s=100_000))) as (echo, _, reader, writer):
        data = bytes(range(256))
        writer.write(data)
        assert await reader.readexactly(256) == data
        assert len(echo.pieces) > 5


async def test_a_stall_lets_nothing_pass_until_it_flows_again() -> None:
    async with proxied(Fault()) as (echo, proxy, reader, writer):
        proxy.stall()
        writer.write(b"later")
        assert await silent(reader)
        assert not echo.received
        proxy.flow()
        assert await reader.readexactly(5) == b"later"


async def test_one_connection_can_be_stalled_and_cut_while_others_flow() -> None:
    async with proxied(Fault()) as (echo, proxy, reader, writer):
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await until(lambda: len(proxy.links) == 2, "both connections")
        proxy.links[0].stall()
        writer.write(b"lost")
        other_writer.write(b"flows")
        assert await other_reader.readexactly(5) == b"flows"
        proxy.links[0].cut("rst")
        assert await read_all(reader) == (b"", "rst")
        assert bytes(echo.received) == b"flows"
        other_writer.transport.abort()


async def test_a_server_that_is_not_there_is_a_reset_and_each_connection_can_have_its_own_fault() -> None:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with FaultProxy(port, lambda number: Fault(up=Way(cut_after=number + 1), how="fin")) as proxy:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"12345")
            await read_all(reader)
            writer.transport.abort()
        await until(lambda: len(echo.ends) == 3, "the cuts")
        assert sorted(bytes(echo.received)) == sorted(b"1" + b"12" + b"123")
        server.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await read_all(reader) == (b"", "rst")
        writer.transport.abort()


@pytest.mark.parametrize("turns", range(7))
async def test_a_client_that_comes_while_the_proxy_stops_is_told_and_nothing_of_it_is_left(turns: int) -> None:
    tasks = asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        async with FaultProxy(server.getsockname()[1]) as proxy:
            client.connect(("127.0.0.1", proxy.port))
            for _ in range(turns):
                await asyncio.sleep(0)
        assert asyncio.all_tasks() == tasks
        client.settimeout(2)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
