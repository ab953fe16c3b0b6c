"""`/ws/terminal/<name>` beside the stock endpoint, on the same terminal manager: one terminal, the same messages."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from jupyter_server._tz import utcnow
from tornado.httpclient import HTTPClientError
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from tests.support.client import WAIT_S, Address, until

# The stock terminals' own socket has no such decorator; ours must have it, see test_auth.py.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Extension endpoints[\s\S]*TermSocket:jupyter_server.utils.JupyterServerAuthWarning"
)

OURS, STOCK = "ws/terminal", "terminals/websocket"


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With a plain shell, and what a test asks for."""
    jp_server_config["ServerApp"].update(terminado_settings={"shell_command": ["/bin/sh"]})
    jp_server_config["ServerApp"].update(getattr(request, "param", {}))
    return jp_server_config


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


class TerminalClient:
    """A client as JupyterLab's TerminalConnection is one: terminado's JSON messages, on either endpoint."""

    def __init__(self, socket: ClientConnection) -> None:
        """Speak on an open socket."""
        self.socket = socket
        self.frames: list[str] = []

    @property
    def text(self) -> str:
        """All output so far."""
        return "".join(message[1] for message in map(json.loads, self.frames) if message[0] == "stdout")

    async def send(self, *message: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps(message))

    async def next(self) -> str:
        """Wait for a frame, give and keep it."""
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        assert isinstance(frame, str)
        self.frames.append(frame)
        return frame

    async def read_until(self, marker: str) -> Self:
        """Read until the output holds `marker`."""
        while marker not in self.text:
            await self.next()
        return self

    async def read_to_end(self) -> int | None:
        """Read until the server closes, give the close code."""
        with pytest.raises(ConnectionClosed):
            while True:
                await self.next()
        return self.socket.close_code


@asynccontextmanager
async def joined(address: Address, endpoint: str, name: str) -> AsyncIterator[TerminalClient]:
    socket = await address.open(f"{endpoint}/{name}")
    try:
        yield TerminalClient(socket)
    finally:
        socket.transport.abort()
        await socket.wait_closed()


async def make_terminal(fetch: Any) -> str:
    response = await fetch("api", "terminals", method="POST", allow_nonstandard_methods=True)
    return str(json.loads(response.body)["name"])


def pty_of(serverapp: Any, name: str) -> Any:
    return serverapp.web_app.settings["terminal_manager"].terminals[name]


async def test_input_on_one_endpoint_shows_on_both_in_the_same_bytes(address: Address, jp_fetch: Any) -> None:
    name = await make_terminal(jp_fetch)
    async with joined(address, OURS, name) as ours, joined(address, STOCK, name) as stock:
        assert await ours.next() == await stock.next() == '["setup", {}]'
        # Bytes that are no UTF-8, an umlaut, an emoji and escapes: what JSON makes of them must not differ.
        await ours.send("stdin", r"printf '\303\244\377\033[1m\360\237\230\200'; echo ou''rs" + "\r")
        await asyncio.gather(ours.read_until("ours"), stock.read_until("ours"))
        await stock.send("stdin", "echo sto''ck\r")
        await asyncio.gather(ours.read_until("stock\r\n"), stock.read_until("stock\r\n"))
        assert ours.text.rstrip("$# ") == stock.text.rstrip("$# ")
        assert "\N{LATIN SMALL LETTER A WITH DIAERESIS}\N{REPLACEMENT CHARACTER}" in ours.text
        for frame in ours.frames + stock.frames:
            assert frame == json.dumps(json.loads(frame))


async def test_a_client_that_comes_later_gets_the_history_in_one_message(address: Address, jp_fetch: Any) -> None:
    name = await make_terminal(jp_fetch)
    async with joined(address, OURS, name) as first:
        await first.send("stdin", "echo be''fore\r")
        await first.read_until("before\r\n")
        async with joined(address, OURS, name) as ours, joined(address, STOCK, name) as stock:
            assert [await ours.next(), await stock.next()] == ['["setup", {}]'] * 2
            assert await ours.next() == await stock.next()
            assert "before\r\n" in ours.text


async def test_the_terminal_is_one_in_the_list_too_and_activity_counts(
    address: Address, jp_fetch: Any, jp_serverapp: Any
) -> None:
    name = await make_terminal(jp_fetch)
    settings = jp_serverapp.web_app.settings
    async with joined(address, OURS, name) as ours:
        await ours.send("stdin", "echo hel''lo\r")
        await ours.read_until("hello")
        (model,) = json.loads((await jp_fetch("api", "terminals")).body)
        assert model["name"] == name
        started = jp_serverapp.web_app.settings["started"]
        for activity in ("ws_hub_last_activity", "terminal_last_activity"):
            assert started < settings[activity] <= utcnow()
        assert list(settings["terminal_manager"].terminals) == [name]


async def test_the_size_is_the_smallest_of_both_endpoints_clients(
    address: Address, jp_fetch: Any, jp_serverapp: Any
) -> None:
    name = await make_terminal(jp_fetch)
    pty = pty_of(jp_serverapp, name)
    async with joined(address, STOCK, name) as stock:
        async with joined(address, OURS, name) as ours:
            await stock.send("set_size", 40, 100, 800, 600)
            await until(lambda: pty.ptyproc.getwinsize() == (40, 100), "the first size")
            await ours.send("set_size", 30, 120, 800, 600)
            await until(lambda: pty.ptyproc.getwinsize() == (30, 100), "the smallest size")
            await stock.send("stdin", "stty size\r")
            await asyncio.gather(ours.read_until("30 100"), stock.read_until("30 100"))
        await until(lambda: pty.ptyproc.getwinsize() == (40, 100), "the size without the one who left")
    await until(lambda: pty.clients == [], "nobody to be left")


@pytest.mark.parametrize("how", ["exit", "DELETE"])
async def test_the_end_of_the_terminal_is_told_as_at_the_stock_endpoint(
    address: Address, jp_fetch: Any, jp_serverapp: Any, how: str
) -> None:
    name = await make_terminal(jp_fetch)
    async with joined(address, OURS, name) as ours, joined(address, STOCK, name) as stock:
        await ours.send("stdin", "echo rea''dy\r")
        await ours.read_until("ready")
        if how == "exit":
            await ours.send("stdin", "echo la''st; exit\r")
        else:
            assert (await jp_fetch("api", "terminals", name, method="DELETE")).code == 204
        ends = (await ours.read_to_end(), await stock.read_to_end())
        assert ends == (CloseCode.NO_STATUS_RCVD, CloseCode.NO_STATUS_RCVD)
        assert ours.frames[-1] == stock.frames[-1] == '["disconnect", 1]'
        if how == "exit":
            assert "last\r\n" in ours.text
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("api", "terminals", name)
    assert caught.value.code == 404


@pytest.mark.parametrize(
    "frame",
    [
        "no JSON",
        "{}",
        "[]",
        '["stdin"]',
        '["stdin", 5]',
        '["set_size", 24]',
        '["set_size", "24", "80"]',
        '["set_size", 0, 80]',
        '["set_size", 24, 65536]',
        "[" * 5000 + "]" * 5000,
        b'["stdin", "touch bad.txt\\r"]',
    ],
    ids=lambda frame: repr(frame)[:24],
)
async def test_a_bad_frame_ends_this_client_only_and_does_nothing(
    address: Address, jp_fetch: Any, jp_root_dir: Path, jp_serverapp: Any, frame: str | bytes
) -> None:
    name = await make_terminal(jp_fetch)
    before = pty_of(jp_serverapp, name).ptyproc.getwinsize()
    async with joined(address, STOCK, name) as stock:
        async with joined(address, OURS, name) as ours:
            await ours.socket.send(frame)
            assert await ours.read_to_end() == 4500
            assert ours.socket.close_reason
        await stock.send("stdin", "echo al''ive\r")
        await stock.read_until("alive")
    assert os.listdir(jp_root_dir) == []
    assert pty_of(jp_serverapp, name).ptyproc.getwinsize() == before


async def test_a_frame_far_above_the_limit_ends_this_client_only(address: Address, jp_fetch: Any) -> None:
    name = await make_terminal(jp_fetch)
    async with joined(address, STOCK, name) as stock:
        async with joined(address, OURS, name) as ours:
            with pytest.raises(ConnectionClosed):
                await ours.send("stdin", "x" * (11 * 1024 * 1024))
                await ours.socket.wait_closed()
                await ours.send("stdin", "x")
            assert ours.socket.close_code in (1006, 1009)
        await stock.send("stdin", "echo al''ive\r")
        await stock.read_until("alive")


@pytest.mark.parametrize("name", ["99", "nope"])
async def test_an_unknown_terminal_is_not_found_and_none_is_made(
    jp_ws_fetch: Any, jp_serverapp: Any, name: str
) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_ws_fetch("ws", "terminal", name)
    assert caught.value.code == 404
    assert not jp_serverapp.web_app.settings["terminal_manager"].terminals


@pytest.mark.parametrize("jp_server_config", [{"terminals_enabled": False}], indirect=True)
async def test_where_terminals_are_off_there_is_none(jp_ws_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_ws_fetch("ws", "terminal", "1")
    assert caught.value.code == 404


async def test_our_own_terminal_protocol_is_not_promised_before_it_is_there(address: Address, jp_fetch: Any) -> None:
    name = await make_terminal(jp_fetch)
    socket = await address.open(f"{OURS}/{name}", TERMINAL_SUBPROTOCOL)
    async with asyncio.timeout(5):
        first = await socket.recv()
    assert socket.subprotocol is None or isinstance(first, bytes)
    socket.transport.abort()
    await socket.wait_closed()
