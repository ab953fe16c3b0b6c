"""Services that misbehave take down neither a connection nor another service, and nobody is made to wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol import messages as wire
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.base import Service
from tests.support.client import Address, HubClient
from tests.support.plugin import installed
from tests.support.server import RealServer
from tests.support.trouble import STOPPED, SickService, SleeperService, StillbornService, TroubleService
from tests.support.waits import waiting

ANSWER_S = 0.25
RUNNING = 16
"""Handlers of one session that run at once."""
MAX_REQUESTS = 64
BURN_S = 0.002
FAIRNESS_S = 0.04
"""Twenty of the other's calls: in the midst of three or four of them is what fairness gives."""
MB = 1 << 20
READS = "c.HubApp.reads_per_s = 0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server with all who misbehave, but the one that never starts."""
    folder = tmp_path_factory.mktemp("server")
    with installed(folder / "plugin", TroubleService, StillbornService, SickService):
        server = RealServer(folder, config=READS)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@asynccontextmanager
async def nobody_notices(client: HubClient, beside: HubClient) -> AsyncIterator[None]:
    """While the block runs, another service answers soon on the same connection, and all do on another one."""
    async with (
        waiting(client, "chat.rooms") as same,
        waiting(beside, "trouble.echo") as other,
        waiting(beside, "chat.rooms") as rooms,
    ):
        yield
    print("same:", same, "| other:", other, "| rooms:", rooms)
    assert max(waits.longest_but_one_s for waits in (same, other, rooms)) < ANSWER_S, f"{same}; {other}; {rooms}"
    assert client.close_code is None and beside.close_code is None


@asynccontextmanager
async def two(server: RealServer) -> AsyncIterator[tuple[HubClient, HubClient]]:
    """The client that asks for trouble, and one beside."""
    async with HubClient(Address.of(server)) as client, HubClient(Address.of(server)) as beside:
        yield client, beside


async def refusal(asked: Any) -> Code:
    """With what a request is refused."""
    with pytest.raises(HubError) as refused:
        await asked
    return refused.value.code


@pytest.mark.parametrize("method", ["trouble.fail", "trouble.fail_stream", "trouble.wrong"])
async def test_a_service_that_raises_is_told_of_and_no_more(server: RealServer, method: str) -> None:
    async with two(server) as (client, beside):
        async with nobody_notices(client, beside):
            for _ in range(50):
                assert await refusal(client.request(method)) is Code.INTERNAL
        assert await client.request("trouble.echo", {"text": "still here"}) == {"text": "still here"}


async def test_a_service_that_hangs_holds_up_only_who_asked(server: RealServer) -> None:
    async with two(server) as (client, beside), nobody_notices(client, beside):
        hanging = [asyncio.create_task(client.request("trouble.hang", timeout_ms=1500)) for _ in range(RUNNING - 1)]
        assert {await refusal(task) for task in hanging} == {Code.TIMEOUT}


async def test_as_many_hanging_requests_as_may_be_cost_the_one_session_alone(server: RealServer) -> None:
    async with two(server) as (client, beside):
        hanging = [asyncio.create_task(client.request("trouble.hang")) for _ in range(MAX_REQUESTS)]
        await asyncio.sleep(0)  # they are sent
        async with waiting(beside, "chat.rooms") as waits:
            assert await refusal(client.request("chat.rooms")) is Code.BUSY
            await client.send(wire.Ping(7))
            await client.wait_for(lambda: any(m.type == "pong" and m.t == 7 for m in client.others), "a pong")
        assert waits.longest_but_one_s < ANSWER_S, waits
        await client.send(*(wire.Cancel(ref) for ref in range(1, MAX_REQUESTS + 1)))
        assert {await refusal(task) for task in hanging} == {Code.CANCELLED}
        assert await client.request("chat.rooms")


async def test_a_service_that_floods_is_one_of_many(server: RealServer) -> None:
    async with two(server) as (client, beside):
        for topic in ("trouble/volatile", "trouble/latest"):
            await client.subscribe(topic)
        before = server.resident_bytes
        seen = 0
        try:
            async with nobody_notices(client, beside):
                await client.request("trouble.flood")
                for _ in range(20):
                    await asyncio.sleep(0.1)
                    seen += len(client.events)
                    client.events.clear()
        finally:
            await client.request("trouble.ebb")
        print(seen, "events seen,", server.resident_bytes - before, "bytes more")
        assert server.resident_bytes - before < 30 * MB
        assert seen, "there was no flood"


async def test_huge_results_come_or_are_refused_and_hold_nobody_up(server: RealServer) -> None:
    async with two(server) as (client, beside), nobody_notices(client, beside):
        for _ in range(10):
            answers = [client.request("trouble.huge", {"size": 1_500_000}) for _ in range(5)]
            assert [len(answer["text"]) for answer in await asyncio.gather(*answers)] == [1_500_000] * 5
            assert await refusal(client.request("trouble.huge", {"size": 10_000_000})) is Code.TOO_BIG


async def test_status_tells_the_truth_of_all_services(server: RealServer) -> None:
    async with HubClient(Address.of(server)) as client:
        states = {one["id"]: one for one in (await client.request("status.get"))["services"]}
    assert states["stillborn"]["state"] == "down" and "could not start" in states["stillborn"]["reason"]
    assert states["sick"]["state"] == "down" and "RuntimeError" in states["sick"]["reason"]
    well = states.keys() - {"stillborn", "sick"}
    assert well >= {"chat", "files", "notifications", "status", "transfers", "trouble"}
    assert {states[name]["state"] for name in well} == {"ok"}


async def test_a_session_with_much_to_compute_leaves_the_next_one_its_turn(server: RealServer) -> None:
    left = iter(range(10 * MAX_REQUESTS))
    async with two(server) as (busy, beside):

        async def burn() -> None:
            for _ in left:
                await busy.request("trouble.burn", {"seconds": BURN_S})

        async with waiting(beside, "trouble.echo", at_least=3) as waits:
            await asyncio.gather(*(burn() for _ in range(MAX_REQUESTS)))
        print(waits)
        assert waits.median_s < FAIRNESS_S and waits.longest_but_one_s < ANSWER_S, waits


StartWith = Callable[..., RealServer]


@pytest.fixture
def start_with(tmp_path: Path) -> Iterator[StartWith]:
    """Start a server with services of a kind."""
    with ExitStack() as stack:

        def start(*services: type[Service]) -> RealServer:
            stack.enter_context(installed(tmp_path / "plugin", *services))
            server = RealServer(tmp_path)
            stack.callback(server.stop)
            server.start()
            return server

        yield start


async def test_a_service_that_never_starts_keeps_no_other_from_starting(start_with: StartWith) -> None:
    server = await asyncio.to_thread(start_with, TroubleService, SleeperService)
    async with asyncio.timeout(5), HubClient(Address.of(server)) as client:
        assert await client.request("trouble.echo", {"text": "x"}) == {"text": "x"}
        states = {one["id"]: one["state"] for one in (await client.request("status.get"))["services"]}
        assert states["sleeper"] != "ok" and states["trouble"] == "ok"


def test_a_service_that_does_not_stop_keeps_no_other_from_stopping(start_with: StartWith) -> None:
    server = start_with(TroubleService, SickService)  # in the order of their names
    server.stop()
    assert "'sick'" in server.log_text and STOPPED in server.log_text


def test_a_service_that_is_sick_does_not_fill_the_log(start_with: StartWith) -> None:
    server = start_with(SickService)
    time.sleep(3.5)  # the status is looked at each second
    assert 1 <= server.log_text.count("The service 'sick' cannot tell how it is") <= 2
