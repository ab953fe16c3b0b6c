"""A connection that ends says so, and nothing else: what was under way on it is asked again on the next one."""

from __future__ import annotations

import asyncio

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.messages import Bye, Reply, Subscribe

from ..support.fakes import HookedLog, counting_ids, turns
from .client import make_hub, only, opened


async def test_a_subscription_under_way_is_not_refused_when_the_server_stops() -> None:
    """A client would take the refusal, which is final, for the topic's, and never follow it again."""
    log, gate = HookedLog(counting_ids("epoch")), asyncio.Event()

    async def wait(operation: str) -> None:
        await gate.wait()

    hub = make_hub(log=log)
    client = await opened(hub)
    log.before = wait
    client.send(Subscribe(1, "notes/a", "earliest"))
    await turns()
    await hub.stop(retry_after_ms=0)
    read = await client.read()
    assert client.close_code == Code.SHUTTING_DOWN
    assert only(Reply, read) == []
    assert len(only(Bye, read)) == 1
