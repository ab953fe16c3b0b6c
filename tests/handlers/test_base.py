"""What all sockets have in common, with real tornado: subprotocols, no native pings, no delay, close codes."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.handlers.base import MAX_REASON_BYTES, HubSocket
from jupyter_ws_hub.handlers.hub import HubHandler
from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.client import Address, FileClient, HubClient, until
from tests.support.jupyterhub import FakeHubAuthorizer, FakeHubOAuth, FakeHubProvider, model

# The stock terminals' own socket has no such decorator; ours must have it, see test_auth.py.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Extension endpoints[\s\S]*TermSocket:jupyter_server.utils.JupyterServerAuthWarning"
)

ENDPOINTS = {"ws": HUB_SUBPROTOCOL, "ws/file-stream/0123": FILE_STREAM_SUBPROTOCOL, "ws/terminal/1": None}
SILENCE_S = 0.25


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Ask Jupyter and tornado for native pings every 20 ms: our sockets must not heed it; with `hub` under a Hub."""
    if getattr(request, "param", None) == "hub":
        jp_server_config["ServerApp"].update(
            identity_provider_class=FakeHubProvider, authorizer_class=FakeHubAuthorizer
        )
    jp_server_config["ServerApp"]["tornado_settings"] = {
        "ws_ping_interval": 20,
        "websocket_ping_interval": 0.02,
        "websocket_ping_timeout": 0.02,
    }
    return jp_server_config


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


@pytest.fixture
def parts(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app._parts


async def make_upload(address: Address, parts: Any) -> str:
    """The path of a stream that nobody has opened yet."""
    async with HubClient(address) as client:
        op = (await client.request("transfers.create", {"direction": "upload", "path": "a", "size": 1}))["op"]
    await until(lambda: not parts.sockets, "the client to be gone")
    return f"ws/file-stream/{op}"


async def make_terminal(fetch: Any) -> str:
    """The one terminal that ENDPOINTS names."""
    model = json.loads((await fetch("api", "terminals", method="POST", allow_nonstandard_methods=True)).body)
    return str(model["name"])


@asynccontextmanager
async def opened(address: Address, path: str, subprotocol: str | None) -> AsyncIterator[ClientConnection]:
    socket = await address.open(path, subprotocol)
    try:
        yield socket
    finally:
        socket.transport.abort()
        await socket.wait_closed()


async def close_of(socket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code, socket.close_reason


@pytest.mark.parametrize("path", ["ws", "ws/file-stream/0123"])
@pytest.mark.parametrize("offered", [None, "v9.hub.jupyter-ws-hub", "v1.kernel.websocket.jupyter.org"])
async def test_a_client_that_does_not_offer_our_subprotocol_is_refused_for_good(
    address: Address, parts: Any, path: str, offered: str | None
) -> None:
    async with opened(address, path, offered) as socket:
        assert socket.subprotocol is None
        code, reason = await close_of(socket)
    assert code == Code.VERSION_UNSUPPORTED
    assert code == 4506
    assert str(ENDPOINTS[path]) in str(reason)
    assert not parts.sockets
    assert parts.hub.connections == 0


async def test_our_subprotocol_is_chosen_among_others(jp_ws_fetch: Any) -> None:
    socket = await jp_ws_fetch("ws", subprotocols=["v2.hub.jupyter-ws-hub", HUB_SUBPROTOCOL])
    assert socket.selected_subprotocol == HUB_SUBPROTOCOL
    socket.close()
    await socket.read_message()


def _handshake(address: Address, path: str, subprotocol: str | None) -> bytes:
    lines = [
        f"GET {address.base_url}{path} HTTP/1.1",
        f"Host: 127.0.0.1:{address.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(b'0123456789abcdef').decode()}",
        "Sec-WebSocket-Extensions: permessage-deflate",
        *(f"{name}: {value}" for name, value in address.headers.items()),
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("path", ["ws", "ws/file-stream/0123"])
async def test_no_native_ping_comes_and_nothing_is_compressed(address: Address, path: str, parts: Any) -> None:
    subprotocol = ENDPOINTS[path]
    if path != "ws":
        path = await make_upload(address, parts)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    try:
        writer.write(_handshake(address, path, subprotocol))
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"permessage-deflate" not in head
        (handler,) = parts.sockets
        assert handler.ping_interval == 0 == handler.ping_timeout
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await reader.read(1)
    finally:
        writer.transport.abort()
        await until(lambda: not parts.sockets, "the socket to end")


async def test_no_native_ping_comes_on_a_terminal(address: Address, jp_fetch: Any, parts: Any) -> None:
    async with opened(address, f"ws/terminal/{await make_terminal(jp_fetch)}", None):
        (handler,) = parts.sockets
        assert handler.ping_interval == 0 == handler.ping_timeout
        assert handler.ping_callback is None


async def test_small_frames_go_out_at_once_on_every_endpoint(address: Address, jp_fetch: Any, parts: Any) -> None:
    paths = {
        "ws": HUB_SUBPROTOCOL,
        await make_upload(address, parts): FILE_STREAM_SUBPROTOCOL,
        f"ws/terminal/{await make_terminal(jp_fetch)}": None,
    }
    for path, subprotocol in paths.items():
        async with opened(address, path, subprotocol):
            (handler,) = await until(lambda: list(parts.sockets), "the socket to be open")
            assert handler.ws_connection.stream.socket.getsockopt(IPPROTO_TCP, TCP_NODELAY) == 1
        await until(lambda: not parts.sockets, "the socket to be closed")


async def test_a_long_reason_is_cut_to_what_a_close_frame_can_carry(address: Address, parts: Any) -> None:
    async with opened(address, "ws", HUB_SUBPROTOCOL) as socket:
        (handler,) = parts.sockets
        handler.end(int(Code.FORBIDDEN), "ä" * 100)
        handler.end(int(Code.NOT_FOUND), "only the first counts")
        code, reason = await close_of(socket)
    assert code == 4502
    assert reason == "ä" * (MAX_REASON_BYTES // 2)


async def test_what_is_sent_to_a_socket_that_is_gone_is_told_to_the_sender(address: Address, parts: Any) -> None:
    async with opened(address, "ws", HUB_SUBPROTOCOL):
        (handler,) = parts.sockets
    await until(lambda: not parts.sockets, "the socket to end")
    assert await handler.send("too late") is False
    assert await handler.send(b"too late") is False


@pytest.mark.parametrize("path", ["ws", "ws/file-stream/0123"])
async def test_a_request_that_is_no_upgrade_is_refused(jp_fetch: Any, path: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*path.split("/"))
    assert caught.value.code == 400


async def test_a_server_that_stops_tells_every_socket_to_come_back(
    jp_serverapp: Any, address: Address, jp_fetch: Any, parts: Any
) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    async with (
        HubClient(address) as client,
        opened(address, f"ws/terminal/{await make_terminal(jp_fetch)}", None) as terminal_socket,
    ):
        await client.request("transfers.create", {"direction": "upload", "path": "a", "size": 1})
        await until(lambda: len(parts.sockets) == 2, "both sockets to be open")
        await app.stop_extension()
        assert await client.wait_closed() == 4000
        assert (await close_of(terminal_socket))[0] == 4000
    assert not parts.sockets


# Users are checked again


async def all_open(address: Address, parts: Any, fetch: Any) -> tuple[HubClient, ClientConnection, FileClient]:
    """One client of each endpoint."""
    hub = HubClient(address)
    await hub.connect()
    op = (await hub.request("transfers.create", {"direction": "upload", "path": "a", "size": 9}))["op"]
    stream = FileClient(address, op)
    await stream.open()
    terminal = await address.open(f"ws/terminal/{await make_terminal(fetch)}")
    await until(lambda: len(parts.sockets) == 3, "all sockets to be open")
    return hub, terminal, stream


async def check_all(app: Any) -> None:
    """Let the users of all sockets be checked now."""
    for socket in app._parts.sockets:
        socket.check_due_s = 0.0
    await app._ticker.round()
    await until(lambda: not app._ticker._checks._under_way, "the checks to end")


async def codes(hub: HubClient, terminal: ClientConnection, stream: FileClient) -> list[int | None]:
    """How all of them were closed."""
    async with asyncio.timeout(5):
        await asyncio.gather(hub.wait_closed(), terminal.wait_closed(), stream.socket.wait_closed())
    return [hub.close_code, terminal.close_code, stream.socket.close_code]


under_a_hub = pytest.mark.parametrize("jp_server_config", ["hub"], indirect=True)


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


@pytest.fixture
def hub_auth(jp_serverapp: Any) -> FakeHubOAuth:
    """The Hub's side; `t1` is alice's token."""
    auth = jp_serverapp.identity_provider.hub_auth
    assert isinstance(auth, FakeHubOAuth)
    auth.tokens["t1"] = model("alice")
    return auth


@pytest.fixture
def alice(address: Address, hub_auth: FakeHubOAuth) -> Address:
    return Address(address.port, address.base_url, {"Authorization": "token t1"})


@pytest.fixture
def fetch_as_alice(jp_fetch: Any, alice: Address) -> Any:
    return functools.partial(jp_fetch, headers=alice.headers)


@under_a_hub
async def test_who_is_not_logged_in_any_more_loses_every_connection_for_good(
    app: Any, parts: Any, alice: Address, hub_auth: FakeHubOAuth, fetch_as_alice: Any, jp_root_dir: Path
) -> None:
    clients = await all_open(alice, parts, fetch_as_alice)
    asked = len(hub_auth.asked)
    await check_all(app)
    assert len(parts.sockets) == 3
    assert await clients[0].request("chat.rooms")
    assert hub_auth.asked[asked:] == [("t1", False, "")], "one question for all of a login's connections"
    hub_auth.tokens.clear()
    await app._parts.identity.stop()
    app._parts.identity._answers.clear()
    await check_all(app)
    assert await codes(*clients) == [4501] * 3
    (bye,) = [message for message in clients[0].others if message.type == "bye"]
    assert (bye.code, bye.reason) == (4501, "You are not logged in any more.")
    with pytest.raises(HubError) as caught:
        await clients[2].receive()
    assert caught.value.code is Code.UNAUTHENTICATED
    assert not parts.sockets


@under_a_hub
async def test_a_hub_that_cannot_be_asked_closes_nothing(
    app: Any, parts: Any, alice: Address, hub_auth: FakeHubOAuth, fetch_as_alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, terminal, stream = await all_open(alice, parts, fetch_as_alice)
    hub_auth.down = True
    await check_all(app)
    assert "cannot be checked now" in caplog.text
    assert len(parts.sockets) == 3
    assert await hub.request("chat.rooms")
    for connection in (terminal, stream.socket):
        connection.transport.abort()
        await connection.wait_closed()
    await hub.drop()


@under_a_hub
async def test_who_may_only_read_any_more_loses_what_needs_more_and_keeps_the_rest(
    app: Any, parts: Any, alice: Address, hub_auth: FakeHubOAuth, fetch_as_alice: Any
) -> None:
    hub, terminal, stream = await all_open(alice, parts, fetch_as_alice)
    rechecked: list[bool] = []

    async def recheck() -> None:
        rechecked.append(True)

    (socket,) = [socket for socket in parts.sockets if isinstance(socket, HubHandler)]
    connection: Any = socket.connection
    connection.recheck = recheck
    hub_auth.tokens["t1"] = model("alice", {*hub_auth.access_scopes, "read-only"})
    await check_all(app)
    async with asyncio.timeout(5):
        await asyncio.gather(terminal.wait_closed(), stream.socket.wait_closed())
    assert (terminal.close_code, stream.socket.close_code) == (4502, 4502)
    assert rechecked == [True]
    with pytest.raises(HubError) as caught:
        await hub.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
    assert caught.value.code is Code.FORBIDDEN
    assert await hub.request("chat.rooms")
    hub_auth.tokens["t1"] = model("alice", {"self"})
    app._parts.identity._answers.clear()
    await check_all(app)
    assert await hub.wait_closed() == 4502


async def test_without_a_hub_the_authorizer_is_asked_again(
    app: Any, parts: Any, address: Address, jp_fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, terminal, stream = await all_open(address, parts, jp_fetch)
    await check_all(app)
    assert len(parts.sockets) == 3
    asked: list[tuple[str, str]] = []

    async def is_authorized(handler: Any, user: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return resource != "terminals"

    monkeypatch.setattr(app.serverapp.authorizer, "is_authorized", is_authorized)
    await check_all(app)
    assert sorted(asked) == [("execute", "terminals"), ("write", "contents")]
    assert (await close_of(terminal))[0] == 4502
    assert await hub.request("chat.rooms")
    assert len(parts.sockets) == 2
    await stream.close()
    await hub.drop()


async def test_a_frame_behind_the_end_is_not_looked_at(address: Address, parts: Any) -> None:
    async with HubClient(address) as client:
        (handler,) = parts.sockets
        seen: list[str] = []
        handler.received = seen.append
        handler.end(int(Code.FORBIDDEN), "out")
        await client.socket.send("[]")
        assert await client.wait_closed() == 4502
        assert seen == []


@pytest.mark.parametrize(
    "connection", [None, SimpleNamespace(stream=None), SimpleNamespace(stream=SimpleNamespace(socket=None))]
)
def test_a_socket_that_is_gone_before_it_is_open_needs_no_limits(connection: Any) -> None:
    handler: Any = SimpleNamespace(ws_connection=connection)
    HubSocket.limit_unsent(handler)
