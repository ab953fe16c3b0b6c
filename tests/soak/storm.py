"""A room in a storm: publishers and subscribers behind a proxy that cuts at random, and a server that is killed.

Every subscriber must end with the list of what was published: each message once, in one order.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..support.client import Address, HubClient, until
from ..support.proxy import Fault, FaultProxy, How, Link, Way
from ..support.server import RealServer

PUBLISHERS = 3
SUBSCRIBERS = 5
ROOM = "storm"
TOPIC = f"chat/{ROOM}"
PAUSE_S = (0.02, 0.08)
"""Between two posts of one publisher: so slowly that the log keeps all of them."""
HOLE_S = 0.3
ANSWER_S = 60.0
CALM_S = 60.0
KEPT = 10_000


@dataclass
class Report:
    """What happened."""

    cuts: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    connections: int = 0
    published: dict[str, int] = field(default_factory=dict)
    """Ids and the offsets that the publishers were told."""


class Storm:
    """One server, one room, one proxy."""

    def __init__(self, server: RealServer, proxy: FaultProxy, seed: int) -> None:
        """`seed` decides what is cut when."""
        self.server = server
        self.proxy = proxy
        self.report = Report()
        self.over = asyncio.Event()
        self._chance = random.Random(seed)
        address = Address.of(server, proxy.port)
        self.publishers = [HubClient(address) for _ in range(PUBLISHERS)]
        self.subscribers = [HubClient(address, ack_at=ack_at) for ack_at in (0, 0, 4096, 4096, 16384)]

    async def keep(self, client: HubClient) -> None:
        """Come back whenever the connection is lost."""
        while True:
            await client.reconnect()
            await client.wait_for(lambda: client.close_code is not None, "the end of the connection", 1e6)

    async def publish(self, number: int) -> None:
        """Post one message after the other, a few at once now and then, until the storm is over."""
        client, chance = self.publishers[number], random.Random(number)
        sent = 0
        while not self.over.is_set():
            burst = chance.choice([1, 1, 1, 1, 6])
            await asyncio.gather(*(self._post(client, f"p{number}-{sent + n}") for n in range(burst)))
            sent += burst
            await asyncio.sleep(burst * chance.uniform(*PAUSE_S))

    async def _post(self, client: HubClient, id: str) -> None:
        params = {"room": ROOM, "text": id * self._chance.choice([1, 1, 50]), "id": id}
        answer = await client.request("chat.post", params, timeout_s=ANSWER_S)
        assert answer["id"] == id
        self.report.published[id] = answer["seq"]

    async def rage(self, cuts: int, kills: int, pause_s: float) -> None:
        """Cut `cuts` connections, and kill the server `kills` times in between."""
        for number in range(cuts):
            await asyncio.sleep(self._chance.uniform(0, 2 * pause_s))
            await self._cut()
            if (number + 1) * (kills + 1) // (cuts + 1) > self.report.kills:
                await asyncio.to_thread(self.server.kill)
                await asyncio.sleep(self._chance.uniform(0, 0.5))
                await asyncio.to_thread(self.server.start)
                self.report.kills += 1
        self.report.connections = len(self.proxy.links)
        self.proxy.fault = Fault()

    async def _cut(self) -> None:
        def alive() -> list[Link]:
            return [link for link in self.proxy.links if not link.ended.is_set()]

        link = self._chance.choice(await until(alive, "a connection to cut", ANSWER_S))
        kind = self._chance.choice(["rst", "rst", "fin", "fin", "hole", "half open"])
        how: How = "fin" if kind == "fin" else "rst"
        if kind == "hole":
            link.stall()
            await asyncio.sleep(self._chance.uniform(0, HOLE_S))
        link.cut(how, "server" if kind == "half open" else None)
        self.report.cuts[kind] += 1

    async def run(self, cuts: int, kills: int, pause_s: float) -> Report:
        """The whole of it; then look at what everybody has."""
        async with HubClient(Address.of(self.server)) as first:
            await first.request("chat.create", {"name": ROOM})
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(self.keep(client)) for client in (*self.publishers, *self.subscribers)]
            everybody = (*self.publishers, *self.subscribers)
            await until(lambda: all(client.welcome for client in everybody), "the first welcomes")
            subscribing = [group.create_task(c.subscribe(TOPIC, "earliest", ANSWER_S)) for c in self.subscribers]
            publishing = [group.create_task(self.publish(number)) for number in range(PUBLISHERS)]
            await self.rage(cuts, kills, pause_s)
            self.over.set()
            await asyncio.gather(*publishing, *subscribing)
            await until(self._has_arrived, "all that was published", CALM_S)
            for keeper in keepers:
                keeper.cancel()
        await asyncio.gather(*(client.drop() for client in (*self.publishers, *self.subscribers)))
        await self.check()
        return self.report

    def _has_arrived(self) -> bool:
        return all(len(client.events) >= len(self.report.published) for client in self.subscribers)

    async def check(self) -> None:
        """Everybody has the published list, which is what the publishers were told and what the log has."""
        published = await self._history()
        assert len(published) < KEPT, "the log has let messages go: publish less"
        assert published == sorted(self.report.published, key=self.report.published.__getitem__)
        for client in self.subscribers:
            assert [event.id for event in client.events] == published
            assert [event.offset for event in client.events] == list(range(1, len(published) + 1))
            assert {answer.status for answer in client.subscribed} <= {"ok"}

    async def _history(self) -> list[str]:
        """The ids in the room's log."""
        ids: list[str] = []
        async with HubClient(Address.of(self.server)) as client:
            before, more = None, True
            while more:
                page = await client.request("chat.history", {"room": ROOM, "before": before, "limit": 200})
                ids[:0] = [message["id"] for message in page["messages"]]
                more, before = page["more"], page["messages"][0]["seq"]
        return ids


@asynccontextmanager
async def storm(server: RealServer, seed: int) -> AsyncIterator[Storm]:
    """A storm about to break; some of its connections are slow, or come in small pieces."""
    chance = random.Random(seed)

    def fault(number: int) -> Fault:
        way = Way(delay_s=chance.choice([0, 0, 0.01, 0.05]), piece_bytes=chance.choice([100, 1500, 65536]))
        return Fault(up=way, down=way)

    async with FaultProxy(server.port, fault) as proxy:
        yield Storm(server, proxy, seed)
