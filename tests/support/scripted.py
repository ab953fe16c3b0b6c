"""A WebSocket server whose connections are scripts of the test, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, HUB_SUBPROTOCOL

Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[Server]:
    """A server; its last script is also that of all connections after it."""
    left = list(scripts)

    async def handle(socket: ServerConnection) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        try:
            await script(socket)
        except ConnectionClosed:
            return

    protocols: Any = [HUB_SUBPROTOCOL, FILE_STREAM_SUBPROTOCOL]
    options: Any = {"subprotocols": protocols, "compression": None, "max_size": None, "close_timeout": 0.5}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Server(f"http://127.0.0.1:{port}/", "token")
