"""Terminals of a server under test: made and ended over its REST API, looked at from outside, and typed into."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import struct
import termios
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .address import WAIT_S, Address
from .terminal_client import TerminalClient
from .waits import Waits, repeating

FLOOD_S = 30.0
"""How long some MB may take on a shared machine."""


async def rest(address: Address, method: str, path: str) -> tuple[int, Any]:
    """The status and the JSON body of a request to the server's REST API."""
    url = f"http://127.0.0.1:{address.port}{address.base_url}api/{path}"

    def ask() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, method=method, headers=address.headers), timeout=10
            ) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    status, body = await asyncio.to_thread(ask)
    return status, json.loads(body) if body else None


async def make_terminal(address: Address) -> str:
    """A new terminal's name."""
    status, model = await rest(address, "POST", "terminals")
    assert status == 200, model
    return str(model["name"])


async def delete_terminal(address: Address, name: str) -> int:
    """End a terminal, give the HTTP status."""
    return (await rest(address, "DELETE", f"terminals/{name}"))[0]


async def terminal_names(address: Address) -> list[str]:
    """The names of those that run."""
    return [model["name"] for model in (await rest(address, "GET", "terminals"))[1]]


async def close_code(socket: ClientConnection, timeout_s: float = WAIT_S) -> int | None:
    """How the server ends a connection; what comes before is thrown away."""
    async with asyncio.timeout(timeout_s):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


@asynccontextmanager
async def on_new_terminal(address: Address, **options: Any) -> AsyncIterator[TerminalClient]:
    """A client on a terminal of its own, which is deleted at the end if it is still there."""
    name = await make_terminal(address)
    try:
        async with TerminalClient(address, name, **options) as client:
            yield client
    finally:
        assert await delete_terminal(address, name) in (204, 404)


def window_size(tty: str) -> tuple[int, int, int, int]:
    """Rows, columns, and the width and height in pixels, as the programs in a terminal see them (ioctl_tty(2))."""
    descriptor = os.open(tty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        found = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
    finally:
        os.close(descriptor)
    rows, columns, width_px, height_px = found
    return rows, columns, width_px, height_px


@asynccontextmanager
async def echoing(address: Address) -> AsyncIterator[Waits]:
    """While the block runs, somebody types key after key into a terminal of their own, and measures each echo."""
    async with on_new_terminal(address) as client:
        await client.start_raw("cat")

        async def echo() -> None:
            client.type(b"k")
            await client.until(b"k")

        async with repeating(echo) as waits:
            yield waits
