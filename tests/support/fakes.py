"""Fakes with hooks: a clock that stands still, ids that count, peers that may or may not, slow and failing stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import count

from jupyter_ws_hub.ports import Peer, Runtime
from jupyter_ws_hub.storage.base import Draft, Head, Record, Versioned
from jupyter_ws_hub.storage.memory import MemoryLog, MemoryValues


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        """Start at `now_s`."""
        self.now_s = now_s

    def __call__(self) -> float:
        """The time now."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def counting_ids(prefix: str = "id") -> Callable[[], str]:
    """Ids id1, id2, id3 …"""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def fake_runtime(clock: FakeClock | None = None) -> Runtime:
    """A runtime of fakes."""
    clock = clock or FakeClock()
    return Runtime(clock, clock, counting_ids(), logging.getLogger("test"), lambda: None)


def fake_peer(principal: str = "alice", denied: Collection[tuple[str, str]] = ()) -> Peer:
    """A user who may do everything but what is `denied`: pairs of action and resource."""

    async def authorize(action: str, resource: str) -> bool:
        return (action, resource) not in denied

    return Peer(principal, principal, principal.title(), authorize)


async def turns(number: int = 20) -> None:
    """Let the event loop go round `number` times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Step the loop until the condition holds; fail if it does not in time, which bounds work done in threads."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not condition():
        if loop.time() > deadline_s:
            raise AssertionError("what was waited for did not come")
        await asyncio.sleep(0)


Hook = Callable[[str], Awaitable[None]]
"""Awaited around an operation, by its name."""


async def nothing(operation: str) -> None:
    """The hook that does nothing."""


class HookedLog(MemoryLog):
    """A log in memory that can be slow, can fail, and to which other servers write."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Begin without hooks: `before` an operation it has done nothing, `after` it has done it."""
        super().__init__(new_id)
        self.before: Hook = nothing
        self.after: Hook = nothing
        self.listener: Callable[[str], None] | None = None

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        await self.before("append")
        records = await super().append(topic, drafts)
        await self.after("append")
        return records

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        await self.before("read")
        records = await super().read(topic, after, limit)
        await self.after("read")
        return records

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        await self.before("head")
        head = await super().head(topic)
        await self.after("head")
        return head

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        await self.before("id_at")
        found = await MemoryLog.read(self, topic, max(0, offset - 1), 1)
        await self.after("id_at")
        return found[0].id if found and found[0].offset == offset else None

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog."""
        self.listener = listener

    async def write_foreign(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """Write as another server does: nobody here is told before `tell`."""
        return await MemoryLog.append(self, topic, drafts)

    def tell(self, topic: str) -> None:
        """Say that another server has written."""
        if self.listener is not None:
            self.listener(topic)


class HookedValues(MemoryValues):
    """Records in memory that can be slow and can fail."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without a hook: `before` an operation it has done nothing."""
        super().__init__(clock)
        self.before: Hook = nothing

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        await self.before("get")
        return await super().get(key)

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""
        await self.before("put")
        return await super().put(key, value, expect=expect, ttl_s=ttl_s)
