"""A server that stops says goodbye to all its clients, ends soon, and the next one goes on with their sessions."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address, HubClient
from tests.support.server import RealServer

Start = Callable[..., RealServer]
CLIENTS = 200
MANY = "c.HubApp.max_connections_per_user = 0\n"
STOP_S = 3.0
BEGAN = re.compile(r"\[\w (\S+ \S+) ServerApp\] Shutting down \d+ extensions")


def moment(text: str) -> float:
    """The time of a line of the log, in seconds."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").timestamp()


async def connect_all(clients: list[HubClient]) -> list[bool]:
    """Connect, some at a time; who goes on with a session."""
    resumed: list[bool] = []
    for start in range(0, len(clients), 20):
        welcomes = await asyncio.gather(*(client.connect() for client in clients[start : start + 20]))
        resumed += [welcome.resumed for welcome in welcomes]
    return resumed


async def test_all_clients_are_told_to_come_back_and_do(start_server: Start) -> None:
    server = await asyncio.to_thread(start_server, config=MANY)
    async with AsyncExitStack() as stack:
        clients = [HubClient(Address.of(server)) for _ in range(CLIENTS)]
        for client in clients:
            stack.push_async_callback(client.drop)
        assert await connect_all(clients) == [False] * CLIENTS
        for client in clients[::10]:
            await client.subscribe("chat/general")
        await clients[0].request("chat.post", {"room": "general", "text": "x", "id": "before"})

        began_s = time.time()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        codes = await asyncio.gather(*(client.wait_closed() for client in clients))
        told_s = time.time() - began_s
        await stopping
        ended_s = time.time()
        (shutting_down,) = BEGAN.findall(server.log_text)
        print(f"all told after {told_s:.2f} s, ended after {ended_s - began_s:.2f} s")

        assert set(codes) == {Code.SHUTTING_DOWN}
        byes = [[message for message in client.others if message.type == "bye"] for client in clients]
        assert [len(bye) for bye in byes] == [1] * CLIENTS
        assert {bye.code for (bye,) in byes} == {Code.SHUTTING_DOWN}
        waits_ms = [bye.retry_after_ms or 0 for (bye,) in byes]
        assert min(waits_ms) >= 500 and len(set(waits_ms)) >= 4
        assert max(waits_ms.count(wait_ms) for wait_ms in set(waits_ms)) <= CLIENTS / 4
        assert ended_s - moment(shutting_down) < STOP_S
        assert "Traceback" not in server.log_text

        await asyncio.to_thread(server.start)
        assert await connect_all(clients) == [True] * CLIENTS
        await clients[1].request("chat.post", {"room": "general", "text": "x", "id": "after"})
        for client in clients[::10]:
            assert [event.id for event in await client.next_events(2)] == ["before", "after"]
