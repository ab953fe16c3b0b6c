"""A network and a server in memory that lose, delay, restart and forget, and the list of what was really published.

The server is the real Hub on stores that outlive it. Nothing here knows what a client should make of all that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from jupyter_ws_hub.hub.connection import HubConnection
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.storage.base import Draft, Head, LogRetention, Record, Stored, Versioned
from jupyter_ws_hub.storage.memory import MemoryLog, MemoryValues

from .fakes import FakeClock, fake_peer, turns
from .model import Envelope, Place, frame_of
from .virtual import VirtualClock

T = TypeVar("T")
CUT = 1006
KEEP_ALL = LogRetention(count=100_000, bytes=1 << 30, age_s=1e9)


def content(record: Record) -> tuple[int, str, str]:
    """Where a message stands, and what it says."""
    return record.offset, record.id, msgspec.json.decode(record.data)["text"]


class Disk(MemoryLog):
    """A log that knows all it ever had; it can be rolled back, and be lost."""

    def __init__(self) -> None:
        """Begin empty; `history` has what is and was kept, in the order it was published."""
        numbers = itertools.count(1)
        super().__init__(lambda: f"epoch{next(numbers)}")
        self.history: dict[str, list[Record]] = defaultdict(list)
        self.ever: set[tuple[str, str, int, str, str]] = set()
        self._lost: set[str] = set()

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog. An id that was lost is not given again: the anchor can show no more than ids do."""
        fresh = [msgspec.structs.replace(d, id=d.id + "'") if d.id in self._lost else d for d in drafts]
        records = await super().append(topic, fresh)
        history = self.history[topic]
        for record in records:
            if record.offset > len(history):
                history.append(record)
                self.ever.add((topic, self._log(topic).epoch, *content(record)))
        return records

    def published(self, topic: str) -> list[tuple[int, str, str]]:
        """Offsets, ids and texts of all that was published and not lost, kept or trimmed."""
        return [content(record) for record in self.history[topic]]

    def roll_back(self, topic: str, number: int) -> int:
        """Lose the newest records, as after a power loss; gives how many."""
        log = self._log(topic)
        lost = log.records[len(log.records) - min(number, len(log.records)) :]
        for record in lost:
            log.records.remove(record)
            del log.by_id[record.id]
            self._lost.add(record.id)
        log.totals = log.totals.minus(len(lost), sum(len(record.data) for record in lost))
        del self.history[topic][len(self.history[topic]) - len(lost) :]
        return len(lost)

    def wipe(self, topic: str) -> None:
        """Lose the log: the next one is another."""
        self._logs.pop(topic, None)
        self.history.pop(topic, None)

    def state(self, topic: str) -> Head:
        """What the log holds."""
        return self._log(topic).head()

    def has(self, topic: str, place: Place) -> bool:
        """Whether a place is in the log as it is now, kept or trimmed."""
        history = self.history[topic]
        if place.epoch != self.state(topic).epoch or place.offset > len(history):
            return False
        return place.id == (history[place.offset - 1].id if place.offset else "")


class Mount:
    """One server's way to the stores: each operation takes some turns of the loop, and none ends after a crash."""

    def __init__(self, disk: Disk, records: MemoryValues, delays: Sequence[int]) -> None:
        """`delays` are used over and over."""
        self._disk = disk
        self._records = records
        self._delays = itertools.cycle(delays)
        self.crashed = False
        self._never: list[asyncio.Future[None]] = []
        """What work that was begun after the crash waits for; held here, as nothing else does."""

    async def _do(self, operation: Awaitable[T]) -> T:
        try:
            await turns(next(self._delays))
            if self.crashed:
                self._never.append(asyncio.get_running_loop().create_future())
                await self._never[-1]
        except asyncio.CancelledError:
            if asyncio.iscoroutine(operation):
                operation.close()
            raise
        result = await operation
        await turns(next(self._delays))
        return result

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        return await self._do(self._disk.append(topic, drafts))

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        return await self._do(self._disk.read(topic, after, limit))

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        return await self._do(self._disk.read_back(topic, before, limit))

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        return await self._do(self._disk.head(topic))

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        return await self._do(self._disk.id_at(topic, offset))

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""
        return await self._do(self._disk.trim(topic, retention, now_ms))

    async def compact(self, topic: str, offsets: Iterable[int], epoch: str) -> int:
        """See TopicLog."""
        return await self._do(self._disk.compact(topic, offsets, epoch))

    async def topics(self) -> list[str]:
        """See TopicLog."""
        return await self._do(self._disk.topics())

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog. Nobody else writes."""

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        return await self._do(self._records.get(key))

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""
        return await self._do(self._records.put(key, value, expect=expect, ttl_s=ttl_s))

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """See KeyValue."""
        return await self._do(self._records.delete(key, expect=expect))

    async def scan(self, prefix: str) -> dict[str, Versioned]:
        """See KeyValue."""
        return await self._do(self._records.scan(prefix))

    async def dump(self) -> dict[str, Stored]:
        """See KeyValue."""
        return await self._do(self._records.dump())

    async def load(self, values: Mapping[str, Stored], gone: Iterable[str] = ()) -> None:
        """See KeyValue."""
        await self._do(self._records.load(values, gone))


class Wire:
    """One socket: frames on their way up and down, of which some arrive late and some never."""

    def __init__(self, hub: Hub, room: int) -> None:
        """`room` frames may be on their way down."""
        self._news = asyncio.Event()
        self.connection: HubConnection = hub.connect(fake_peer(), self._news.set)
        self.up: deque[str] = deque()
        self.down: deque[bytes] = deque()
        self.code: int | None = None
        """Set once the server has ended it."""
        self.restarts = 0
        """How often the server had been restarted when this was opened."""
        self._room = room
        self._taken = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            self._news.clear()
            while (frame := self.connection.frame()) is not None:
                self.down.append(frame)
                while len(self.down) >= self._room:
                    self._taken.clear()
                    await self._taken.wait()
            if self.connection.is_over:
                return self.end(self.connection.close_code)
            await self._news.wait()

    def send(self, envelopes: Iterable[Envelope]) -> None:
        """The client sends a frame, if there is something to say."""
        if message := list(envelopes):
            self.up.append(frame_of(message))

    def deliver_up(self, number: int) -> bool:
        """Frames reach the server; whether there were any."""
        moved = min(number, len(self.up))
        for _ in range(moved):
            self.connection.receive(self.up.popleft())
        return moved > 0

    def take_down(self) -> bytes | None:
        """A frame reaches the client, if one is on its way."""
        self._taken.set()
        return self.down.popleft() if self.down else None

    def tick(self, now_s: float) -> None:
        """Time passes; who cannot be told of the end is cut."""
        self.connection.tick()
        if self.connection.closing_s(now_s) > 2 and self.code is None:
            self.cut()

    def cut(self) -> None:
        """The server learns that the socket is gone."""
        self._writer.cancel()
        self.end(CUT)

    def end(self, code: int) -> None:
        """The server's side is over. Idempotent."""
        if self.code is None:
            self.code = code
            self.connection.closed()


class Machine:
    """Where the server runs: it stops, crashes and starts again on the same disk."""

    def __init__(self, start: Callable[[Mount, FakeClock], Hub], delays: Sequence[int], room: int) -> None:
        """`start` makes a hub on the stores that it is given; `room` frames are on their way to a client at most."""
        self.clock = VirtualClock()
        self.disk = Disk()
        self.restarts = 0
        self._records = MemoryValues(self.clock)
        self._start = start
        self._delays = delays
        self._room = room
        self.wires: list[Wire] = []
        self._mounts: list[Mount] = []
        self._boot()

    def _boot(self) -> None:
        self._mounts.append(Mount(self.disk, self._records, self._delays))
        self.hub = self._start(self._mounts[-1], self.clock)

    def connect(self) -> Wire:
        """A new socket."""
        wire = Wire(self.hub, self._room)
        wire.restarts = self.restarts
        self.wires.append(wire)
        return wire

    async def stop(self) -> None:
        """End as an administrator would: clients are told, as far as they read."""
        await self.hub.stop(0)
        await turns(10)
        self._down()

    def crash(self) -> None:
        """End as by kill -9: nothing that runs comes further."""
        self._mounts[-1].crashed = True
        for wire in self.wires:
            wire.cut()
        self._down()

    def _down(self) -> None:
        for wire in self.wires:
            wire.cut()
        self.wires.clear()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def boot(self) -> None:
        """Start again."""
        self.restarts += 1
        self._boot()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for the sessions too."""
        self.clock.advance(seconds)
        self.wires = [wire for wire in self.wires if wire.code is None]
        for wire in self.wires:
            wire.tick(self.clock())
        self.hub.sweep()
