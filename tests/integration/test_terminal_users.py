"""Who may use a terminal over the binary protocol, who may only watch, and whose client is whose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.terminal import Data
from tests.support.client import Address
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import make_terminal, on_new_terminal
from tests.support.users import BY_HEADER, user

NAMES = f"""
{BY_HEADER}
from jupyter_server.auth import Authorizer

class ByName(Authorizer):
    "reader may read, nobody nothing, everybody else all."

    def is_authorized(self, handler, user, action, resource):
        return user.username != "nobody" and (user.username != "reader" or action == "read")

c.ServerApp.authorizer_class = ByName
c.ServerApp.disable_check_xsrf = True
"""
CONFIG = NAMES + "c.HubApp.allow_watching_terminals = True\n"
ENDPOINTS = [("ws/terminal", TERMINAL_SUBPROTOCOL), ("ws/terminal", None), ("terminals/websocket", None)]


async def status(address: Address, path: str, subprotocol: str | None) -> int:
    """The HTTP status of an upgrade."""
    try:
        socket = await address.open(path, subprotocol)
    except InvalidStatus as error:
        return error.response.status_code
    socket.transport.abort()
    await socket.wait_closed()
    return 101


async def test_without_a_token_or_the_permission_nobody_gets_in(start_server: Callable[..., Any]) -> None:
    server = start_server(config=NAMES)
    name = await make_terminal(user(server, "alice"))
    nobody_at_all, wrong = Address(server.port, "/", {}), Address(server.port, "/", {"Authorization": "token wrong"})
    for endpoint, subprotocol in ENDPOINTS:
        for stranger in (nobody_at_all, wrong, user(server, "nobody"), user(server, "reader")):
            assert await status(stranger, f"{endpoint}/{name}", subprotocol) == 403, (endpoint, stranger)
        assert await status(user(server, "alice"), f"{endpoint}/{name}", subprotocol) == 101
    # A name that is not there tells a stranger no more than one that is.
    assert await status(user(server, "reader"), "ws/terminal/nowhere", TERMINAL_SUBPROTOCOL) == 403


async def test_who_may_read_may_watch_where_the_administrator_allows_it(terminal_server: RealServer) -> None:
    async with on_new_terminal(user(terminal_server, "alice")) as alice:
        await alice.run("echo be''fore")
        async with TerminalClient(user(terminal_server, "reader"), alice.name) as reader:
            assert reader.welcome and reader.welcome.read_only
            assert alice.welcome and not alice.welcome.read_only
            await reader.until(b"before\r\n")
            await reader.send(Data(b"touch leak\r"))
            await reader.wait_for(lambda: reader.errors, "a refusal")
            assert {error.code for error in reader.errors} == {Code.FORBIDDEN}
            assert b"alive-4" in await alice.run("echo alive-$((2 + 2))")
            await reader.until(b"alive-4")
            await reader.ping()
            assert reader.close_code is None
        assert not (terminal_server.root / "leak").exists()


async def test_a_watcher_cannot_send_a_signal_either(terminal_server: RealServer) -> None:
    async with on_new_terminal(user(terminal_server, "alice")) as alice:
        async with TerminalClient(user(terminal_server, "reader"), alice.name) as reader:
            await alice.start("cat")
            for key in (b"\x03", b"\x1c", b"\x1a", b"\x04"):
                await reader.send(Data(key))
            await reader.wait_for(lambda: len(reader.errors) == 4, "four refusals")
            alice.type(b"still the same cat\r")
            await alice.until(b"still the same cat\r\nstill the same cat\r\n")


async def test_nobody_watches_over_json_which_cannot_say_that_input_is_refused(terminal_server: RealServer) -> None:
    async with on_new_terminal(user(terminal_server, "alice")) as alice:
        assert await status(user(terminal_server, "reader"), f"ws/terminal/{alice.name}", None) == 403


async def test_nobody_watches_without_the_permission_to_read(terminal_server: RealServer) -> None:
    name = await make_terminal(user(terminal_server, "alice"))
    for endpoint, subprotocol in ENDPOINTS:
        assert await status(user(terminal_server, "nobody"), f"{endpoint}/{name}", subprotocol) == 403
    # The stock endpoint is as strict as ever.
    assert await status(user(terminal_server, "reader"), f"terminals/websocket/{name}", None) == 403


async def test_another_user_with_the_same_client_id_takes_nobody_s_place(terminal_server: RealServer) -> None:
    async with on_new_terminal(user(terminal_server, "alice"), client="same") as alice:
        await alice.run("true")
        async with TerminalClient(user(terminal_server, "mallory"), alice.name, client="same") as mallory:
            assert mallory.welcome and alice.welcome
            assert mallory.welcome.accepted == 0, "the other's count is nobody's business"
            await mallory.run("true")
            await alice.run("true")
            assert alice.close_code is None
        again = await alice.connect()
        assert again.resumed and not again.fresh and again.accepted == len(alice.typed)


async def test_who_is_logged_in_elsewhere_cannot_open_one(terminal_server: RealServer) -> None:
    alice = user(terminal_server, "alice")
    name = await make_terminal(alice)
    foreign = Address(alice.port, alice.base_url, {**alice.headers, "Origin": "http://elsewhere.example"})
    assert await status(foreign, f"ws/terminal/{name}", TERMINAL_SUBPROTOCOL) == 403


async def test_a_version_that_is_not_known_is_not_selected(terminal_server: RealServer) -> None:
    """The endpoint speaks terminado's protocol then, or says that it does not know the version."""
    alice = user(terminal_server, "alice")
    socket = await alice.open(f"ws/terminal/{await make_terminal(alice)}", "v9.terminal.jupyter-ws-hub")
    assert socket.subprotocol is None
    try:
        async with asyncio.timeout(5):
            assert json.loads(await socket.recv()) == ["setup", {}]
    except ConnectionClosed:
        assert socket.close_code == Code.VERSION_UNSUPPORTED
    socket.transport.abort()
    await socket.wait_closed()
