"""Does a person wait behind large data? Small requests beside a stream and a replay, on one connection."""

from __future__ import annotations

import asyncio
import re
import time

import msgspec

from .echo import PARAMS
from .harness import Bar, Bench, Figure, percentile
from .plugin.service import StreamParams
from .replay import fill
from .wire import MarkerCounter, RawClient, Target, hub_frame, request

TITLE = "requests while the same connection gets 100 MB as a streamed reply and, again and again, 100,000 events"
EVENTS = 100_000
TOPIC = "bench/interactive"
ITEM_BYTES = 32 * 1024
ITEMS = 100_000_000 // ITEM_BYTES + 1
PAUSE_S = 0.002
QUIET_REQUESTS = 500
STREAM_REF, FIRST_REF = 1, 2
STREAM_END = re.compile(rb'"type":"reply","ref":1([,}])')
TAIL_BYTES = 64
TIMEOUT_S = 120.0


class Person:
    """One who asks small things on a connection that is busy with large ones."""

    def __init__(self) -> None:
        """Nothing was asked."""
        self.client: RawClient | None = None
        self.laps_ms: list[float] = []
        self.events = MarkerCounter(b'"type":"event"')
        self.items = MarkerCounter(b'"type":"item"')
        self.replays = MarkerCounter(b'"type":"live"')
        self.refused = 0
        self.streamed = False
        self.stream_failed = False
        self._tail = b""
        self._ref = FIRST_REF
        self._expected = b""
        self._answered = asyncio.Event()

    def received(self, client: RawClient, data: bytes) -> None:
        """Count, and see whether the answer is there."""
        for counter in (self.events, self.items, self.replays):
            counter.feed(data)
        data = self._tail + data
        self._tail = data[-TAIL_BYTES:]
        # The end of a stream has no result, and so nothing after its `ref` but an error.
        ended = STREAM_END.search(data)
        if ended is not None:
            self.streamed = True
            self.stream_failed = ended[1] == b","
        at = data.find(self._expected) if self._expected else -1
        if at >= 0:
            self.refused += b'"error"' in data[at : at + TAIL_BYTES]
            self._answered.set()

    async def ask(self) -> None:
        """Make a request and wait for its answer."""
        assert self.client is not None
        ref, self._ref = self._ref, self._ref + 1
        self._expected = b'"type":"reply","ref":%d,' % ref
        self._answered.clear()
        settled = b'{"type":"ack","frames":%d,"also":[%d]}' % (self.client.frames.frames, ref - 1)
        envelopes = [request(ref, "bench.echo", PARAMS), settled]
        began = time.perf_counter()
        self.client.send(hub_frame(envelopes))
        await self._answered.wait()
        self.laps_ms.append((time.perf_counter() - began) * 1000)

    async def be_busy(self) -> None:
        """Ask until the stream and at least one replay are over."""
        assert self.client is not None
        params = msgspec.json.encode(StreamParams(ITEMS, ITEM_BYTES))
        self.client.send(hub_frame([request(STREAM_REF, "bench.stream", params)]))
        replays = 0
        self._subscribe()
        while not (self.streamed and self.replays.count):
            if self.replays.count > replays:
                replays = self.replays.count
                self._subscribe()
            await self.ask()
            await asyncio.sleep(PAUSE_S)

    def _subscribe(self) -> None:
        assert self.client is not None
        subscribe = b'{"type":"subscribe","ref":%d,"topic":"%s","since":"earliest"}'
        ref, self._ref = self._ref, self._ref + 1
        self.client.send(hub_frame([subscribe % (ref, TOPIC.encode())]))


async def live(target: Target) -> tuple[Person, Person]:
    """One person on a quiet connection, one on a busy one."""
    quiet, busy = Person(), Person()
    for person in (quiet, busy):
        person.client = await RawClient.open(target, person.received)
    async with asyncio.timeout(TIMEOUT_S):
        quiet.streamed = True
        for _ in range(QUIET_REQUESTS):
            await quiet.ask()
        await busy.be_busy()
    for person in (quiet, busy):
        assert person.client is not None
        person.client.abort()
    return quiet, busy


def run(bench: Bench) -> list[Figure]:
    """Measure the 99th percentile."""
    target = bench.lab.hub()
    fill(target, TOPIC, EVENTS)
    quiet_ms, busy_ms, longest_ms, notes = [], [], [], set()
    for number in range(bench.rounds):
        quiet, busy = asyncio.run(live(target))
        if quiet.refused or busy.refused:
            raise RuntimeError(f"{quiet.refused} and {busy.refused} requests were refused")
        quiet_ms.append(percentile(quiet.laps_ms, 99))
        busy_ms.append(percentile(busy.laps_ms, 99))
        longest_ms.append(max(busy.laps_ms))
        if busy.stream_failed or busy.items.count != ITEMS:
            notes.add("without the stream, which failed")
        bench.say(
            f"round {number + 1}: p99 {busy_ms[-1]:.1f} ms of {len(busy.laps_ms)} requests, "
            f"beside {busy.items.count} items and {busy.events.count} events"
        )
    note = ", ".join(sorted(notes))
    return [
        Figure("round trip of a request, p99", "ms", busy_ms, bar=None if note else Bar("≤", 10), note=note),
        Figure("the longest", "ms", longest_ms, note=note),
        Figure("p99 on a quiet connection", "ms", quiet_ms),
    ]
