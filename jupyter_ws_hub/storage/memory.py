"""The storage of a server that keeps nothing: for tests, and where no file can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from .base import (
    Clock,
    Draft,
    Head,
    LogRetention,
    NewId,
    Record,
    Stored,
    VersionConflict,
    Versioned,
    check_log_arguments,
)
from .memory_documents import MemoryDocuments
from .retention import Totals, surplus


def first_version(clock: Clock) -> int:
    """Where the versions of a new store begin: above those that any store before it can have given."""
    return int(clock() * 1_000_000)


class _Log:
    """One topic's messages; `records[i]` has offset `floor + 1 + i`. Those in `compacted` have no data any more."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.records: list[Record] = []
        self.by_id: dict[str, Record] = {}
        self.compacted: set[int] = set()
        self.floor = 0
        self.floor_id = ""
        self.totals = Totals()

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
        self.totals = self.totals.plus([(len(draft.data), draft.time_ms)])
        return record

    def index(self, offset: int) -> int:
        """Where the record at `offset` is, or would be."""
        return max(0, offset - self.floor - 1)

    def at(self, offset: int) -> Record | None:
        inside = self.floor < offset <= self.floor + len(self.records)
        return self.records[self.index(offset)] if inside else None

    def full(self, records: Iterable[Record], limit: int) -> list[Record]:
        """The first `limit` of these that have data."""
        return list(islice((record for record in records if record.offset not in self.compacted), limit))

    def compact(self, offset: int) -> int:
        record = self.at(offset)
        if record is None or offset in self.compacted:
            return 0
        self.totals = self.totals.minus(1, len(record.data))
        self.compacted.add(offset)
        stub = Record(offset, record.id, record.kind, record.time_ms, b"")
        self.records[self.index(offset)] = self.by_id[record.id] = stub
        return 1

    def trim(self, retention: LogRetention, now_ms: int) -> int:
        sizes_times = ((None if r.offset in self.compacted else len(r.data), r.time_ms) for r in self.records)
        found = surplus(sizes_times, self.totals, retention, now_ms)
        if found.number:
            self.floor, self.floor_id = self.records[found.number - 1].offset, self.records[found.number - 1].id
            for record in self.records[: found.number]:
                del self.by_id[record.id]
                self.compacted.discard(record.offset)
            del self.records[: found.number]
            self.totals = self.totals.minus(found.kept, found.bytes) if self.records else Totals()
        return found.number


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

    def _known(self, topic: str) -> _Log:
        """A topic's log for reading only: no log comes to be by that."""
        return self._logs.get(topic) or _Log("")

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        log = self._log(topic)
        return [log.append(draft) for draft in drafts]

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(after, limit)
        log = self._known(topic)
        start = log.index(after + 1)
        if not log.compacted:
            return log.records[start : start + limit]
        return log.full((log.records[index] for index in range(start, len(log.records))), limit)

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(0, limit)
        log = self._known(topic)
        end = len(log.records) if before is None else min(log.index(before), len(log.records))
        if not log.compacted:
            return log.records[max(0, end - limit) : end]
        return log.full((log.records[index] for index in range(end - 1, -1, -1)), limit)[::-1]

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        return self._log(topic).head()

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        record = self._known(topic).at(offset)
        return record.id if record else None

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""
        return self._log(topic).trim(retention, now_ms)

    async def compact(self, topic: str, offsets: Iterable[int], epoch: str) -> int:
        """See TopicLog."""
        wanted = [offset for offset in offsets if offset > 0]
        if not wanted:
            return 0
        log = self._log(topic)
        return sum(log.compact(offset) for offset in wanted) if log.epoch == epoch else 0

    async def topics(self) -> list[str]:
        """See TopicLog."""
        return sorted(self._logs)

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog. No other process can write here."""


class MemoryValues:
    """KeyValue in this process's memory."""

    def __init__(self, clock: Clock) -> None:
        """`clock` says when a value has outlived its time."""
        self._clock = clock
        self._last_version = first_version(clock)
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
        self._last_version = version = self._last_version + 1
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

    async def dump(self) -> dict[str, Stored]:
        """See KeyValue."""
        self.purge()
        return {key: Stored(item.value, item.version, expires_s) for key, (item, expires_s) in self._values.items()}

    async def load(self, values: Mapping[str, Stored], gone: Iterable[str] = ()) -> None:
        """See KeyValue."""
        for key, item in values.items():
            self._values[key] = (Versioned(item.value, item.version), item.expires_s)
            self._last_version = max(self._last_version, item.version)
        for key in gone:
            self._values.pop(key, None)

    def purge(self) -> None:
        """Let go of what has expired."""
        for key in list(self._values):
            self._current(key)


class MemoryStorage:
    """Storage without a file; `degraded` says so where a file was wanted."""

    def __init__(self, clock: Clock, new_id: NewId, degraded: str | None = None) -> None:
        """`degraded` is the reason why nothing can be kept, None where nothing should be."""
        self.log = MemoryLog(new_id)
        self.values = MemoryValues(clock)
        self.documents = MemoryDocuments()
        self.degraded = degraded

    def on_switched(self, listener: Callable[[], None]) -> None:
        """See Storage. These logs stay what they are."""

    async def upkeep(self) -> None:
        """See Storage."""
        self.values.purge()

    def close(self) -> None:
        """See Storage."""
