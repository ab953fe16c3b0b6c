"""The storage in one SQLite file.

Offsets are given inside `BEGIN IMMEDIATE`, so two servers may share the file; the writer notices the other's commits by
`PRAGMA data_version`. WAL where the file system can do it, a rollback journal elsewhere. Nothing blocks the event loop.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from ..base import Clock, NewId
from .engine import BUSY_TIMEOUT_S, Reader, Writer, connect
from .log import SqliteLog
from .values import SqliteValues

RETRY_S: Final = 0.05
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS topics (
    topic TEXT PRIMARY KEY, epoch TEXT NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL,
    floor INTEGER NOT NULL, floor_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL,
    kind TEXT NOT NULL, time_ms INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (topic, offset), UNIQUE (topic, id));
CREATE TABLE IF NOT EXISTS keyvalues (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires_s REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (last INTEGER NOT NULL);
INSERT INTO versions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM versions);
"""


def _open(path: Path, *, wal: bool, full_sync: bool) -> tuple[sqlite3.Connection, str]:
    """Open the file and make its tables, also while another server does the same: SQLite does not wait by itself."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection, mode = connect(path, wal=wal, full_sync=full_sync)
            try:
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            return connection, mode
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(RETRY_S)


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
        connection, mode = _open(path, wal=wal, full_sync=full_sync)
        if wal and mode != "wal":
            logger.warning("%s cannot use write-ahead logging here; a slower rollback journal is used.", path)
        self.journal_mode = mode
        self.degraded: str | None = None
        self._writer = Writer(connection, logger)
        self._reader = Reader(connect(path, wal=wal, full_sync=full_sync)[0])
        self.log = SqliteLog(self._writer, self._reader, new_id)
        self.values = SqliteValues(self._writer, self._reader, clock)
        self._closed = False
        self._writer.start()

    def close(self) -> None:
        """See Storage. Work that is queued is still committed."""
        if not self._closed:
            self._closed = True
            self._writer.stop()
            self._reader.stop()
