"""A link against a small server and a bad network: all arrives once, and the end is told right."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from http import HTTPStatus

import pytest

from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.sockets import drop
from jupyter_ws_hub.cli.terminal_link import BACKLOG_BYTES, Away, Back
from jupyter_ws_hub.cli.terminal_socket import Why, open_terminal
from jupyter_ws_hub.protocol.terminal import MAX_WINDOW_BYTES, MIN_WINDOW_BYTES

from ..support.address import until
from ..support.proxy import FaultProxy, How
from ..support.terminal_server import TOKEN, Running, TerminalServer
from ..support.terminal_user import TerminalUser, attached


@pytest.fixture
def server() -> TerminalServer:
    """Has one terminal; it serves in the block that enters it."""
    server = TerminalServer()
    server.terminals["one"] = Running()
    return server


def address(server: TerminalServer, port: int | None = None) -> Server:
    return Server(f"http://127.0.0.1:{port or server.port}/", TOKEN)


async def test_what_is_typed_comes_back_and_the_exit_is_told(server: TerminalServer) -> None:
    async with server, attached(address(server), "one") as (user, running):
        await user.type(b"hello\n")
        await user.wait_for(b"hello\n")
        await user.type(b"exit 7\n")
        ending = await asyncio.wait_for(running, 10)
    assert ending.why is Why.EXITED
    assert user.client.exit is not None and user.client.exit.code == 7
    assert user.output == b"hello\nexit 7\n"


async def test_names_may_be_anything(server: TerminalServer) -> None:
    server.terminals["a b/ü?"] = Running()
    async with server, attached(address(server), "a b/ü?") as (user, _):
        await user.type(b"x")
        await user.wait_for(b"x")


async def test_nothing_is_lost_or_doubled_through_cuts(server: TerminalServer) -> None:
    chance = random.Random(1)
    terminal = server.terminals["one"]
    terminal.echoes = False
    typed, printed = random.Random(2).randbytes(300_000), random.Random(3).randbytes(3_000_000)
    async with (
        server,
        FaultProxy(server.port) as proxy,
        attached(address(server, proxy.port), "one", keys=False) as (user, _),
    ):

        async def keep_typing() -> None:
            for at in range(0, len(typed), 500):
                await user.type(typed[at : at + 500])
                terminal.print(printed[at * 10 : at * 10 + 5000])
                await asyncio.sleep(0.002)

        typing = asyncio.create_task(keep_typing())
        for cut in itertools.count():
            how: How = chance.choice(["rst", "fin"])
            proxy.cut_all(how)
            await asyncio.sleep(chance.uniform(0, 0.1))
            if typing.done() and cut >= 30:
                break
        await until(lambda: len(user.output) >= len(printed) and user.client.input.unread == 0, "everything")
        await typing
    assert user.output == printed
    assert terminal.model.input == typed
    assert len(user.joins) > 10 and user.cleared == 0


async def test_keys_typed_while_away_arrive_in_order(server: TerminalServer) -> None:
    async with server, FaultProxy(server.port) as proxy, attached(address(server, proxy.port), "one") as (user, _):
        await user.type(b"before ")
        await user.wait_for(b"before ")
        server.status = HTTPStatus.SERVICE_UNAVAILABLE
        proxy.cut_all()
        await until(lambda: any(isinstance(event, Away) for event in user.events), "away")
        for key in b"while\x03away":
            await user.type(bytes([key]))
        server.status = None
        await user.wait_for(b"before while\x03away")
    assert server.terminals["one"].model.input == b"before while\x03away"


async def test_a_second_connection_takes_over_from_one_that_takes_nothing(server: TerminalServer) -> None:
    server.deaf = lambda number: number == 0
    async with server, attached(address(server), "one") as (user, _):
        await user.type(b"once")
        await user.wait_for(b"once")
        assert server.connections == 2
        await user.type(b" more")
        await user.wait_for(b"once more")
    assert server.terminals["one"].model.input == b"once more"
    assert server.connections == 2


async def test_a_connection_that_speaks_again_stays(server: TerminalServer) -> None:
    async with server, FaultProxy(server.port) as proxy, attached(address(server, proxy.port), "one") as (user, _):
        await user.wait_for(b"")
        await until(lambda: user.joins, "the first connection")
        server.status = HTTPStatus.SERVICE_UNAVAILABLE
        proxy.links[0].stall()
        await user.type(b"typed")
        await until(lambda: any(isinstance(event, Away) for event in user.events), "silence is noticed")
        proxy.links[0].flowing.set()
        await user.wait_for(b"typed")
        await until(lambda: any(isinstance(event, Back) for event in user.events), "it speaks again")
        server.status = None
        proxy.cut_all()
        await until(lambda: len(user.joins) == 2, "a next one after its end")
    assert server.terminals["one"].model.input == b"typed"


async def test_an_attempt_that_was_given_up_and_arrives_late_ends_nothing(server: TerminalServer) -> None:
    async with server, attached(address(server), "one") as (user, _):
        await until(lambda: user.joins, "the first connection")
        ghost = await open_terminal(address(server), "one", user.client.query())
        await user.type(b"typed")
        await user.wait_for(b"typed")
        assert len(user.joins) == 2 and server.connections == 3
        drop(ghost[0])
    assert server.terminals["one"].model.input == b"typed"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda server: server.terminals.clear(), Why.GONE),
        (lambda server: setattr(server.terminals["one"].model, "epoch", "ff" * 16), Why.GONE),
        (lambda server: setattr(server, "close_with", 4501), Why.REFUSED),
        (lambda server: setattr(server, "close_with", 4510), Why.BROKEN),
        (lambda server: setattr(server, "status", HTTPStatus.FORBIDDEN), Why.REFUSED),
    ],
    ids=["the name is gone", "another terminal has the name", "logged out", "a protocol error", "refused upgrade"],
)
async def test_some_ends_are_final(server: TerminalServer, spoil: Callable[[TerminalServer], None], why: Why) -> None:
    async with (
        server,
        FaultProxy(server.port) as proxy,
        attached(address(server, proxy.port), "one") as (user, running),
    ):
        await until(lambda: user.joins, "the first connection")
        spoil(server)
        proxy.cut_all()
        ending = await asyncio.wait_for(running, 10)
    assert ending.why is why and ending.message.endswith(".")


async def test_a_server_that_is_starting_is_waited_for(server: TerminalServer) -> None:
    server.close_with = 4000
    async with server, attached(address(server), "one") as (user, _):
        await asyncio.sleep(0.05)
        server.close_with, server.status = None, HTTPStatus.BAD_GATEWAY
        await asyncio.sleep(0.05)
        server.status = None
        await until(lambda: user.joins, "the connection")


async def test_who_detaches_says_so_and_what_was_typed_goes_before(server: TerminalServer) -> None:
    async with server, attached(address(server), "one") as (user, running):
        await until(lambda: user.joins, "the connection")
        user.link.send(b"last")
        user.link.detach()
        assert (await asyncio.wait_for(running, 10)).why is Why.DETACHED
    known = server.terminals["one"].model.clients["a-user"]
    assert known.connection is not None and known.connection.left
    assert server.terminals["one"].model.input == b"last"


async def test_detaching_while_away_does_not_wait(server: TerminalServer) -> None:
    server.status = HTTPStatus.BAD_GATEWAY
    async with server, attached(address(server), "one") as (user, running):
        await asyncio.sleep(0)
        user.link.detach()
        assert (await asyncio.wait_for(running, 2)).why is Why.DETACHED


async def next_window(user: TerminalUser) -> None:
    """One more connection, and as much as it may bring."""
    joins, size = len(user.joins), len(user.output)
    await until(lambda: len(user.joins) > joins, "a connection")
    await until(lambda: len(user.output) >= size + MIN_WINDOW_BYTES, "its window")


async def test_output_that_nobody_consumes_is_bounded_over_all_connections(server: TerminalServer) -> None:
    terminal = server.terminals["one"]
    terminal.print(bytes(3_000_000))
    options = {"consumes": False, "window": 4 * MIN_WINDOW_BYTES}
    async with (
        server,
        FaultProxy(server.port) as proxy,
        attached(address(server, proxy.port), "one", **options) as (user, _),
    ):
        for _ in range(5):
            await next_window(user)
            proxy.cut_all()
        assert user.client.backlog == len(user.output) <= 8 * MIN_WINDOW_BYTES


async def test_no_connection_is_opened_while_the_screen_is_far_behind(server: TerminalServer) -> None:
    server.terminals["one"].print(bytes(2 * BACKLOG_BYTES))
    options = {"consumes": False, "window": MAX_WINDOW_BYTES}
    async with (
        server,
        FaultProxy(server.port) as proxy,
        attached(address(server, proxy.port), "one", **options) as (
            user,
            _,
        ),
    ):
        await until(lambda: len(user.output) == 2 * BACKLOG_BYTES, "all output")
        proxy.cut_all()
        await until(lambda: user.events[-1] == Away(), "the cut")
        await asyncio.sleep(0.3)
        assert server.connections == 1
        user.link.consumed(2 * BACKLOG_BYTES)
        await until(lambda: len(user.joins) == 2, "the next connection")
