"""Many clients in a process of their own, which count what they get: `python -m tests.benchmarks.receivers`.

Reads an `Order` from standard input, connects, prints "ready", and prints a `Receipt` when all has come. Looks at its
sockets once a millisecond: one read then takes what many writes of the server have brought. Otherwise these clients
would be what is slow, and not the server.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import time
from typing import Final

import msgspec

from .wire import MarkerCounter, RawClient, Target, hub_frame

EVENT: Final = b'"type":"event"'
CONNECT_AT_A_TIME: Final = 50
NAP_S: Final = 0.001
_PUBLISHED: Final = re.compile(rb'"t":(\d{10,})[,}]')


class Order(msgspec.Struct, frozen=True):
    """What to connect to, and what to wait for."""

    port: int
    path: str
    hub: bool
    clients: int
    topic: str = ""
    """Subscribed to on a hub, from now on."""
    events_each: int = 0
    """How many events each client is to get; 0: hold the connections for `hold_s`."""
    sample_every: int = 0
    """Every how manieth client notes how old its events are; 0: none."""
    hold_s: float = 0.0
    timeout_s: float = 120.0


class Receipt(msgspec.Struct, frozen=True):
    """What has come."""

    events: int
    fewest: int
    """Events of the client with the fewest."""
    last_ns: int
    """When the last one came, by CLOCK_MONOTONIC."""
    cpu_s: float
    """CPU time of this process since "ready"."""
    ages_ms: list[float]
    """Of the events of the sampled clients, sorted and thinned to 1,001 values: the per mille."""
    dropped: int
    fewest_pongs: int
    fewest_frames: int
    timed_out: bool


class Crowd:
    """The clients, and their counts."""

    def __init__(self, order: Order) -> None:
        """Nobody is connected."""
        self.order = order
        self.clients: list[RawClient] = []
        self.done = asyncio.Event()
        self.last_ns = 0
        self.total = 0
        self._counters: dict[RawClient, MarkerCounter] = {}
        self._subscribed: dict[RawClient, asyncio.Event] = {}
        self._sampled: dict[RawClient, bytes] = {}
        self._ages_ns: list[int] = []

    async def connect(self) -> None:
        """Connect all, some at a time."""
        for start in range(0, self.order.clients, CONNECT_AT_A_TIME):
            number = min(CONNECT_AT_A_TIME, self.order.clients - start)
            await asyncio.gather(*(self._connect(start + index) for index in range(number)))

    async def _connect(self, index: int) -> None:
        order = self.order
        client = await RawClient.open(Target(order.port, order.path, order.hub), self._received)
        self.clients.append(client)
        self._counters[client] = MarkerCounter(EVENT)
        if order.sample_every and index % order.sample_every == 0:
            self._sampled[client] = b""
        if order.topic:
            self._subscribed[client] = asyncio.Event()
            client.send(hub_frame([b'{"type":"subscribe","ref":1,"topic":"%s"}' % order.topic.encode()]))
            await self._subscribed[client].wait()

    def _received(self, client: RawClient, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        counter = self._counters.get(client)
        if counter is None:
            return
        before = counter.count
        self.total += counter.feed(data) - before
        if client in self._sampled:
            self._sample(client, data, now_ns)
        self.last_ns = now_ns
        if b'"type":"live"' in data and client in self._subscribed:
            self._subscribed[client].set()
        if self.order.events_each and self.total >= self.order.events_each * self.order.clients:
            self.done.set()

    def _sample(self, client: RawClient, data: bytes, now_ns: int) -> None:
        data = self._sampled[client] + data
        end = 0
        for match in _PUBLISHED.finditer(data):
            self._ages_ns.append(now_ns - int(match[1]))
            end = match.end()
        self._sampled[client] = data[max(end, len(data) - 30) :]

    def nap(self) -> None:
        """Look at the sockets only now and then, until all has come."""
        if not self.done.is_set():
            time.sleep(NAP_S)
            asyncio.get_running_loop().call_soon(self.nap)

    def ages_ms(self) -> list[float]:
        """The per mille of the sampled ages."""
        ages = sorted(self._ages_ns)
        return [ages[(len(ages) - 1) * mille // 1000] / 1e6 for mille in range(1001)] if ages else []

    def receipt(self, cpu_s: float, timed_out: bool) -> Receipt:
        """What has come by now."""
        return Receipt(
            events=self.total,
            fewest=min(counter.count for counter in self._counters.values()),
            last_ns=self.last_ns,
            cpu_s=cpu_s,
            ages_ms=self.ages_ms(),
            dropped=sum(client.closed.done() for client in self.clients),
            fewest_pongs=min(client.pongs for client in self.clients),
            fewest_frames=min(client.frames.frames for client in self.clients),
            timed_out=timed_out,
        )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run(order: Order) -> Receipt:
    """Do what was ordered."""
    crowd = Crowd(order)
    await crowd.connect()
    print("ready", flush=True)
    cpu_s, timed_out = _cpu_s(), False
    if order.hold_s:
        await asyncio.sleep(order.hold_s)
    else:
        crowd.nap()
        try:
            async with asyncio.timeout(order.timeout_s):
                await crowd.done.wait()
        except TimeoutError:
            timed_out = True
    return crowd.receipt(_cpu_s() - cpu_s, timed_out)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(msgspec.json.encode(asyncio.run(run(msgspec.json.decode(sys.stdin.readline(), type=Order)))).decode())
