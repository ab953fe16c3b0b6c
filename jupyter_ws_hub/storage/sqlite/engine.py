"""The threads of the SQLite storage: one writer that commits in groups, one reader. They know SQL only to run it."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from ...protocol.codes import Code
from ...protocol.errors import HubError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

GROUP_SIZE: Final = 256
"""At most this many pieces of work share a commit."""

QUEUE_SIZE: Final = 4096
"""More pieces of work waiting than this are refused as `busy`."""

FOREIGN_POLL_S: Final = 0.2
"""How often an idle writer looks for another process's commits."""

BUSY_TIMEOUT_S: Final = 5.0


def connect(path: Path, *, wal: bool, full_sync: bool) -> tuple[sqlite3.Connection, str]:
    """Open the file; give the connection and the journal mode that it really has."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        mode = connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'TRUNCATE'}").fetchone()[0]
        connection.execute(f"PRAGMA synchronous={'FULL' if full_sync or mode != 'wal' else 'NORMAL'}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection, str(mode)


def _closed() -> HubError:
    return HubError(Code.UNAVAILABLE, "The hub's database is closed: the server is stopping.")


def _as_hub_error(error: sqlite3.Error) -> HubError:
    if "full" in str(error):
        return HubError(Code.NO_SPACE, "The disk that holds the hub's database is full.")
    return HubError(Code.UNAVAILABLE, f"The hub's database cannot be used now: {error}.")


def _call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    """Call on the event loop; where that has ended, nobody waits any more."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


class _Job:
    """A piece of work for the writer and the future that waits for it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(connection)
        except Exception as error:  # noqa: BLE001  whoever waits is told; the others' work goes on
            connection.execute("ROLLBACK TO job")
            self.error = _as_hub_error(error) if isinstance(error, sqlite3.Error) else error
        connection.execute("RELEASE job")

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer(threading.Thread):
    """Owns the writing connection; takes jobs in order, commits what is ready in one go."""

    def __init__(self, connection: sqlite3.Connection, logger: logging.Logger) -> None:
        super().__init__(name="jupyter-ws-hub-sqlite", daemon=True)
        self.connection = connection
        self._logger = logger
        self._jobs: queue.Queue[_Job | None] = queue.Queue(QUEUE_SIZE)
        self._data_version = self._read_data_version()
        self._seen_seq = self._max_seq()
        self._stopped = False
        self.listener: tuple[asyncio.AbstractEventLoop, Callable[[str], None]] | None = None

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the next commit; return its result when that has been made.

        Raises:
            HubError: `busy`, `no_space` or `unavailable`; or what `work` raised. Nothing was changed then.
        """
        if self._stopped:
            raise _closed()
        job = _Job(work)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise HubError(Code.BUSY, "The hub's database has too much to write.", retry_after_ms=500) from None
        result: T = await job.future
        return result

    def stop(self) -> None:
        """Commit what is queued, end the thread, close the connection."""
        self._stopped = True
        self._jobs.put(None)
        self.join()
        self.connection.close()

    def run(self) -> None:
        """The thread: take what is queued, commit it, look for others' commits when idle."""
        stopping = False
        while not stopping:
            try:
                first = self._jobs.get(timeout=FOREIGN_POLL_S)
            except queue.Empty:
                self._look_for_foreign()
                continue
            batch: list[_Job] = []
            item: _Job | None = first
            while True:
                if item is None:
                    stopping = True
                    break
                batch.append(item)
                if len(batch) == GROUP_SIZE:
                    break
                try:
                    item = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Job]) -> None:
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._look_for_foreign()
            for job in batch:
                job.run(connection)
            seen = self._max_seq()
            connection.execute("COMMIT")
            self._seen_seq = seen
        except sqlite3.Error as error:
            self._logger.error("The hub's database refused a write: %s", error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in batch:
                job.error = _as_hub_error(error)
        for job in batch:
            _call_on(job.loop, job.settle)

    def _look_for_foreign(self) -> None:
        """Tell the listener which topics other processes have added to since the last look."""
        try:
            version = self._read_data_version()
            if version == self._data_version:
                return
            rows = self.connection.execute(
                "SELECT topic, MAX(seq) FROM messages WHERE seq > ? GROUP BY topic", (self._seen_seq,)
            ).fetchall()
        except sqlite3.Error as error:
            self._logger.warning("The hub's database could not be looked at: %s", error)
            return
        self._data_version = version
        self._seen_seq = max([self._seen_seq, *(seq for _, seq in rows)])
        if self.listener is not None:
            loop, callback = self.listener
            for topic, _ in rows:
                _call_on(loop, callback, topic)

    def _read_data_version(self) -> int:
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def _max_seq(self) -> int:
        return int(self.connection.execute("SELECT IFNULL(MAX(seq), 0) FROM messages").fetchone()[0])


class Reader:
    """Owns the reading connection, in a thread of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jupyter-ws-hub-sqlite-read")
        self._stopped = False

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Run a query; raises `HubError` as the writer does."""
        if self._stopped:
            raise _closed()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._rows, query, arguments)

    def _rows(self, query: str, arguments: tuple[object, ...]) -> list[Any]:
        try:
            return self.connection.execute(query, arguments).fetchall()
        except sqlite3.Error as error:
            raise _as_hub_error(error) from error

    def stop(self) -> None:
        """End the thread, close the connection."""
        self._stopped = True
        self._thread.shutdown(wait=True)
        self.connection.close()
