"""What is on its way into one topic's log: gathered while the store is busy, stored together, then announced.

It lives as long as something is on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ..ports import Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import Draft, LogRetention, Record, TopicLog

MAX_WAITING: Final = 10_000
"""Events that may wait for the store, for each topic."""

MAX_BATCH: Final = 250
"""Events that are stored in one go: encoding and offering them is one step of the event loop."""

TRIM_EVERY: Final = 64
"""A log is trimmed when it passes a multiple of this, not at each event."""

RETRY_AFTER_MS: Final = 500


class Publisher:
    """Stores the events of one topic in the order in which they come."""

    def __init__(
        self,
        key: str,
        retention: LogRetention,
        log: TopicLog,
        runtime: Runtime,
        on_stored: Callable[[str, Sequence[Record]], None],
        on_idle: Callable[[str], object],
    ) -> None:
        """`on_stored` is told of the records, `on_idle` when nothing is on its way any more."""
        self._key = key
        self._retention = retention
        self._log = log
        self._runtime = runtime
        self._on_stored = on_stored
        self._on_idle = on_idle
        self._waiting: list[tuple[Draft, asyncio.Future[int]]] = []
        self.task: asyncio.Task[None] | None = None
        """Stores what waits; None before the first event."""

    async def publish(self, draft: Draft) -> int:
        """Give the event's offset when it is stored. It is stored and announced also if nobody waits any more.

        Raises:
            HubError: the store cannot take it now.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise HubError(Code.BUSY, f"{self._key} has too many events to be stored.", retry_after_ms=RETRY_AFTER_MS)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        if self.task is None:
            self.task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                records = await self._store(batch)
                if records and (records[0].offset - 1) // TRIM_EVERY < records[-1].offset // TRIM_EVERY:
                    await self._trim()
        finally:
            self._on_idle(self._key)
            for _, future in self._waiting:
                future.cancel()

    async def _store(self, batch: Sequence[tuple[Draft, asyncio.Future[int]]]) -> Sequence[Record]:
        try:
            records = await self._log.append(self._key, [draft for draft, _ in batch])
        except Exception as error:  # noqa: BLE001  whoever publishes is told, each of them
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return []
        self._on_stored(self._key, records)
        for record, (_, future) in zip(records, batch, strict=True):
            if not future.done():
                future.set_result(record.offset)
        return records

    async def _trim(self) -> None:
        try:
            await self._log.trim(self._key, self._retention, self._runtime.now_ms())
        except HubError as error:
            self._runtime.logger.warning("%s could not be trimmed: %s", self._key, error)
