"""A small server of model terminals on loopback, over real WebSockets: REST for the list, binary frames for the rest.

Each terminal echoes its input to its output, and `exit N` ends it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code

from .terminal_model import ModelConnection, ModelTerminal

TOKEN = "model-token"
EXIT = re.compile(rb"exit ([0-9]+)[\r\n]")


@dataclass
class Running:
    """A model terminal and who waits for news of it."""

    model: ModelTerminal = field(default_factory=ModelTerminal)
    echoes: bool = True
    echoed: int = 0
    news: set[asyncio.Event] = field(default_factory=set)

    def print(self, data: bytes) -> None:
        """The program writes."""
        self.model.output += data
        self.tell()

    def exit(self, code: int) -> None:
        """The program ends."""
        self.model.exit(code)
        self.tell()

    def tell(self) -> None:
        """Something has changed."""
        for event in self.news:
            event.set()

    def follow(self) -> None:
        """Do what the program does with its input."""
        if self.echoes:
            self.model.output += self.model.input[self.echoed :]
            self.echoed = len(self.model.input)
        found = EXIT.search(self.model.input)
        if found is not None and self.model.ended is None:
            self.model.exit(int(found[1]))
        self.tell()


class TerminalServer:
    """Serves while its `async with` block runs."""

    def __init__(self) -> None:
        """No terminals yet."""
        self.terminals: dict[str, Running] = {}
        self.port = 0
        self.status: HTTPStatus | None = None
        """What every upgrade is answered with, if anything."""
        self.close_with: int | None = None
        """What every connection is closed with, if anything."""
        self.connections = 0
        self.deaf: Callable[[int], bool] = lambda number: False
        """Which connections (by number) take nothing of what their clients send."""
        self.silent: Callable[[int], bool] = lambda number: False
        """Which connections say nothing after WELCOME."""

    @property
    def url(self) -> str:
        """The HTTP address."""
        return f"http://127.0.0.1:{self.port}/"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server: Server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._process,
            subprotocols=[Subprotocol(TERMINAL_SUBPROTOCOL)],
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End all connections."""
        self._server.close()
        await self._server.wait_closed()

    def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"token {TOKEN}":
            return connection.respond(HTTPStatus.FORBIDDEN, "{}")
        path = urlsplit(request.path).path
        if path == "/api/terminals":
            return connection.respond(HTTPStatus.OK, json.dumps([{"name": name} for name in self.terminals]))
        return None if self.status is None else connection.respond(self.status, "no")

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        parts = urlsplit(socket.request.path)
        running = self.terminals.get(unquote(parts.path.rsplit("/", 1)[1]))
        made = Code.NOT_FOUND if running is None else running.model.connect(dict(parse_qsl(parts.query)))
        if self.close_with is not None or running is None or isinstance(made, Code):
            await socket.close(self.close_with or Code.NOT_FOUND)
            return
        number, self.connections = self.connections, self.connections + 1
        running.tell()
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write(socket, running, made, number))
            try:
                async for message in socket:
                    assert isinstance(message, bytes)
                    if not self.deaf(number):
                        made.receive(message)
                        running.follow()
            except ConnectionClosed:
                pass
            writing.cancel()

    async def _write(self, socket: ServerConnection, running: Running, made: ModelConnection, number: int) -> None:
        news = asyncio.Event()
        running.news.add(news)
        try:
            while not (made.superseded or made.exited or made.left) or made.outgoing:
                news.clear()
                while made.outgoing or made.pump():
                    await socket.send(made.outgoing.popleft())
                    if self.silent(number):
                        await asyncio.Future()
                if not (made.superseded or made.exited or made.left):
                    await news.wait()
            await socket.close(Code.SUPERSEDED if made.superseded else 1000)
        except ConnectionClosed:
            return
        finally:
            running.news.discard(news)
