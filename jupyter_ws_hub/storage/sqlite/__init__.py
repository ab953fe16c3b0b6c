"""The storage in one SQLite file.

Offsets are given inside `BEGIN IMMEDIATE`, so two servers may share the file; the writer notices the other's commits by
`PRAGMA data_version`. WAL where the file system can do it, a rollback journal elsewhere. Nothing blocks the event loop.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...protocol.codes import Code
from ..base import Clock, NewId, StorageFailure
from ..memory import first_version
from .engine import BUSY_TIMEOUT_S, Reader, Writer, connect
from .log import SqliteLog
from .upkeep import Upkeep
from .values import SqliteValues

RETRY_S: Final = 0.05
LOOK_S: Final = 1.0
"""At most so often the writer looks whether the file is still where it was."""

FORMAT: Final = 1
"""The `user_version` of files with these tables."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS topics (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, offset INTEGER NOT NULL,
    id TEXT NOT NULL, floor INTEGER NOT NULL, floor_id TEXT NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, skew_ms INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS topics_by_seq ON topics (seq);
CREATE TABLE IF NOT EXISTS messages (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, time_ms INTEGER NOT NULL, data BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS messages_by_id ON messages (place >> 40, id);
CREATE TABLE IF NOT EXISTS keyvalues (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires_s REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keyvalues_by_expiry ON keyvalues (expires_s) WHERE expires_s IS NOT NULL;
CREATE TABLE IF NOT EXISTS versions (last INTEGER NOT NULL);
"""


def _make_tables(connection: sqlite3.Connection, first: int) -> None:
    format_ = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if format_ != FORMAT and (format_ or tables):
        raise sqlite3.DatabaseError(f"its tables are of another version ({format_}) of the program")
    connection.executescript(_SCHEMA)
    connection.execute("INSERT INTO versions SELECT ? WHERE NOT EXISTS (SELECT 1 FROM versions)", (first,))
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _open(path: Path, first: int, *, wal: bool, full_sync: bool) -> tuple[sqlite3.Connection, str]:
    """Open the file and make its tables, also while another server does the same: SQLite does not wait by itself."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection, mode = connect(path, wal=wal, full_sync=full_sync)
            try:
                _make_tables(connection, first)
            except sqlite3.Error:
                connection.close()
                raise
            return connection, mode
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(RETRY_S)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path, None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _Watch:
    """Looks from time to time whether a path still leads to the file that it led to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identity = identity(path)
        self._looked_s = time.monotonic()

    def __call__(self) -> None:
        """Raise `StorageFailure` if it does not: what is written now would be lost."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return
        if identity(self._path) != self.identity:
            raise StorageFailure(Code.UNAVAILABLE, "The hub's database was moved or removed.")
        self._looked_s = time.monotonic()


class SqliteStorage:
    """Both stores in one file."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        new_id: NewId,
        logger: logging.Logger,
        *,
        wal: bool = True,
        full_sync: bool = False,
    ) -> None:
        """Open or make the file. Blocks for that long; to be called at start.

        `wal=False` is for file systems that several machines mount; `full_sync` survives a power loss whole.

        Raises:
            sqlite3.Error, OSError: the file cannot be used.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        connection, mode = _open(path, first_version(clock), wal=wal, full_sync=full_sync)
        if wal and mode != "wal":
            logger.warning("%s cannot use write-ahead logging here; a slower rollback journal is used.", path)
        self.journal_mode = mode
        self.degraded: str | None = None
        watch = _Watch(path)
        self.identity = watch.identity
        self._writer = Writer(connection, logger, watch)
        self._reader = Reader(connect(path, wal=wal, full_sync=full_sync)[0])
        self._upkeep = Upkeep(path, self._writer, clock, mode)
        self.log = SqliteLog(self._writer, self._reader, new_id)
        self.values = SqliteValues(self._writer, self._reader, clock)
        self._closed = False
        self._closing = threading.Lock()
        self._writer.start()

    def on_switched(self, listener: Callable[[], None]) -> None:
        """See Storage. These logs stay what they are."""

    async def upkeep(self) -> None:
        """See Storage."""
        await self._upkeep.run()

    def close(self) -> None:
        """See Storage. Work that is queued is still committed."""
        with self._closing:  # who comes second waits for the end too
            if not self._closed:
                self._closed = True
                self._writer.stop()
                self._reader.stop()
