"""What one writes without a hub: an echo and a fan-out, naively on Tornado and with the library websockets.

`python -m tests.benchmarks.peers tornado|websockets` prints its port and serves until it is ended. `/echo` sends back
what comes, `/sink` writes it to a file. A message `{"count": n, "size": s}` on `/burst` makes the server send n events
to everybody on `/fan`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed


class Burst(msgspec.Struct):
    """How many events of which size."""

    count: int
    size: int

    def events(self) -> Iterator[str]:
        """The events, as a server without a hub would word them; `size` is that of the data alone."""
        text = "x" * self.size
        for number in range(self.count):
            yield msgspec.json.encode({"type": "event", "offset": number, "data": text}).decode()


class Echo(WebSocketHandler):
    """Says whatever is said to it."""

    def open(self, *args: str, **kwargs: str) -> None:
        """Small frames go out at once, as ours do."""
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        """Echo."""
        self.write_message(message)


class Sink(WebSocketHandler):
    """Writes what comes, behind each message's header of 16 bytes, to the file that the first message names."""

    file: BinaryIO | None = None

    def on_message(self, message: str | bytes) -> None:
        """Open, write or close."""
        data = message.encode() if isinstance(message, str) else message
        if self.file is None:
            self.file = Path(data.decode()).open("wb")
        elif data != b"end":
            self.file.write(memoryview(data)[16:])
        else:
            self.on_close()
            self.write_message("done")

    def on_close(self) -> None:
        """Close."""
        if self.file is not None:
            self.file.close()


class Fan(WebSocketHandler):
    """Is told everything."""

    def initialize(self, clients: set[WebSocketHandler]) -> None:
        """Share the set of all clients."""
        self.clients = clients

    def open(self, *args: str, **kwargs: str) -> None:
        """Join."""
        self.set_nodelay(True)
        self.clients.add(self)

    def on_close(self) -> None:
        """Leave."""
        self.clients.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Nothing is expected."""


class Trigger(WebSocketHandler):
    """Makes bursts."""

    def initialize(self, clients: set[WebSocketHandler]) -> None:
        """Share the set of all clients."""
        self.clients = clients

    async def on_message(self, message: str | bytes) -> None:
        """A message for each client and event; between events the loop may turn, as it would."""
        for event in msgspec.json.decode(message, type=Burst).events():
            for client in self.clients:
                client.write_message(event)
            await asyncio.sleep(0)


async def serve_tornado() -> None:
    """Serve naively."""
    shared: dict[str, set[WebSocketHandler]] = {"clients": set()}
    application = Application([("/echo", Echo), ("/sink", Sink), ("/fan", Fan, shared), ("/burst", Trigger, shared)])
    sockets = bind_sockets(0, "127.0.0.1", backlog=1024)
    server = HTTPServer(application)
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def serve_websockets() -> None:
    """Serve with `websockets.broadcast`."""
    clients: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        with contextlib.suppress(ConnectionClosed):
            if connection.request.path == "/fan":
                clients.add(connection)
            async for message in connection:
                if connection.request.path == "/echo":
                    await connection.send(message)
                    continue
                for event in msgspec.json.decode(message, type=Burst).events():
                    broadcast(clients, event)
                    await asyncio.sleep(0)
        clients.discard(connection)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1024) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"tornado": serve_tornado, "websockets": serve_websockets}[sys.argv[1]]())
