"""The key-value store in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from ..base import Clock, Stored, VersionConflict, Versioned
from .engine import Reader, Writer


def _after_prefix(prefix: str) -> str | None:
    """The least text above all that start with `prefix`, in the order of code points; None if there is none."""
    while prefix:
        following = ord(prefix[-1]) + 1
        if following <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)
        prefix = prefix[:-1]
    return None


class SqliteValues:
    """KeyValue in a SQLite file."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        """Share the threads with SqliteLog; `clock` says when a value has outlived its time."""
        self._writer = writer
        self._reader = reader
        self._clock = clock

    def _expect(self, connection: sqlite3.Connection, key: str, expect: int | None) -> int:
        connection.execute("DELETE FROM keyvalues WHERE key = ? AND expires_s <= ?", (key, self._clock()))
        row = connection.execute("SELECT version FROM keyvalues WHERE key = ?", (key,)).fetchone()
        version = int(row[0]) if row else 0
        if expect is not None and expect != version:
            raise VersionConflict(key, version)
        return version

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        query = "SELECT value, version FROM keyvalues WHERE key = ? AND IFNULL(expires_s, 9e99) > ?"
        rows = await self._reader.rows(query, key, self._clock())
        return Versioned(*rows[0]) if rows else None

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""

        def work(connection: sqlite3.Connection) -> int:
            self._expect(connection, key, expect)
            connection.execute("UPDATE versions SET last = last + 1")
            version = int(connection.execute("SELECT last FROM versions").fetchone()[0])
            expires_s = None if ttl_s is None else self._clock() + ttl_s
            connection.execute("INSERT OR REPLACE INTO keyvalues VALUES (?, ?, ?, ?)", (key, value, version, expires_s))
            return version

        return await self._writer.submit(work)

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """See KeyValue."""

        def work(connection: sqlite3.Connection) -> bool:
            present = self._expect(connection, key, expect) != 0
            connection.execute("DELETE FROM keyvalues WHERE key = ?", (key,))
            return present

        return await self._writer.submit(work)

    async def scan(self, prefix: str) -> dict[str, Versioned]:
        """See KeyValue."""
        end = _after_prefix(prefix)
        query = (
            "SELECT key, value, version FROM keyvalues "
            f"WHERE key >= ? {'' if end is None else 'AND key < ?'} AND IFNULL(expires_s, 9e99) > ? ORDER BY key"
        )
        bounds = (prefix,) if end is None else (prefix, end)
        rows = await self._reader.rows(query, *bounds, self._clock())
        return {key: Versioned(value, version) for key, value, version in rows}

    async def dump(self) -> dict[str, Stored]:
        """See KeyValue."""

        def work(connection: sqlite3.Connection) -> dict[str, Stored]:
            query = "SELECT key, value, version, expires_s FROM keyvalues WHERE IFNULL(expires_s, 9e99) > ?"
            return {key: Stored(*rest) for key, *rest in connection.execute(query, (self._clock(),))}

        return await self._writer.submit(work)

    async def load(self, values: Mapping[str, Stored], gone: Iterable[str] = ()) -> None:
        """See KeyValue."""
        rows = [(key, item.value, item.version, item.expires_s) for key, item in values.items()]
        removed = [(key,) for key in gone]
        last = max((item.version for item in values.values()), default=0)

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO keyvalues VALUES (?, ?, ?, ?)", rows)
            connection.executemany("DELETE FROM keyvalues WHERE key = ?", removed)
            connection.execute("UPDATE versions SET last = MAX(last, ?)", (last,))

        await self._writer.submit(work)
