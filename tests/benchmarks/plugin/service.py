"""Service `bench`: echoes, publishes, streams, and measures from inside how the server's event loop fares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import islice
from typing import ClassVar, Final
from zlib import crc32

import msgspec

from jupyter_ws_hub.chat.kept import add_kept, topic_of
from jupyter_ws_hub.chat.messages import Author, ChatMessage
from jupyter_ws_hub.hub.declare import Lane
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.services.base import Nothing, Service, Topic, method
from jupyter_ws_hub.storage.base import Draft, LogRetention
from tests.support.lags import LagMeter

from .talk import sentences

READ: Final = ("read", "status")
LARGE: Final = LogRetention(count=10_000_000, bytes=10**12, age_s=7 * 86400.0)
FILL_BATCH: Final = 1000


class Text(msgspec.Struct, frozen=True):
    """Something to say."""

    text: str = ""


class BenchEvent(msgspec.Struct, frozen=True):
    """An event; `t` is when it was published, in nanoseconds of CLOCK_MONOTONIC, which all processes share."""

    t: int
    text: str


class Load(msgspec.Struct, frozen=True):
    """What to publish where: `count` events of `size` bytes each."""

    topic: str
    count: int
    size: int = 100
    publishers: int = 0
    """How many publish at a time, each awaiting its event; 0: all at once."""
    rate: int = 0
    """Events per second; 0: as fast as it goes."""


class Took(msgspec.Struct, frozen=True):
    """How long the work took."""

    seconds: float


class Lag(msgspec.Struct, frozen=True):
    """How late timers of the event loop came, in milliseconds, and the longest garbage collection among that."""

    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    gc_max_ms: float


class Said(msgspec.Struct, frozen=True):
    """How many messages were said in a chat room; `told`: on its topic, too."""

    room: str
    count: int
    told: bool = False


class StreamParams(msgspec.Struct, frozen=True):
    """How many items of which size (encoded, in bytes)."""

    count: int
    item_bytes: int = 32 * 1024


def _event(size: int) -> BenchEvent:
    """An event whose payload has `size` bytes."""
    now = time.monotonic_ns()
    return BenchEvent(now, "x" * max(0, size - len(f'{{"t":{now},"text":""}}')))


class BenchService(Service):
    """For benchmarks only."""

    name = "bench"
    topics: ClassVar[Sequence[Topic]] = (
        Topic("bench/*", {"event": BenchEvent}, READ, LARGE),
        Topic("bench-bulk/*", {"event": BenchEvent}, READ, LARGE, Lane.BULK),
    )

    async def start(self) -> None:
        """No lags have been seen."""
        self._meter = LagMeter()

    async def stop(self) -> None:
        """Sample no more."""
        self._meter.close()

    @method("bench.echo", permission=READ, idempotent=True)
    async def echo(self, params: Text, peer: Peer) -> Text:
        """Say it back."""
        return params

    @method("bench.burst", permission=READ, idempotent=True)
    async def burst(self, params: Load, peer: Peer) -> Took:
        """Publish `count` events, and await them all; with a rate, each at its time, whatever became of the others."""
        began = time.monotonic()
        tasks: list[asyncio.Task[int | None]] = []
        for number in range(params.count):
            if params.rate:
                await asyncio.sleep(max(0.0, began + number / params.rate - time.monotonic()))
            publish = self.context.publish(params.topic, "event", _event(params.size))
            tasks.append(asyncio.ensure_future(publish))
        await asyncio.gather(*tasks)
        return Took(time.monotonic() - began)

    @method("bench.publish", permission=READ, idempotent=True)
    async def publish(self, params: Load, peer: Peer) -> Took:
        """Publish with `publishers` who each await one event before the next."""

        async def one() -> None:
            await self.context.publish(params.topic, "event", _event(params.size))

        return await self._share(params, one)

    @method("bench.append", permission=READ, idempotent=True)
    async def append(self, params: Load, peer: Peer) -> Took:
        """The same without the hub: straight into the log."""
        runtime, log = self.context.runtime, self.context.storage.log

        async def one() -> None:
            data = msgspec.json.encode(_event(params.size))
            await log.append(params.topic, [Draft(runtime.new_id(), "event", runtime.now_ms(), data)])

        return await self._share(params, one)

    async def _share(self, params: Load, one: Callable[[], Awaitable[None]]) -> Took:
        left = iter(range(params.count))

        async def publisher() -> None:
            for _ in left:
                await one()

        began = time.monotonic()
        await asyncio.gather(*(publisher() for _ in range(params.publishers)))
        return Took(time.monotonic() - began)

    @method("bench.fill", permission=READ, idempotent=True)
    async def fill(self, params: Load, peer: Peer) -> Took:
        """Put events into a topic's log, in large batches."""
        runtime, began = self.context.runtime, time.monotonic()
        for start in range(0, params.count, FILL_BATCH):
            data = msgspec.json.encode(_event(params.size))
            number = min(FILL_BATCH, params.count - start)
            drafts = [Draft(runtime.new_id(), "event", runtime.now_ms(), data) for _ in range(number)]
            await self.context.storage.log.append(params.topic, drafts)
        return Took(time.monotonic() - began)

    @method("bench.say", permission=READ, idempotent=True)
    async def say(self, params: Said, peer: Peer) -> Took:
        """Put messages into a chat room, in large batches."""
        storage, runtime, topic = self.context.storage, self.context.runtime, topic_of(params.room)
        author, texts, began = Author("bench", "Bench"), sentences(crc32(params.room.encode())), time.monotonic()
        for start in range(0, params.count, FILL_BATCH):
            number = min(FILL_BATCH, params.count - start)
            said = [
                ChatMessage(runtime.new_id(), params.room, author, text, runtime.now_ms())
                for text in islice(texts, number)
            ]
            done = await asyncio.gather(*(add_kept(storage, m) for m in said))
            if params.told:
                drafts = [Draft(m.id, "message", m.time, msgspec.json.encode(m)) for m, _ in done]
                await storage.log.append(topic, drafts)
        return Took(time.monotonic() - began)

    @method("bench.stream", permission=READ, idempotent=True)
    async def stream(self, params: StreamParams, peer: Peer) -> AsyncIterator[Text]:
        """A streamed reply."""
        item = Text("x" * (params.item_bytes - len('{"text":""}')))
        for _ in range(params.count):
            yield item

    @method("bench.lag_start", permission=READ, idempotent=True)
    async def lag_start(self, params: Nothing, peer: Peer) -> Nothing:
        """Begin to look at the event loop."""
        self._meter.begin()
        return Nothing()

    @method("bench.lag_stop", permission=READ, idempotent=True)
    async def lag_stop(self, params: Nothing, peer: Peer) -> Lag:
        """Look no longer; what was seen."""
        return Lag(*self._meter.end())
