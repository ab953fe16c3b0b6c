"""A TCP proxy on loopback that does to connections what bad networks do. It knows nothing of HTTP or WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

READ_BYTES = 64 * 1024
QUEUE_BYTES = 512 * 1024
BUFFER_BYTES = 128 * 1024
"""Of the kernel, for each of the proxy's sockets: left alone it takes many MB, and nobody notices a stall."""
LATE_S = 0.1
"""So much of the time in which a slow line was late with what it had is made up for afterwards."""
LOSE = struct.pack("ii", 1, 0)
"""The `SO_LINGER` of a socket that is closed by RST."""
How = Literal["rst", "fin"]
Side = Literal["client", "server"]


@dataclass(frozen=True)
class Way:
    """What happens to one direction of a connection; bytes are counted from its first one."""

    cut_after: int | None = None
    """After so many bytes the connection ends."""
    swallow_after: int | None = None
    """After so many bytes nothing arrives any more, and nobody is told."""
    stall_after: int | None = None
    """After so many bytes nothing is taken any more: the sender's buffers fill."""
    delay_s: float = 0
    """How long each byte is on its way."""
    bytes_per_s: float = 0
    """How fast bytes go; 0: as fast as they can."""
    slow_after: int = 0
    """The rate holds only after so many bytes."""
    piece_bytes: int = READ_BYTES
    """How many bytes go in one packet at most."""


@dataclass(frozen=True)
class Fault:
    """What happens to one connection: `up` is from client to server, `down` from server to client."""

    up: Way = Way()
    down: Way = Way()
    how: How = "rst"
    """How a cut ends the connection."""
    unaware: Side | None = None
    """The side that is not told of a cut: its half of the connection stays open and silent."""


@dataclass(eq=False)
class Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    fault: Fault
    how: How
    unaware: Side | None
    up_bytes: int = 0
    down_bytes: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Let everything pass."""
        self.flowing.set()

    def stall(self) -> None:
        """Let nothing pass from now on; other connections are not touched."""
        self.flowing.clear()

    def cut(self, how: How | None = None, unaware: Side | None = None) -> None:
        """End the connection now; the `unaware` side is not told. Idempotent."""
        if not self.ended.is_set():
            self.how, self.unaware = how or self.how, unaware or self.unaware
            self.ended.set()

    async def close(self) -> None:
        """Tell both sides, but the unaware one, in the way of this link; returns when they are told."""
        for side, writer in (("client", self.client), ("server", self.server)):
            if side == self.unaware:
                continue
            if self.how == "rst":
                reset(writer)
                continue
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()


def small_socket() -> socket.socket:
    """A TCP socket with small buffers."""
    made = socket.socket()
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return made


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST: whatever is in its buffers is lost."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LOSE)
    writer.transport.abort()


def reset_socket(raw: socket.socket) -> None:
    """The same for one that no writer has; nothing where it is closed."""
    if raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LOSE)
        raw.close()


class _Pump:
    """One direction of a link: what is read waits in a queue until it is due."""

    def __init__(self, link: Link, side: Side, reader: asyncio.StreamReader, flowing: asyncio.Event) -> None:
        self._link = link
        self._side = side
        self._reader = reader
        self._to = link.server if side == "client" else link.client
        self._way = link.fault.up if side == "client" else link.fault.down
        self._flowing = flowing
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE_BYTES // self._way.piece_bytes)
        self._taken = self._seen = 0

    async def run(self) -> None:
        """Until this direction has ended; an end of file is passed on."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read())
                group.create_task(self._write())
        except* OSError:
            self._link.cut("rst")

    async def _read(self) -> None:
        loop, way = asyncio.get_running_loop(), self._way
        while data := await self._take():
            self._taken += len(data)
            if self._side == "client":
                self._link.up_bytes += len(data)
            else:
                self._link.down_bytes += len(data)
            for at in range(0, len(data), way.piece_bytes):
                await self._queue.put((loop.time() + way.delay_s, data[at : at + way.piece_bytes]))
        await self._queue.put((loop.time() + way.delay_s, b""))

    async def _take(self) -> bytes:
        await self._flows()
        limit = self._way.stall_after
        left = READ_BYTES if limit is None else min(READ_BYTES, limit - self._taken)
        return await self._reader.read(left) if left > 0 else await asyncio.Future()

    async def _flows(self) -> None:
        await self._flowing.wait()
        await self._link.flowing.wait()

    async def _write(self) -> None:
        loop, way, paid_s = asyncio.get_running_loop(), self._way, 0.0
        while True:
            due_s, data = await self._queue.get()
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            await self._flows()
            if not data:
                self._to.write_eof()
                return
            paid_s = max(paid_s, due_s, loop.time() - LATE_S)
            await self._pass_on(data)
            if way.bytes_per_s and self._seen > way.slow_after:  # a timer that comes late does not lower the rate
                paid_s += len(data) / way.bytes_per_s
                await asyncio.sleep(max(0.0, paid_s - loop.time()))

    async def _pass_on(self, data: bytes) -> None:
        way, start = self._way, self._seen
        self._seen += len(data)
        ends = [len(data), *(end - start for end in (way.swallow_after, way.cut_after) if end is not None)]
        part = data[: max(0, min(ends))]
        if part:
            self._to.write(part)
            await self._to.drain()
        if way.cut_after is not None and self._seen >= way.cut_after:
            self._link.cut()
            await asyncio.Future()  # nothing more passes; the link's end cancels this


class FaultProxy:
    """Listens on a free port while its `async with` block runs."""

    def __init__(self, target_port: int, fault: Fault | Callable[[int], Fault] | None = None) -> None:
        """`fault` may be a function of the connection's number: 0, 1, 2 …; it may be set anew at any time."""
        self.fault = fault or Fault()
        self.target_port = target_port
        self.links: list[Link] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listening = small_socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen()
        self.port = self._listening.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listening, self._accept)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop listening and end all connections, also those that came last."""
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Let nothing pass from now on, as when packets get lost: the senders' buffers fill."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything pass again."""
        self._flowing.set()

    def cut_all(self, how: How = "rst", unaware: Side | None = None) -> None:
        """End all connections now."""
        for link in self.links:
            link.cut(how, unaware)

    def _accept(self) -> None:
        """Take one connection; asyncio's own server loses one that comes while it is closed."""
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client.setblocking(False)
        task = asyncio.create_task(self._serve(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: reset_socket(client))  # a task that is ended before it began does nothing

    async def _serve(self, client: socket.socket) -> None:
        fault = self.fault(len(self.links)) if callable(self.fault) else self.fault
        with small_socket() as server:
            try:
                await asyncio.get_running_loop().sock_connect(server, ("127.0.0.1", self.target_port))
            except OSError:
                return
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            from_client, to_client = await asyncio.open_connection(sock=client, limit=READ_BYTES)
            try:
                await self._pass(fault, from_client, to_client, server)
            finally:
                reset(to_client)

    async def _pass(
        self, fault: Fault, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter, server: socket.socket
    ) -> None:
        from_server, to_server = await asyncio.open_connection(sock=server, limit=READ_BYTES)
        link = Link(to_client, to_server, fault, fault.how, fault.unaware)
        self.links.append(link)
        up = _Pump(link, "client", from_client, self._flowing)
        down = _Pump(link, "server", from_server, self._flowing)
        try:
            await self._run(link, up, down)
        finally:
            reset(to_server)

    async def _run(self, link: Link, up: _Pump, down: _Pump) -> None:
        async def both() -> None:
            await asyncio.gather(up.run(), down.run())

        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(both()), asyncio.create_task(link.ended.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not link.ended.is_set():
            link.how = "fin"
            link.ended.set()
        await link.close()
        if link.unaware is not None:
            await asyncio.Future()
