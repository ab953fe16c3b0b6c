"""Opening the file of the SQLite storage; one that is damaged is set aside and a new one begun."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from ...protocol.codes import Code
from ..base import Clock, NewId, StorageFailure
from . import SqliteStorage, identity
from .errors import as_hub_error


class SqliteFile:
    """Where the storage's file is and how it is opened; may be opened again after it was closed."""

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
        """As SqliteStorage; nothing is opened yet."""
        self._path = path
        self._clock = clock
        self._new_id = new_id
        self._logger = logger
        self._wal = wal
        self._full_sync = full_sync
        self._opened: tuple[int, int] | None = None

    def open(self, failure: StorageFailure | None = None) -> SqliteStorage:
        """Open the file, after the `failure` of the one opened before; blocks.

        A file that is no database, or that has proved to be damaged, is renamed first. It is left alone if another
        server has put a new one in its place.

        Raises:
            StorageFailure: the file cannot be used.
        """
        if failure is not None and failure.damaged and identity(self._path) == self._opened is not None:
            self._set_aside(failure.message)
        try:
            return self._open()
        except StorageFailure as found:
            if not found.damaged:
                raise
            self._set_aside(found.message)
            return self._open()

    def _open(self) -> SqliteStorage:
        try:
            storage = SqliteStorage(
                self._path, self._clock, self._new_id, self._logger, wal=self._wal, full_sync=self._full_sync
            )
        except sqlite3.Error as error:
            told = as_hub_error(error)
            if isinstance(told, StorageFailure):
                raise told from error
            raise StorageFailure(told.code, told.message) from error
        except OSError as error:
            message = f"The hub's database {self._path} cannot be opened ({error.strerror})."
            raise StorageFailure(Code.UNAVAILABLE, message) from error
        self._opened = storage.identity
        return storage

    def _set_aside(self, why: str) -> None:
        """Rename the file; what belongs to it goes first, so that no new file is taken for its."""
        aside = f"{self._path.name}.corrupt-{int(self._clock())}"
        number = 1
        while self._path.with_name(aside).exists():
            number += 1
            aside = f"{self._path.name}.corrupt-{int(self._clock())}-{number}"
        try:
            for suffix in ("-wal", "-shm", "-journal", ""):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.rename(self._path.with_name(aside + suffix))
        except OSError as error:
            message = f"The hub's database {self._path} is damaged and cannot be renamed ({error.strerror})."
            raise StorageFailure(Code.UNAVAILABLE, message, damaged=True) from error
        self._logger.warning("%s The file was renamed to %s, and a new one is begun.", why, self._path.with_name(aside))
