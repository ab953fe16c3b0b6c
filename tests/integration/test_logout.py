"""Logging out of a real server, as a browser does it: every socket of that browser ends, those of others do not."""

from __future__ import annotations

import asyncio
import hashlib
import http.cookiejar
import json
import urllib.parse
import urllib.request
from collections.abc import Callable

import pytest
from websockets.asyncio.client import ClientConnection

from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address, FileClient, HubClient
from tests.support.server import TOKEN, RealServer

PASSWORD = "correct horse"
HASHED = f"sha256:salt:{hashlib.sha256(f'{PASSWORD}salt'.encode()).hexdigest()}"
Start = Callable[..., RealServer]


class Browser:
    """A browser with cookies of its own."""

    def __init__(self, server: RealServer) -> None:
        """Not logged in."""
        self.server = server
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def cookies(self) -> dict[str, str]:
        """What it sends."""
        return {cookie.name: cookie.value or "" for cookie in self.jar}

    def get(self, path: str) -> str:
        """A page."""
        with self._opener.open(self.server.url + path, timeout=10) as response:
            text: bytes = response.read()
            return text.decode()

    def post(self, path: str, **fields: str) -> str:
        """Send a form, or nothing, as a page of the server does it."""
        data = urllib.parse.urlencode(fields).encode()
        headers = {"X-XSRFToken": self.cookies().get("_xsrf", "")}
        with self._opener.open(urllib.request.Request(self.server.url + path, data, headers), timeout=10) as response:
            text: bytes = response.read()
            return text.decode()

    def log_in(self, how: str) -> None:
        """By the form, or by the link that the server prints."""
        if how == "password":
            self.get("login")
            self.post("login", password=PASSWORD)
        else:
            self.get(f"login?token={TOKEN}")
        assert any(name.startswith("username-") for name in self.cookies()), self.cookies()

    @property
    def address(self) -> Address:
        """How its sockets are opened."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies().items())
        origin = f"http://127.0.0.1:{self.server.port}"
        return Address(self.server.port, self.server.base_url, {"Cookie": cookie, "Origin": origin})


async def open_all(browser: Browser) -> tuple[HubClient, ClientConnection, FileClient]:
    """A socket of each kind."""
    hub = HubClient(browser.address)
    await hub.connect()
    op = (await hub.request("transfers.create", {"direction": "upload", "path": "a.bin", "size": 9}))["op"]
    stream = FileClient(browser.address, op)
    await stream.open()
    name = json.loads(await asyncio.to_thread(browser.post, "api/terminals"))["name"]
    terminal = await browser.address.open(f"ws/terminal/{name}")
    async with asyncio.timeout(10):
        assert await terminal.recv() == '["setup", {}]'
    return hub, terminal, stream


CONFIG = {"token": "", "password": f"c.PasswordIdentityProvider.hashed_password = {HASHED!r}"}


@pytest.mark.parametrize("how", CONFIG)
async def test_a_logout_ends_all_sockets_of_this_browser_and_none_of_another(start_server: Start, how: str) -> None:
    server = await asyncio.to_thread(start_server, config=CONFIG[how], base_url="/a%40b/")
    mine, other = Browser(server), Browser(server)
    for browser in (mine, other):
        await asyncio.to_thread(browser.log_in, how)
    hub, terminal, stream = await open_all(mine)
    others = await open_all(other)
    before = mine.address
    assert "Successfully logged out" in await asyncio.to_thread(mine.get, "logout")
    assert not any(name.startswith("username-") for name in mine.cookies())
    assert await hub.wait_closed() == Code.UNAUTHENTICATED
    async with asyncio.timeout(10):
        await asyncio.gather(terminal.wait_closed(), stream.socket.wait_closed())
    assert [terminal.close_code, stream.socket.close_code] == [4501, 4501]
    assert hub.socket.close_reason == terminal.close_reason == stream.socket.close_reason == "You have logged out."
    assert before.headers != mine.address.headers
    assert await others[0].request("chat.rooms")
    await others[1].send(json.dumps(["stdin", "echo al''ive\r"]))
    async with asyncio.timeout(10):
        while "alive" not in str(await others[1].recv()):
            pass
    await others[2].upload(b"012345678")
    for connection in (others[1], others[2].socket):
        connection.transport.abort()
        await connection.wait_closed()
    await others[0].drop()
    assert "Traceback" not in server.log_text
