"""The storage of a server that keeps nothing: for tests, and where no file can be written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import count

from .base import (
    Clock,
    Draft,
    Head,
    LogRetention,
    NewId,
    Record,
    VersionConflict,
    Versioned,
    check_log_arguments,
)


class _Log:
    """One topic's messages; `records[i]` has offset `floor + 1 + i`."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.records: list[Record] = []
        self.by_id: dict[str, Record] = {}
        self.floor = 0
        self.floor_id = ""

    def head(self) -> Head:
        last = self.records[-1] if self.records else None
        offset, id_ = (last.offset, last.id) if last else (self.floor, self.floor_id)
        return Head(self.epoch, offset, id_, self.floor, self.floor_id)

    def append(self, draft: Draft) -> Record:
        known = self.by_id.get(draft.id)
        if known is not None:
            return known
        record = Record(self.head().offset + 1, draft.id, draft.kind, draft.time_ms, draft.data)
        self.records.append(record)
        self.by_id[record.id] = record
        return record

    def drop(self, number: int) -> None:
        if number:
            self.floor, self.floor_id = self.records[number - 1].offset, self.records[number - 1].id
            for record in self.records[:number]:
                del self.by_id[record.id]
            del self.records[:number]


def surplus(sizes_times: Sequence[tuple[int, int]], retention: LogRetention, now_ms: int) -> int:
    """How many of the oldest messages a retention does not keep, given each one's size and time, in order."""
    kept_bytes = 0
    oldest_ms = now_ms - retention.age_s * 1000
    kept = 0
    for size, time_ms in reversed(sizes_times):
        kept_bytes += size
        if kept == retention.count or kept_bytes > retention.bytes or time_ms < oldest_ms:
            break
        kept += 1
    return len(sizes_times) - kept


class MemoryLog:
    """TopicLog in this process's memory."""

    def __init__(self, new_id: NewId) -> None:
        """`new_id` gives the epochs."""
        self._new_id = new_id
        self._logs: dict[str, _Log] = {}

    def _log(self, topic: str) -> _Log:
        if topic not in self._logs:
            self._logs[topic] = _Log(self._new_id())
        return self._logs[topic]

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        log = self._log(topic)
        return [log.append(draft) for draft in drafts]

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(after, limit)
        records = self._log(topic).records
        start = bisect_right(records, after, key=lambda record: record.offset)
        return records[start : start + limit]

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(0, limit)
        records = self._log(topic).records
        end = len(records)
        if before is not None:
            end = bisect_right(records, before - 1, key=lambda record: record.offset)
        return records[max(0, end - limit) : end]

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        return self._log(topic).head()

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        found = await self.read(topic, max(0, offset - 1), 1)
        return found[0].id if found and found[0].offset == offset else None

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""
        log = self._log(topic)
        number = surplus([(len(r.data), r.time_ms) for r in log.records], retention, now_ms)
        log.drop(number)
        return number

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog. No other process can write here."""


class MemoryValues:
    """KeyValue in this process's memory."""

    def __init__(self, clock: Clock) -> None:
        """`clock` says when a value has outlived its time."""
        self._clock = clock
        self._versions = count(1)
        self._values: dict[str, tuple[Versioned, float | None]] = {}

    def _current(self, key: str) -> Versioned | None:
        entry = self._values.get(key)
        if entry is None:
            return None
        versioned, expires_s = entry
        if expires_s is not None and expires_s <= self._clock():
            del self._values[key]
            return None
        return versioned

    def _expect(self, key: str, expect: int | None) -> Versioned | None:
        current = self._current(key)
        version = current.version if current else 0
        if expect is not None and expect != version:
            raise VersionConflict(key, version)
        return current

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        return self._current(key)

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""
        self._expect(key, expect)
        version = next(self._versions)
        expires_s = None if ttl_s is None else self._clock() + ttl_s
        self._values[key] = (Versioned(value, version), expires_s)
        return version

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """See KeyValue."""
        present = self._expect(key, expect) is not None
        self._values.pop(key, None)
        return present

    async def scan(self, prefix: str) -> dict[str, Versioned]:
        """See KeyValue."""
        keys = sorted(key for key in self._values if key.startswith(prefix))
        return {key: value for key in keys if (value := self._current(key)) is not None}


class MemoryStorage:
    """Storage without a file; `degraded` says so where a file was wanted."""

    def __init__(self, clock: Clock, new_id: NewId, degraded: str | None = None) -> None:
        """`degraded` is the reason why nothing can be kept, None where nothing should be."""
        self.log = MemoryLog(new_id)
        self.values = MemoryValues(clock)
        self.degraded = degraded

    def close(self) -> None:
        """See Storage."""
