"""A request that has begun is never refused as `busy`: its client would take it for not done, and ask anew."""

from __future__ import annotations

from dataclasses import replace

from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.protocol.messages import Reply, Request
from jupyter_ws_hub.storage.memory import MemoryValues

from ..support.fakes import FakeClock, counting_ids, fake_runtime, turns
from .client import Desk, HubClient, code_of, make_hub, only, opened, raw


async def test_what_runs_on_another_server_is_not_busy_on_this_one() -> None:
    clock, desk = FakeClock(), Desk()
    values = MemoryValues(clock)
    first = make_hub(desk, values=values, clock=clock)
    second = make_hub(
        values=values,
        settings=HubSettings(max_requests=2),
        runtime=replace(fake_runtime(clock), new_id=counting_ids("second")),
    )
    before = await opened(first)
    requests = [Request(ref, "wait", raw({"text": f"{ref}"})) for ref in (1, 2, 3)]
    before.send(*requests)
    await turns()
    assert desk.calls == ["1", "2", "3"]

    after = HubClient(second)
    await after.hello(resume=before.welcome)
    after.send(*requests)
    refused = [code_of(reply) for reply in only(Reply, await after.read()) if reply.error is not None]
    assert "busy" not in refused
