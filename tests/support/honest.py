"""An honest client that goes on working beside a hostile one, and notices if it is made to wait or loses anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from .client import Address, HubClient, until
from .server import RealServer
from .waits import FairClock

ROUND_TRIP_S = 0.25
"""Generous, and one hiccup more is forgiven. For how long a shared machine was busy with others does not count."""
PAUSE_S = 0.02


class Honest:
    """Posts to a room of its own, and follows it."""

    def __init__(self, client: HubClient, room: str, server: RealServer) -> None:
        """The room must be there."""
        self.client = client
        self._clock = FairClock(server.pid)
        self.room = room
        self.round_trips_s: list[float] = []
        self._posted: list[str] = []

    async def work(self) -> None:
        """Post, one after the other, until it is cancelled."""
        for number in count():
            id = f"{self.room}-{number}"
            started_s = self._clock.now_s()
            self._posted.append(id)
            await self.client.request("chat.post", {"room": self.room, "text": "still here", "id": id})
            self.round_trips_s.append(self._clock.now_s() - started_s)
            await asyncio.sleep(PAUSE_S)

    async def check(self) -> None:
        """Everything has come, once, in order and in time, on one connection."""
        posted = self._posted[: len(self.round_trips_s)]
        await self.client.wait_for(lambda: len(self.client.events) >= len(posted), "the honest client's events")
        assert len(posted) >= 3, "it had no time to notice anything"
        assert [event.id for event in self.client.events][: len(posted)] == posted
        assert self.client.close_code is None
        *_, longest_but_one_s, longest_s = sorted(self.round_trips_s)
        assert longest_but_one_s < ROUND_TRIP_S, f"waited {longest_but_one_s:.3f} s, and {longest_s:.3f} s"


@asynccontextmanager
async def honest(server: RealServer, room: str, address: Address | None = None) -> AsyncIterator[Honest]:
    """Beside what the block does, somebody works in a new room; at its end they must have noticed nothing.

    `address` says as whom, where the server has names.
    """
    async with HubClient(address or Address.of(server)) as client:
        await client.request("chat.create", {"name": room})
        await client.subscribe(f"chat/{room}")
        its = Honest(client, room, server)
        working = asyncio.create_task(its.work())
        try:
            yield its
            await until(lambda: len(its.round_trips_s) >= 3 or working.done(), "some round trips")
        finally:
            working.cancel()
            await asyncio.wait([working])
        if not working.cancelled():
            await working
        await its.check()
