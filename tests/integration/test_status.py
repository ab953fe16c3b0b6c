"""What a real server tells of itself: its connections, its helper, what it uses; and nothing to who may not know."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.status import ConnectionTotals, ProcessStatus
from tests.support.client import Address, HubClient, Message
from tests.support.server import RealServer

DENYING = """
from jupyter_server.auth import Authorizer
class NoStatus(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "status"
c.ServerApp.authorizer_class = NoStatus
"""


async def test_figures_are_real_and_come_while_they_are_followed(start_server: Callable[..., RealServer]) -> None:
    server = start_server()
    async with HubClient(Address.of(server)) as one, HubClient(Address.of(server)) as two:
        await one.subscribe("status")

        def told(kind: str) -> list[Message]:
            return [event for event in one.events if event.kind == kind]

        await one.wait_for(lambda: len(told("process")) >= 2 and told("connections"), "the server tells what it uses")
        process = msgspec.convert(told("process")[-1].data, ProcessStatus)
        assert 0.3 * server.resident_bytes < process.memory < 3 * server.resident_bytes
        assert 0 <= process.cpu <= process.machine_cores
        assert process.loop_lag_ms >= 0
        counts = msgspec.convert(told("connections")[-1].data, ConnectionTotals)
        assert (counts.main, counts.terminals, counts.users) == (2, 0, 1)
        answer = await two.request("status.get", {})
        assert answer["connections"]["main"] == 2
        assert answer["process"]["memory"] > 10_000_000
        assert {service["id"]: service["state"] for service in answer["services"]}["status"] == "ok"


async def test_what_a_jupyterhub_allows_its_server_is_what_it_has(start_server: Callable[..., RealServer]) -> None:
    server = start_server(environment={"MEM_LIMIT": str(300_000_000), "CPU_LIMIT": "0.5"})
    async with HubClient(Address.of(server)) as client:
        process = msgspec.convert((await client.request("status.get"))["process"], ProcessStatus)
    assert (process.machine_memory, process.machine_cores) == (300_000_000, 0.5)
    assert "machine" not in (process.memory_of, process.cores_of)
    assert 0.3 * server.resident_bytes < process.machine_memory_used


async def test_who_may_not_read_the_state_is_told_none_of_it(start_server: Callable[..., RealServer]) -> None:
    server = start_server(config=DENYING)
    async with HubClient(Address.of(server)) as client:
        for ask in (lambda: client.request("status.get", {}), lambda: client.subscribe("status")):
            with pytest.raises(HubError) as refused:
                await ask()
            assert refused.value.code is Code.FORBIDDEN
        assert client.events == []
