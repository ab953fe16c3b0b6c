"""The notifications of one log as they are now: of each the newest version, read once and then followed."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec

from ..storage.base import Record, Storage
from .notification import Notification

PAGE: Final = 50
"""Records that are decoded in one go: a third of a millisecond."""
MAX_DISMISSED: Final = 200
"""Dismissals that stay in the log for those who come back; all are kept elsewhere."""


class Entry(NamedTuple):
    """A notification and where its newest version stands."""

    offset: int
    notification: Notification

    @property
    def counts_at(self) -> int:
        """Who has read up to this offset has read it."""
        return self.notification.since or self.offset


class Shelf:
    """Follows one log. Whoever looks at it holds `lock` and has called `refresh`."""

    def __init__(self, key: str, storage: Storage) -> None:
        """`key` is the log's name."""
        self.key = key
        self.lock = asyncio.Lock()
        self.entries: dict[str, Entry] = {}
        self.epoch = ""
        self.offset = 0
        """How far the log was read."""
        self._storage = storage
        self._dismissals: list[int] = []
        self._marker = self._floor = 0
        self._surplus: list[int] = []

    async def refresh(self) -> None:
        """Read what has come, also from other servers; all of it where the log is another one now."""
        head = await self._storage.log.head(self.key)
        if head.epoch != self.epoch:
            self.epoch, self.offset, self._marker = head.epoch, 0, 0
            self.entries, self._dismissals, self._surplus = {}, [], []
        if head.floor != self._floor:
            self._floor = head.floor
            self.entries = {id: entry for id, entry in self.entries.items() if entry.offset > head.floor}
        while self.offset < head.offset:
            records = await self._storage.log.read(self.key, self.offset, PAGE)
            for record in records:
                self._take(record)
            self.offset = records[-1].offset if records else head.offset

    def _take(self, record: Record) -> None:
        match record.kind:
            case "notification":
                self._put(Entry(record.offset, msgspec.json.decode(record.data, type=Notification)))
            case "dismissed":
                self._dismissals.append(record.offset)
                if len(self._dismissals) > MAX_DISMISSED:
                    self._surplus.append(self._dismissals.pop(0))
            case "read":
                self._drop(self._marker)
                self._marker = record.offset

    def _put(self, entry: Entry) -> None:
        known = self.entries.get(entry.notification.id)
        if known is not None and known.notification.version > entry.notification.version:
            self._drop(entry.offset)  # another server was slower
            return
        if known is not None:
            self._drop(known.offset)
        self.entries[entry.notification.id] = entry

    def _drop(self, offset: int) -> None:
        if offset:
            self._surplus.append(offset)

    def expire(self, now_ms: int) -> None:
        """Forget what is of no use any more."""
        for id, entry in list(self.entries.items()):
            if is_over(entry.notification, now_ms):
                self._drop(self.entries.pop(id).offset)

    async def tidy(self, at_least: int = 1) -> None:
        """Let go of the data of what is not needed any more in the log, if it is so much."""
        if len(self._surplus) >= at_least:
            surplus, self._surplus = self._surplus, []
            await self._storage.log.compact(self.key, surplus, self.epoch)


def is_over(notification: Notification, now_ms: int) -> bool:
    """Whether it has expired."""
    return notification.expires is not None and notification.expires <= now_ms
