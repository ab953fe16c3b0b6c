"""Two servers of one user on one root share their messages: within a second, in one order, for anybody who moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.client import Address, HubClient
from tests.support.server import RealServer

Start = Callable[..., RealServer]
TOPIC = "chat/general"


async def post(client: HubClient, id: str) -> int:
    return int((await client.request("chat.post", {"room": "general", "text": id, "id": id}))["seq"])


async def test_two_servers_on_one_root_are_one_place_to_chat(start_server: Start, tmp_path: Path) -> None:
    # One data directory and one root: what `jupyter server` started twice in one place has.
    first, second = (start_server(base_dir=tmp_path / "shared") for _ in range(2))
    assert first.port != second.port
    async with HubClient(Address.of(first)) as a, HubClient(Address.of(second)) as b:
        await a.subscribe(TOPIC)
        await b.subscribe(TOPIC)

        # Each sees the other's events within a second.
        for n in range(10):
            here, there = (a, b) if n % 2 else (b, a)
            started = time.monotonic()
            await post(here, f"turn{n}")
            await there.wait_for(lambda there=there, n=n: len(there.events) > n, "the other's event", 5)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            assert time.monotonic() - started < 1

        # Both post at once: one order, without a gap or a double, for both.
        offsets = await asyncio.gather(*(post(c, f"{name}{n}") for n in range(20) for c, name in ((a, "a"), (b, "b"))))
        assert sorted(offsets) == list(range(11, 51))
        for client in (a, b):
            await client.wait_for(lambda client=client: len(client.events) == 50, "all events", 5)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert [event.id for event in a.events] == [event.id for event in b.events]
        assert [event.offset for event in a.events] == list(range(1, 51))

        # A client that moves to the other server goes on where it was.
        await a.drop()
        await post(b, "while a was away")
        a.address = Address.of(second)
        welcome = await a.connect()
        assert welcome.resumed is True
        await a.wait_for(lambda: len(a.events) == 51, "what was missed")
        assert [answer.status for answer in a.subscribed] == ["ok"]
        assert (a.events[-1].offset, a.events[-1].id) == (51, "while a was away")

        # The first server ends hard; the second does not mind.
        await asyncio.to_thread(first.kill)
        assert await post(b, "alone") == 52
        await a.wait_for(lambda: len(a.events) == 52, "what is new")
    assert "Traceback" not in first.log_text
