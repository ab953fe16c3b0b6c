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
from functools import partial
from pathlib import Path
from typing import Final

from ...protocol.codes import Code
from ..base import Clock, NewId, StorageFailure
from ..memory import first_version
from .documents import SqliteDocuments
from .engine import BUSY_TIMEOUT_S, Reader, Writer, connect
from .log import SqliteLog
from .tables import make_tables
from .upkeep import Upkeep
from .values import SqliteValues
from .words_index import NoIndex, WordsIndex, can_index

RETRY_S: Final = 0.05
LOOK_S: Final = 1.0
"""At most so often the writer looks whether the file is still where it was."""


def _open(path: Path, first: int, *, wal: bool, full_sync: bool, indexed: bool) -> tuple[sqlite3.Connection, str]:
    """Open the file and make its tables, also while another server does the same: SQLite does not wait by itself."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection, mode = connect(path, wal=wal, full_sync=full_sync)
            try:
                make_tables(connection, first, indexed=indexed)
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


def moved() -> StorageFailure:
    """What is written now would be lost."""
    return StorageFailure(Code.UNAVAILABLE, "The hub's database was moved or removed.")


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
            raise moved()
        self._looked_s = time.monotonic()


class SqliteStorage:
    """All stores in one file."""

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
        indexed = can_index()
        connection, mode = _open(path, first_version(clock), wal=wal, full_sync=full_sync, indexed=indexed)
        if wal and mode != "wal":
            logger.warning("%s cannot use write-ahead logging here; a slower rollback journal is used.", path)
        self.journal_mode = mode
        self.degraded: str | None = None
        watch = _Watch(path)
        self.identity = watch.identity
        self._writer = Writer(connection, logger, watch)
        again = partial(self._connect_again, path, wal=wal, full_sync=full_sync)
        self._reader = Reader(again, "read")
        self._reader.open()
        # Of its own, so that nobody who reads waits for somebody's search.
        self._searcher = Reader(again, "search")
        index = WordsIndex() if indexed else NoIndex()
        self.documents = SqliteDocuments(self._writer, self._reader, self._searcher, index)
        self._upkeep = Upkeep(path, self._writer, clock, mode, self.documents.sweep)
        self.log = SqliteLog(self._writer, self._reader, new_id)
        self.values = SqliteValues(self._writer, self._reader, clock)
        self._closed = False
        self._closing = threading.Lock()
        self._writer.start()

    def _connect_again(self, path: Path, *, wal: bool, full_sync: bool) -> sqlite3.Connection:
        """Another connection to the file; raises `StorageFailure` if that is not where it was."""
        if identity(path) != self.identity:
            raise moved()
        return connect(path, wal=wal, full_sync=full_sync)[0]

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
                self._searcher.stop()
