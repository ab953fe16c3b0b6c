"""The topic log in a SQLite file. Offsets are given inside the writer's `BEGIN IMMEDIATE`.

A message's place is its topic's number and its offset in one integer, so that a topic's messages lie side by side and
one index, that of the ids, is enough. A compacted message has NULL for data.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Final

import msgspec

from ..base import Draft, Head, LogRetention, NewId, Record, check_log_arguments
from ..retention import Totals, surplus
from .engine import Reader, Writer

SLICE: Final = 1000
"""At most this many messages are trimmed or compacted in one piece of work, so that appends get their turn."""

_OFFSET_BITS: Final = 40
_MAX_OFFSET: Final = (1 << _OFFSET_BITS) - 1
"""No log gets there: at 20,000 messages a second it would take 600 days."""
_MESSAGE: Final = f"SELECT place & {_MAX_OFFSET}, messages.id, kind, time_ms, data FROM messages"
_OF_TOPIC: Final = (
    f"SELECT place & {_MAX_OFFSET}, messages.id, kind, time_ms, data FROM topics CROSS JOIN messages "
    f"WHERE topic = ? AND place > (number << {_OFFSET_BITS}) + ? AND place < (number << {_OFFSET_BITS}) + ? "
    "AND data IS NOT NULL ORDER BY place"
)
_READ: Final = f"{_OF_TOPIC} LIMIT ?"
_READ_BACK: Final = f"{_OF_TOPIC} DESC LIMIT ?"
_ID_AT: Final = (
    f"SELECT messages.id FROM topics CROSS JOIN messages WHERE topic = ? AND place = (number << {_OFFSET_BITS}) + ?"
)
_OLDEST: Final = (
    f"SELECT LENGTH(data), time_ms, place & {_MAX_OFFSET}, id FROM messages "
    "WHERE place > ? AND place <= ? ORDER BY place"
)
_STATE: Final = (
    "SELECT number, epoch, offset, id, floor, floor_id, kept, bytes, last_ms, skew_ms FROM topics WHERE topic = ?"
)
_ADVANCE: Final = (
    "UPDATE topics SET offset = ?, id = ?, kept = ?, bytes = ?, last_ms = ?, skew_ms = ?, seq = ? WHERE number = ?"
)
_TRIM: Final = (
    "UPDATE topics SET floor = ?, floor_id = ?, kept = ?, bytes = ?, last_ms = ?, skew_ms = ? WHERE number = ?"
)


class _State(msgspec.Struct, frozen=True):
    """A row of `topics`."""

    number: int
    head: Head
    totals: Totals

    def place(self, offset: int) -> int:
        return self.number << _OFFSET_BITS | offset


def _known(connection: sqlite3.Connection, state: _State, id_: str) -> Record | None:
    query = f"{_MESSAGE} WHERE place >> {_OFFSET_BITS} = ? AND id = ?"
    row = connection.execute(query, (state.number, id_)).fetchone()
    return None if row is None else Record(row[0], row[1], row[2], row[3], row[4] or b"")


def _number(state: _State, drafts: Iterable[Draft]) -> list[Record]:
    return [Record(n, d.id, d.kind, d.time_ms, d.data) for n, d in enumerate(drafts, state.head.offset + 1)]


def _insert(connection: sqlite3.Connection, state: _State, records: Sequence[Record]) -> bool:
    """Insert new messages, all or none; False where the log has one of the ids."""
    rows = [(state.place(r.offset), r.id, r.kind, r.time_ms, r.data) for r in records]
    if connection.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", rows).rowcount == len(rows):
        return True
    bounds = state.place(state.head.offset), state.place(_MAX_OFFSET)
    connection.execute("DELETE FROM messages WHERE place > ? AND place <= ?", bounds)
    return False


def _add(connection: sqlite3.Connection, state: _State, drafts: Sequence[Draft]) -> tuple[list[Record], list[Record]]:
    """Add messages; give the record of each draft, and those of them that are new.

    Ids that the log has already are rare, so it is asked for them only where the index refuses one.
    """
    new = _number(state, drafts)
    if len({draft.id for draft in drafts}) == len(drafts) and _insert(connection, state, new):
        return new, new
    known: dict[str, Record] = {}
    unknown: dict[str, Draft] = {}
    for draft in drafts:
        record = _known(connection, state, draft.id)
        if record is not None:
            known[draft.id] = record
        else:
            unknown.setdefault(draft.id, draft)
    new = _number(state, unknown.values())
    if not _insert(connection, state, new):
        raise RuntimeError("the log has an id that it does not find")
    known.update((record.id, record) for record in new)
    return [known[draft.id] for draft in drafts], new


class SqliteLog:
    """TopicLog in a SQLite file."""

    def __init__(self, writer: Writer, reader: Reader, new_id: NewId) -> None:
        """Share the threads with SqliteValues; `new_id` gives the epochs."""
        self._writer = writer
        self._reader = reader
        self._new_id = new_id

    def _state(self, connection: sqlite3.Connection, topic: str) -> _State:
        row = connection.execute(_STATE, (topic,)).fetchone()
        if row is None:
            new = "INSERT INTO topics VALUES (NULL, ?, ?, 0, '', 0, '', 0, 0, 0, 0, 0)"
            connection.execute(new, (topic, self._new_id()))
            row = connection.execute(_STATE, (topic,)).fetchone()
        return _State(row[0], Head(*row[1:6]), Totals(*row[6:]))

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        records: list[Record] = await self._writer.submit_to(self._append, (topic, drafts))
        return records

    def _append(self, connection: sqlite3.Connection, asked: list[tuple[str, Sequence[Draft]]]) -> list[list[Record]]:
        """Do many appends at once: per topic all drafts together."""
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for index, (topic, _) in enumerate(asked):
            by_topic[topic].append(index)
        results: list[list[Record]] = [[]] * len(asked)
        for topic, indices in by_topic.items():
            records = self._append_to(connection, topic, [draft for index in indices for draft in asked[index][1]])
            start = 0
            for index in indices:
                end = start + len(asked[index][1])
                results[index] = records[start:end]
                start = end
        return results

    def _append_to(self, connection: sqlite3.Connection, topic: str, drafts: list[Draft]) -> list[Record]:
        state = self._state(connection, topic)
        records, new = _add(connection, state, drafts)
        if new:
            totals = state.totals.plus((len(record.data), record.time_ms) for record in new)
            row = (totals.kept, totals.bytes, totals.last_ms, totals.skew_ms, self._writer.next_seq(), state.number)
            connection.execute(_ADVANCE, (new[-1].offset, new[-1].id, *row))
        return records

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(after, limit)
        return await self._reader.rows_as(Record, _READ, topic, min(after, _MAX_OFFSET), _MAX_OFFSET, limit)

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(0, limit)
        below = _MAX_OFFSET if before is None else min(before, _MAX_OFFSET)
        return (await self._reader.rows_as(Record, _READ_BACK, topic, 0, below, limit))[::-1]

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        query = "SELECT epoch, offset, id, floor, floor_id FROM topics WHERE topic = ?"
        heads = await self._reader.rows_as(Head, query, topic)
        return heads[0] if heads else await self._writer.submit(lambda c: self._state(c, topic).head)

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        if not 0 < offset <= _MAX_OFFSET:
            return None
        ids = await self._reader.rows_as(str, _ID_AT, topic, offset)
        return ids[0] if ids else None

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""
        removed = 0
        while True:
            number = await self._writer.submit(lambda c: self._trim(c, topic, retention, now_ms))
            removed += number
            if number < SLICE:
                return removed

    def _trim(self, connection: sqlite3.Connection, topic: str, retention: LogRetention, now_ms: int) -> int:
        state = self._state(connection, topic)
        bounds = state.place(state.head.floor), state.place(_MAX_OFFSET)
        seen: list[tuple[int, str]] = []

        def oldest_first(rows: sqlite3.Cursor) -> Iterator[tuple[int | None, int]]:
            for size, time_ms, offset, id_ in rows:
                seen.append((offset, id_))
                yield size, time_ms

        with closing(connection.execute(_OLDEST, bounds)) as rows:
            found = surplus(oldest_first(rows), state.totals, retention, now_ms, SLICE)
        if found.number:
            floor, floor_id = seen[found.number - 1]
            connection.execute("DELETE FROM messages WHERE place > ? AND place <= ?", (bounds[0], state.place(floor)))
            left = state.totals.minus(found.kept, found.bytes) if floor < state.head.offset else Totals()
            values = (left.kept, left.bytes, left.last_ms, left.skew_ms, state.number)
            connection.execute(_TRIM, (floor, floor_id, *values))
        return found.number

    async def compact(self, topic: str, offsets: Iterable[int], epoch: str) -> int:
        """See TopicLog."""
        wanted = sorted({offset for offset in offsets if 0 < offset <= _MAX_OFFSET})
        number = 0
        for start in range(0, len(wanted), SLICE):
            part = wanted[start : start + SLICE]
            number += await self._writer.submit(partial(self._compact, topic=topic, offsets=part, epoch=epoch))
        return number

    def _compact(self, connection: sqlite3.Connection, topic: str, offsets: list[int], epoch: str) -> int:
        state = self._state(connection, topic)
        if state.head.epoch != epoch:
            return 0
        found = "SELECT place, id, kind, time_ms, LENGTH(data) FROM messages WHERE place = ? AND data IS NOT NULL"
        rows = [row for offset in offsets if (row := connection.execute(found, (state.place(offset),)).fetchone())]
        # Rows that only become smaller would leave their pages half empty: those taken out and put back do not.
        connection.executemany("DELETE FROM messages WHERE place = ?", [row[:1] for row in rows])
        connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, NULL)", [row[:4] for row in rows])
        left = state.totals.minus(len(rows), sum(row[4] for row in rows))
        connection.execute(
            "UPDATE topics SET kept = ?, bytes = ? WHERE number = ?", (left.kept, left.bytes, state.number)
        )
        return len(rows)

    async def topics(self) -> list[str]:
        """See TopicLog."""
        return sorted(await self._reader.rows_as(str, "SELECT topic FROM topics"))

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog. Must be called on the event loop that is to run the listener."""
        self._writer.listener = (asyncio.get_running_loop(), listener)
