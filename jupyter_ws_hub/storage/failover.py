"""Storage that goes on in memory when its file fails, and back into the file when that can be written again.

Whoever uses it sees one `log`, one `values` and one `documents` all the time. What was under way when the file failed
is done again in memory, so nobody is told of the failure but by `degraded` and by the listener: logs have new epochs,
documents begin anew. Values are taken along where the file can still be read. On the way back what memory has gathered
is added to the file.
It knows no kind of file: a `StorageFailure` is all that it looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from ..protocol.errors import HubError
from .base import (
    Documents,
    Draft,
    Head,
    KeyValue,
    LogRetention,
    Record,
    Spare,
    Storage,
    StorageFailure,
    Stored,
    TopicLog,
    Versioned,
)
from .failover_documents import FailoverDocuments
from .moving import Move

T = TypeVar("T")
RETRY_S: Final = 30.0
"""How often a file that failed is tried again."""

Reopen = Callable[[StorageFailure | None], Storage]
"""Opens the file: at the start with None, later with the failure that it had, which says whether it is to be set aside.
Blocks; raises `StorageFailure` if it cannot be used."""


class FailoverStorage:
    """Storage over a file and, while that fails, over memory."""

    def __init__(
        self, reopen: Reopen, spare: Callable[[], Spare], logger: logging.Logger, retry_s: float = RETRY_S
    ) -> None:
        """Open the file, which blocks; `spare` makes an empty storage in memory."""
        self._reopen = reopen
        self._spare = spare
        self._logger = logger
        self._retry_s = retry_s
        self._failure: StorageFailure | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._switching = asyncio.Lock()
        self._return: asyncio.Task[None] | None = None
        self._left: Storage | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self.foreign: Callable[[str], None] | None = None
        self._carried: Mapping[str, Stored] = {}
        self._standing_in: Spare | None = None
        self.log: TopicLog = _Log(self)
        self.values: KeyValue = _Values(self)
        self.documents: Documents = FailoverDocuments(self.run)
        try:
            self.current = reopen(None)
        except StorageFailure as failure:
            self._failure = failure
            self._logger.warning("The hub's database cannot be used: messages are kept in memory. %s", failure.message)
            self.current = self._standing_in = spare()

    @property
    def degraded(self) -> str | None:
        """See Storage."""
        if self._failure is None:
            return self.current.degraded
        return f"{self._failure.message} Messages are kept in memory until it can be used again."

    async def run(self, ask: Callable[[Storage], Awaitable[T]]) -> T:
        """Ask the storage that is used now; if it fails, the one that takes its place."""
        while True:
            if self._failure is not None:
                self._begin_return()
            while not self._open.is_set():
                await self._open.wait()
            storage = self.current
            try:
                return await ask(storage)
            except StorageFailure as failure:
                if self._closed:
                    raise
                await self._leave(storage, failure)

    async def _leave(self, storage: Storage, failure: StorageFailure) -> None:
        """Go on in memory instead of `storage`, once."""
        async with self._switching:
            if self.current is not storage:
                return
            self._logger.error("The hub goes on in memory, for its database has failed: %s", failure.message)
            self._open.clear()
            try:
                spare = self._spare()
                self._carried = await self._rescue(storage, spare)
                self._left, self._standing_in = storage, spare
                self._use(spare, failure)
            finally:
                self._open.set()
            self._begin_return()

    async def _rescue(self, storage: Storage, spare: Storage) -> Mapping[str, Stored]:
        """Take the values along, if they can be read: after what is under way there."""
        try:
            values = await storage.values.dump()
        except HubError as error:
            self._logger.warning("The values of the hub's database cannot be taken along: %s", error.message)
            return {}
        await spare.values.load(values)
        return values

    def _use(self, storage: Storage, failure: StorageFailure | None) -> None:
        self.current, self._failure = storage, failure
        if self.foreign is not None:
            storage.log.on_foreign(self.foreign)
        for listener in self._listeners:
            try:
                listener()
            except Exception as error:  # the others are told all the same
                self._logger.error("Whoever uses the hub's database cannot follow it.", exc_info=error)

    def _begin_return(self) -> None:
        if not self._closed and (self._return is None or self._return.done()):
            self._loop = asyncio.get_running_loop()
            self._return = self._loop.create_task(self._try_to_return())

    async def _try_to_return(self) -> None:
        while self._failure is not None:
            try:
                if self._left is not None:
                    await asyncio.to_thread(self._left.close)
                    self._left = None
                await asyncio.sleep(self._retry_s)
                assert self._standing_in is not None
                await self._come_back(self._failure, self._standing_in)
            except (HubError, OSError) as error:
                self._logger.info("The hub's database still cannot be used: %s", error)
            except Exception as error:  # tried again in time
                self._logger.error("The hub cannot go back to its database.", exc_info=error)

    async def _come_back(self, failure: StorageFailure, spare: Spare) -> None:
        """Open the file, add to it what `spare` has, and use it; raises if it takes no writes yet."""
        storage = await asyncio.to_thread(self._reopen, failure)
        try:
            move = Move(spare, storage, await self._carried_in(storage, failure))
            await move.probe()
            await move.most()
            self._open.clear()
            try:
                await move.rest()
                self._use(storage, None)
            finally:
                self._open.set()
        finally:
            if self.current is not storage:
                await asyncio.to_thread(storage.close)
        self._carried, self._standing_in = {}, None
        self._logger.warning("The hub's database can be used again: what memory had is in it.")

    async def _carried_in(self, storage: Storage, failure: StorageFailure) -> Mapping[str, Stored]:
        """The values that were taken along and need not be put back: a file in a damaged one's place has none."""
        if not failure.damaged:
            return self._carried
        there = await storage.values.dump()
        return {key: item for key, item in self._carried.items() if key in there}

    def on_switched(self, listener: Callable[[], None]) -> None:
        """See Storage."""
        self._listeners.append(listener)

    async def upkeep(self) -> None:
        """See Storage."""
        await self.run(lambda storage: storage.upkeep())

    def close(self) -> None:
        """See Storage. May be called in any thread; what is in memory only is lost."""
        self._closed = True
        task, loop = self._return, self._loop
        if task is not None and loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(task.cancel)
        for storage in (self._left, self.current):
            if storage is not None:
                storage.close()


class _Log:
    """TopicLog of whichever storage is used."""

    def __init__(self, owner: FailoverStorage) -> None:
        self._owner = owner

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.append(topic, drafts))

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.read(topic, after, limit))

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.read_back(topic, before, limit))

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.head(topic))

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.id_at(topic, offset))

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.trim(topic, retention, now_ms))

    async def compact(self, topic: str, offsets: Iterable[int], epoch: str) -> int:
        """See TopicLog."""
        wanted = list(offsets)
        return await self._owner.run(lambda storage: storage.log.compact(topic, wanted, epoch))

    async def topics(self) -> list[str]:
        """See TopicLog."""
        return await self._owner.run(lambda storage: storage.log.topics())

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog."""
        self._owner.foreign = listener
        self._owner.current.log.on_foreign(listener)


class _Values:
    """KeyValue of whichever storage is used."""

    def __init__(self, owner: FailoverStorage) -> None:
        self._owner = owner

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        return await self._owner.run(lambda storage: storage.values.get(key))

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""
        return await self._owner.run(lambda storage: storage.values.put(key, value, expect=expect, ttl_s=ttl_s))

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """See KeyValue."""
        return await self._owner.run(lambda storage: storage.values.delete(key, expect=expect))

    async def scan(self, prefix: str) -> dict[str, Versioned]:
        """See KeyValue."""
        return await self._owner.run(lambda storage: storage.values.scan(prefix))

    async def dump(self) -> dict[str, Stored]:
        """See KeyValue."""
        return await self._owner.run(lambda storage: storage.values.dump())

    async def load(self, values: Mapping[str, Stored], gone: Iterable[str] = ()) -> None:
        """See KeyValue."""
        removed = list(gone)
        await self._owner.run(lambda storage: storage.values.load(values, removed))
