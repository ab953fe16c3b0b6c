"""Upkeep of a SQLite file: what has expired goes, and space that nothing uses goes back to the disk, slice by slice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from ..base import Clock
from .engine import Writer
from .errors import as_hub_error

PURGE_SLICE: Final = 500
VACUUM_SLICE: Final = 32
"""Pages that one piece of the writer's work gives back: 128 kB."""
SPARE_PART: Final = 10
"""A tenth of the file may be free pages: they are used again soon."""

_PURGE: Final = (
    "DELETE FROM keyvalues WHERE key IN "
    "(SELECT key FROM keyvalues WHERE expires_s IS NOT NULL AND expires_s <= ? LIMIT ?)"
)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give some free pages back; whether there are more."""
    free = _number(connection, "freelist_count") - _number(connection, "page_count") // SPARE_PART
    for _ in range(min(free, VACUUM_SLICE)):
        connection.execute("PRAGMA incremental_vacuum(1)")  # of more, Python would still do but the first
    return free > VACUUM_SLICE


def _checkpoint(path: Path) -> None:
    """Write what is in the write-ahead log into the file, beside the writer, and empty the log if nobody uses it."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        for mode in ("PASSIVE", "TRUNCATE"):
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()


class Upkeep:
    """The upkeep of one file."""

    def __init__(
        self, path: Path, writer: Writer, clock: Clock, journal_mode: str, sweep: Callable[[], Awaitable[None]]
    ) -> None:
        """Share the writer's thread; `clock` says what has expired, `sweep` lets go of dropped documents."""
        self._path = path
        self._writer = writer
        self._clock = clock
        self._wal = journal_mode == "wal"
        self._sweep = sweep

    async def run(self) -> None:
        """Do all of it; raises `HubError` as the writer does."""

        def purge(connection: sqlite3.Connection) -> bool:
            return connection.execute(_PURGE, (self._clock(), PURGE_SLICE)).rowcount == PURGE_SLICE

        await self._slices(purge)
        await self._sweep()
        await self._slices(_shrink)
        if self._wal:
            try:
                await asyncio.to_thread(_checkpoint, self._path)
            except sqlite3.OperationalError as error:
                # Somebody is writing or reading: the log is emptied another time.
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise as_hub_error(error) from error
            except sqlite3.Error as error:
                raise as_hub_error(error) from error

    async def _slices(self, work: Callable[[sqlite3.Connection], bool]) -> None:
        while await self._writer.submit(work):
            pass
