"""The topic log in a SQLite file. Offsets are given inside the writer's `BEGIN IMMEDIATE`."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from ..base import Draft, Head, LogRetention, NewId, Record, check_log_arguments
from ..memory import surplus
from .engine import Reader, Writer

_MAX_OFFSET: Final = 2**63 - 1
"""The largest integer that SQLite keeps; no log gets there."""
_MESSAGE: Final = "SELECT offset, id, kind, time_ms, data FROM messages WHERE topic = ?"


class SqliteLog:
    """TopicLog in a SQLite file."""

    def __init__(self, writer: Writer, reader: Reader, new_id: NewId) -> None:
        """Share the threads with SqliteValues; `new_id` gives the epochs."""
        self._writer = writer
        self._reader = reader
        self._new_id = new_id

    def _head(self, connection: sqlite3.Connection, topic: str) -> Head:
        query = "SELECT epoch, offset, id, floor, floor_id FROM topics WHERE topic = ?"
        row = connection.execute(query, (topic,)).fetchone()
        if row is not None:
            return Head(*row)
        head = Head(self._new_id(), 0, "", 0, "")
        connection.execute("INSERT INTO topics VALUES (?, ?, 0, '', 0, '')", (topic, head.epoch))
        return head

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""

        def work(connection: sqlite3.Connection) -> list[Record]:
            offset = self._head(connection, topic).offset
            last_id: str | None = None
            records = []
            for draft in drafts:
                known = connection.execute(f"{_MESSAGE} AND id = ?", (topic, draft.id)).fetchone()
                if known is not None:
                    records.append(Record(*known))
                    continue
                offset, last_id = offset + 1, draft.id
                record = Record(offset, draft.id, draft.kind, draft.time_ms, draft.data)
                connection.execute(
                    "INSERT INTO messages (topic, offset, id, kind, time_ms, data) VALUES (?, ?, ?, ?, ?, ?)",
                    (topic, record.offset, record.id, record.kind, record.time_ms, record.data),
                )
                records.append(record)
            if last_id is not None:
                connection.execute("UPDATE topics SET offset = ?, id = ? WHERE topic = ?", (offset, last_id, topic))
            return records

        return await self._writer.submit(work)

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(after, limit)
        after = min(after, _MAX_OFFSET)
        query = f"{_MESSAGE} AND offset > ? ORDER BY offset LIMIT ?"
        return [Record(*row) for row in await self._reader.rows(query, topic, after, limit)]

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        check_log_arguments(0, limit)
        query = f"{_MESSAGE} AND offset < ? ORDER BY offset DESC LIMIT ?"
        below = _MAX_OFFSET if before is None else min(before, _MAX_OFFSET)
        return [Record(*row) for row in reversed(await self._reader.rows(query, topic, below, limit))]

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        return await self._writer.submit(lambda connection: self._head(connection, topic))

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        rows = await self._reader.rows(f"{_MESSAGE} AND offset = ?", topic, min(offset, _MAX_OFFSET))
        return str(rows[0][1]) if rows else None

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """See TopicLog."""

        def work(connection: sqlite3.Connection) -> int:
            query = "SELECT LENGTH(data), time_ms, offset, id FROM messages WHERE topic = ? ORDER BY offset"
            rows = connection.execute(query, (topic,)).fetchall()
            number = surplus([(row[0], row[1]) for row in rows], retention, now_ms)
            if number:
                _, _, floor, floor_id = rows[number - 1]
                connection.execute("DELETE FROM messages WHERE topic = ? AND offset <= ?", (topic, floor))
                connection.execute(
                    "UPDATE topics SET floor = ?, floor_id = ? WHERE topic = ?", (floor, floor_id, topic)
                )
            return number

        return await self._writer.submit(work)

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog. Must be called on the event loop that is to run the listener."""
        self._writer.listener = (asyncio.get_running_loop(), listener)
