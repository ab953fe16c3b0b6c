"""Chat through a network that cuts at random bytes, and a server that is killed: every event once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.client import Address, HubClient, until
from tests.support.proxy import Fault, FaultProxy, How, Way
from tests.support.server import RealServer

EVENTS = 200
TEXT = "x" * 40
LIMIT_S = 45.0
pytestmark = pytest.mark.timeout(180)


CONFIG = "c.HubApp.heartbeat_interval_s = 0.3\nc.HubApp.heartbeat_grace_s = 2.5\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file; each test has a room of its own."""
    with RealServer(tmp_path_factory.mktemp("server"), config=CONFIG).running() as server:
        yield server


async def make_room(server: RealServer, room: str) -> None:
    async with HubClient(Address.of(server)) as client:
        await client.request("chat.create", {"name": room})


def cutting(seed: int, how: How, *, up: bool, most: int) -> Callable[[int], Fault]:
    """Each connection ends at a random byte: of the handshake, of the hello, or of what comes later.

    `most` must be more than one frame has (64 KiB): half a frame is nothing, so else nobody ever comes further.
    """
    chance = random.Random(seed)

    def fault(number: int) -> Fault:
        way = Way(cut_after=int(most ** chance.uniform(0.5, 1)), piece_bytes=chance.choice([1500, 65536]))
        return Fault(up=way, how=how) if up else Fault(down=way, how=how)

    return fault


async def keep_reading(client: HubClient, room: str, number: int) -> None:
    """Subscribe, and read on over every cut until `number` events have come."""
    await client.reconnect()
    subscribing = asyncio.create_task(client.subscribe(f"chat/{room}", "earliest", timeout_s=LIMIT_S))
    async with asyncio.timeout(LIMIT_S):
        while len(client.events) < number:
            if client.close_code is not None:
                await client.reconnect()
            await client.wait_for(
                lambda: client.close_code is not None or len(client.events) >= number, "news or the end", LIMIT_S
            )
    await subscribing


async def insist(client: HubClient, method: str, params: dict[str, Any]) -> Any:
    """Ask once, over every cut: the same request is sent again, with its ref, until it is answered."""
    if client.close_code is not None or client.welcome is None:
        await client.reconnect()
    request = asyncio.create_task(client.request(method, params, timeout_s=LIMIT_S))
    while not request.done():
        lost = asyncio.create_task(client.wait_for(lambda: client.close_code is not None, "the end", LIMIT_S))
        await asyncio.wait([request, lost], return_when=asyncio.FIRST_COMPLETED)
        if lost.done() and not request.done():
            await client.reconnect()
        lost.cancel()
        await asyncio.wait([lost])
    return await request


async def post_all(client: HubClient, room: str, numbers: range) -> None:
    async with asyncio.timeout(LIMIT_S):
        for n in numbers:
            await insist(client, "chat.post", {"room": room, "text": TEXT, "id": f"{n}"})


def assert_exactly_once(client: HubClient, number: int) -> None:
    assert [event.id for event in client.events] == [f"{n}" for n in range(number)]
    assert [event.offset for event in client.events] == list(range(1, number + 1))
    assert {answer.status for answer in client.subscribed} <= {"ok"}


@pytest.mark.parametrize(("how", "seed"), [("rst", 3), ("fin", 7)])
async def test_every_event_comes_once_in_order_though_both_sides_are_cut_at_random_bytes(
    server: RealServer, how: How, seed: int
) -> None:
    await make_room(server, how)
    async with (
        FaultProxy(server.port, cutting(seed, how, up=False, most=80_000)) as down,
        FaultProxy(server.port, cutting(seed, how, up=True, most=8_000)) as up,
    ):
        reader, writer = HubClient(Address.of(server, down.port)), HubClient(Address.of(server, up.port))
        await asyncio.gather(keep_reading(reader, how, EVENTS), post_all(writer, how, range(EVENTS)))
        await reader.drop()
        await writer.drop()
        assert_exactly_once(reader, EVENTS)
        assert min(len(down.links), len(up.links)) > 4, "too few cuts to show anything"
    assert "Traceback" not in server.log_text


async def test_a_request_that_may_run_only_once_runs_once_over_every_cut(server: RealServer) -> None:
    titles, sessions = [f"{n}" for n in range(30)], set()
    async with FaultProxy(server.port, cutting(5, "rst", up=False, most=2500)) as proxy:
        client = HubClient(Address.of(server, proxy.port))
        for title in titles:
            await insist(client, "notifications.post", {"title": title})
            assert client.welcome is not None
            sessions.add(client.welcome.session)
        await client.drop()
        assert len(proxy.links) > 8
    async with HubClient(Address.of(server)) as reader:
        items = (await reader.request("notifications.list", {"limit": 200}))["items"]
    assert [item["notification"]["title"] for item in items] == titles
    assert len(sessions) == 1, "a session was lost, and with it what says that a request has run"


async def test_after_kills_and_restarts_every_event_has_come_once_in_order(server: RealServer) -> None:
    await make_room(server, "killed")
    reader, writer = HubClient(Address.of(server)), HubClient(Address.of(server))
    work = asyncio.gather(keep_reading(reader, "killed", EVENTS), post_all(writer, "killed", range(EVENTS)))

    def some_more(before: int = 0) -> bool:
        return len(reader.events) > before + EVENTS // 4

    await until(some_more, "some events", 20)
    await asyncio.to_thread(server.kill)
    before = len(reader.events)
    await asyncio.to_thread(server.start)
    await until(lambda: some_more(before), "some more events", 20)
    await work
    await reader.drop()
    await writer.drop()
    assert_exactly_once(reader, EVENTS)


async def test_what_one_side_does_not_know_to_be_lost_does_not_keep_the_client_from_going_on(
    server: RealServer,
) -> None:
    await make_room(server, "lost")
    async with FaultProxy(server.port) as proxy, HubClient(Address.of(server)) as writer:
        reader = HubClient(Address.of(server, proxy.port))
        await reader.connect()
        await reader.subscribe("chat/lost")

        # Half open: the server still believes in the old connection when the client comes back.
        proxy.cut_all("fin", unaware="server")
        assert await reader.wait_closed() == 1006
        await post_all(writer, "lost", range(3))
        assert (await reader.reconnect()).resumed is True
        await reader.wait_for(lambda: len(reader.events) == 3, "what was missed")

        # A black hole: what the client sends does not arrive; the server's heartbeat ends that, final for nobody.
        proxy.fault = Fault(up=Way(swallow_after=3000))
        await reader.connect()
        while proxy.links[-1].up_bytes < 3000:
            await reader.socket.send('[{"type":"ping"}]')
            await asyncio.sleep(0)
        await reader.wait_for(lambda: [m for m in reader.others if (m.type, m.code) == ("bye", 4002)], "the goodbye")
        proxy.fault = Fault()
        await post_all(writer, "lost", range(3, 4))
        assert (await reader.reconnect()).resumed is True
        await reader.wait_for(lambda: len(reader.events) == 4, "what is new")
        assert_exactly_once(reader, 4)
        await reader.drop()
