"""Frames that a thread writes: whole and in order, also between what others write, however slowly they are taken."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.iostream import StreamClosedError

from jupyter_ws_hub.handlers.bulk import write_from
from jupyter_ws_hub.protocol.bulk import BUFFER_BYTES, READ_BYTES, lay_out
from jupyter_ws_hub.protocol.codec import decode_chunk

from ..support.client import until
from .test_direct import Handler, joined, serving


async def run(function: Callable[..., Any], *args: Any) -> Any:
    """Run it in a thread."""
    return await asyncio.to_thread(function, *args)


class Filling:
    """Buffers of frames: each byte tells its place, one buffer is used again and again."""

    def __init__(self, rounds: int, size: int = READ_BYTES, disk_s: float = 0.0) -> None:
        self.disk_s = disk_s
        self.left, self.size, self.at = rounds, size, 0
        self.threads: set[str] = set()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def __call__(self) -> memoryview:
        self.threads.add(threading.current_thread().name)
        if self.left == 0:
            return self._buffer[:0]
        self.left -= 1
        time.sleep(self.disk_s)
        payloads, frames = lay_out(self._buffer, self.at, self.size)
        for payload in payloads:
            payload[:] = bytes([self.left % 251]) * len(payload)
        self.at += self.size
        return frames


async def write_all(handler: Handler, filling: Filling) -> int:
    calls = 0
    while filling.left:
        calls += 1
        assert await write_from(handler.ws_connection, run, filling)
    return calls


def check(messages: list[str | bytes], rounds: int, size: int) -> None:
    """The data frames among them are whole and in order."""
    at = 0
    for message in messages:
        if isinstance(message, bytes) and len(message) > 100:
            chunk = decode_chunk(message)
            assert chunk.byte_offset == at
            number = rounds - 1 - at // size
            assert chunk.payload == bytes([number % 251]) * len(chunk.payload)
            at += len(chunk.payload)
    assert at == rounds * size


@pytest.mark.parametrize("size", [1, 100_000, READ_BYTES])
async def test_all_comes_whole_and_in_order(size: int) -> None:
    async with serving() as server, joined(server) as (client, handler):
        filling = Filling(30, size)
        writing = asyncio.create_task(write_all(handler, filling))
        messages: list[str | bytes] = []
        while sum(len(m) - 16 for m in messages) < 30 * size:
            messages.append(await client.recv())
        await writing
    assert len(messages) >= 30
    taken = [decode_chunk(m) for m in messages if isinstance(m, bytes)]
    assert b"".join(bytes(c.payload) for c in taken) == b"".join(bytes([n % 251]) * size for n in range(29, -1, -1))
    assert threading.current_thread().name not in filling.threads


async def test_what_others_write_comes_between_frames_also_while_a_thread_writes() -> None:
    async with serving() as server, joined(server) as (client, handler):
        filling = Filling(40, disk_s=0.005)
        writing = asyncio.create_task(write_all(handler, filling))
        others = 0

        async def disturb() -> None:
            nonlocal others
            while not writing.done():
                await asyncio.wait([handler.put(b"other %d" % others)])
                others += 1
                await asyncio.sleep(0.001)

        disturbing = asyncio.create_task(disturb())
        messages: list[str | bytes] = []
        while not disturbing.done() or sum(len(m) < 100 for m in messages) < others:
            try:
                async with asyncio.timeout(0.2):
                    messages.append(await client.recv())
            except TimeoutError:
                continue
        await writing
    assert [m for m in messages if len(m) < 100] == [b"other %d" % n for n in range(others)]
    assert others > 5
    check(messages, 40, READ_BYTES)


async def test_a_client_that_takes_nothing_holds_no_thread_and_is_waited_for() -> None:
    async with serving() as server, joined(server) as (client, handler):
        filling = Filling(60)
        client.transport.pause_reading()
        writing = asyncio.create_task(write_all(handler, filling))
        before = -1
        while before != filling.left:
            before = filling.left
            await asyncio.sleep(0.1)
        assert 0 < before < 60
        working = [t for t in threading.enumerate() if t.name.startswith("asyncio_") and t.is_alive()]
        assert len(working) < 60
        client.transport.resume_reading()
        messages: list[str | bytes] = []
        while sum(len(m) - 16 for m in messages) < 60 * READ_BYTES:
            messages.append(await client.recv())
        assert await writing > 1
    check(messages, 60, READ_BYTES)


async def test_cancelled_it_finishes_the_frames_it_has_begun() -> None:
    async with serving() as server, joined(server) as (client, handler):
        filling = Filling(1000)
        client.transport.pause_reading()
        writing = asyncio.create_task(write_all(handler, filling))
        await until(lambda: filling.left < 1000, "the first frames")
        writing.cancel()
        await asyncio.wait([writing])
        last = handler.put(b"the end")
        client.transport.resume_reading()
        messages: list[str | bytes] = []
        while not messages or messages[-1] != b"the end":
            messages.append(await client.recv())
        await last
        at = 0
        for message in messages[:-1]:
            assert isinstance(message, bytes)
            assert decode_chunk(message).byte_offset == at
            at += len(message) - 16


async def test_a_socket_that_is_gone_is_told() -> None:
    async with serving() as server:
        async with joined(server) as (client, handler):
            client.transport.pause_reading()
            writing = asyncio.create_task(write_from(handler.ws_connection, run, Filling(1000)))
            await asyncio.sleep(0.05)
            client.transport.abort()
        async with asyncio.timeout(5):
            while await write_from(handler.ws_connection, run, Filling(1000)):
                pass
            await asyncio.wait([writing])
        assert await write_from(None, run, Filling(1)) is False


async def test_what_filling_raises_is_raised_and_others_can_write() -> None:
    def fail() -> memoryview:
        raise RuntimeError("no disk")

    async with serving() as server, joined(server) as (client, handler):
        with pytest.raises(RuntimeError, match="no disk"):
            await write_from(handler.ws_connection, run, fail)
        await handler.put(b"still here")
        assert await client.recv() == b"still here"


async def test_where_only_tornado_may_write_it_does() -> None:
    written: list[bytes] = []

    async def write(data: memoryview) -> None:
        if len(written) == 2:
            raise StreamClosedError
        written.append(bytes(data))

    connection = SimpleNamespace(is_closing=lambda: False, stream=SimpleNamespace(write=write))
    filling = Filling(5, 10)
    assert await write_from(connection, run, filling)
    assert await write_from(connection, run, filling)
    assert not await write_from(connection, run, filling)
    assert len(written) == 2
