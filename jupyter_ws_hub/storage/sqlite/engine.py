"""The threads of the SQLite storage: one writer that commits in groups, one reader. They know SQL only to run it."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from ...protocol.codes import Code
from ...protocol.errors import HubError
from ..base import StorageFailure
from .errors import as_hub_error, closed

T = TypeVar("T")
Handler = Callable[[sqlite3.Connection, list[Any]], list[Any]]
"""Does several pieces of work of one sort at once; all or none."""

GROUP_SIZE: Final = 256
"""At most this many pieces of work share a commit."""

QUEUE_SIZE: Final = 4096
"""More pieces of work waiting than this are refused as `busy`."""

FOREIGN_POLL_S: Final = 0.2
"""How often an idle writer looks for another process's commits; a busy one looks at each commit."""

BUSY_TIMEOUT_S: Final = 5.0
CHECKPOINT_PAGES: Final = 4000
"""A commit that lets the write-ahead log grow beyond this moves it into the file: 16 MB."""

CACHE_KIB: Final = 16 * 1024
"""The writer's page cache: ids are random, so each one goes to another page of its index."""


def connect(path: Path, *, wal: bool, full_sync: bool) -> tuple[sqlite3.Connection, str]:
    """Open the file; give the connection and the journal mode that it really has."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a new file, before anything is in it
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        mode = connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'TRUNCATE'}").fetchone()[0]
        connection.execute(f"PRAGMA synchronous={'FULL' if full_sync or mode != 'wal' else 'NORMAL'}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection, str(mode)


def _call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    """Call on the event loop; where that has ended, nobody waits any more."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


class _Job:
    """A piece of work for the writer and the future that waits for it."""

    __slots__ = ("error", "future", "handler", "item", "loop", "result")

    def __init__(self, handler: Handler, item: object) -> None:
        self.handler = handler
        self.item = item
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None


def _settle(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _tell(listener: Callable[[str], None], topics: Sequence[str]) -> None:
    for topic in topics:
        listener(topic)


def _each(connection: sqlite3.Connection, works: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    return [work(connection) for work in works]


class Writer(threading.Thread):
    """Owns the writing connection; takes jobs in order, commits what is ready in one go."""

    def __init__(self, connection: sqlite3.Connection, logger: logging.Logger, check: Callable[[], None]) -> None:
        """`check` raises `StorageFailure` when what is written would not be found again; it is asked at each commit."""
        super().__init__(name="jupyter-ws-hub-sqlite", daemon=True)
        self.connection = connection
        self._logger = logger
        self._check = check
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._data_version = self._read_data_version()
        self._seen_seq = self._max_seq()
        self._given_seq = self._seen_seq
        self._stopped = False
        self.listener: tuple[asyncio.AbstractEventLoop, Callable[[str], None]] | None = None

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the next commit; return its result when that has been made. Raises as `submit_to`."""
        result: T = await self.submit_to(_each, work)
        return result

    async def submit_to(self, handler: Handler, item: object) -> Any:
        """Have `handler` called with `item`, and with the items of its other jobs next to this one; return its result.

        Raises:
            HubError: `busy`, `no_space` or `unavailable`; or what `handler` raised. Nothing was changed then.
        """
        if self._stopped:
            raise closed()
        if self._jobs.qsize() >= QUEUE_SIZE:
            raise HubError(Code.BUSY, "The hub's database has too much to write.", retry_after_ms=500)
        job = _Job(handler, item)
        self._jobs.put(job)
        return await job.future

    def next_seq(self) -> int:
        """A number above those of all changes that other processes may have seen; in a piece of work only."""
        self._given_seq += 1
        return self._given_seq

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
            batch: list[_Job] = []
            try:
                item = self._jobs.get(timeout=FOREIGN_POLL_S)
                while item is not None:
                    batch.append(item)
                    if len(batch) == GROUP_SIZE:
                        break
                    item = self._jobs.get_nowait()
                stopping = item is None
            except queue.Empty:
                pass
            if batch:
                self._commit(batch)
            elif not stopping:
                self._poll()

    def _commit(self, batch: list[_Job]) -> None:
        connection = self.connection
        try:
            self._check()
            connection.execute("BEGIN IMMEDIATE")
            self._look_for_foreign()
            self._given_seq = self._seen_seq
            for handler, group in groupby(batch, key=lambda job: job.handler):
                self._attempt(handler, list(group))
            connection.execute("COMMIT")
            self._seen_seq = self._given_seq
        except (sqlite3.Error, StorageFailure) as error:
            self._logger.error("The hub's database refused a write: %s", error)
            self._roll_back()
            told = as_hub_error(error) if isinstance(error, sqlite3.Error) else error
            for job in batch:
                job.error = told
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
        for job in batch:
            by_loop[job.loop].append(job)
        for loop, jobs in by_loop.items():
            _call_on(loop, _settle, jobs)

    def _attempt(self, handler: Handler, jobs: list[_Job]) -> None:
        """Do these jobs at once; where that fails, one by one, so that only whose own fault it is is told."""
        connection = self.connection
        connection.execute("SAVEPOINT job")
        try:
            results = handler(connection, [job.item for job in jobs])
            for job, result in zip(jobs, results, strict=True):
                job.result = result
        except Exception as error:  # whoever waits is told; the others' work goes on
            told = as_hub_error(error) if isinstance(error, sqlite3.Error) else error
            if isinstance(told, StorageFailure):
                raise told from error
            connection.execute("ROLLBACK TO job")
            if len(jobs) == 1:
                jobs[0].error = told
            else:
                for job in jobs:
                    self._attempt(handler, [job])
        connection.execute("RELEASE job")

    def _roll_back(self) -> None:
        """SQLite has done it already after some errors; after others it cannot be done, and the file is left."""
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._logger.error("The hub's database cannot go back to before the write: %s", error)

    def _poll(self) -> None:
        try:
            self._look_for_foreign()
        except sqlite3.Error as error:
            self._logger.warning("The hub's database could not be looked at: %s", error)

    def _look_for_foreign(self) -> None:
        """Tell the listener which topics other processes have added to since the last look."""
        version = self._read_data_version()
        if version == self._data_version:
            return
        query = "SELECT topic, seq FROM topics WHERE seq > ?"
        rows = self.connection.execute(query, (self._seen_seq,)).fetchall()
        self._data_version = version
        self._seen_seq = max([self._seen_seq, *(seq for _, seq in rows)])
        if self.listener is not None and rows:
            loop, callback = self.listener
            _call_on(loop, _tell, callback, [topic for topic, _ in rows])

    def _read_data_version(self) -> int:
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def _max_seq(self) -> int:
        return int(self.connection.execute("SELECT IFNULL(MAX(seq), 0) FROM topics").fetchone()[0])


class Reader:
    """Owns a reading connection, in a thread of its own."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], name: str) -> None:
        """`connect` is called in the thread when it is first needed, if not before; may raise as work does."""
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=f"jupyter-ws-hub-sqlite-{name}", daemon=True)
        self._lock = threading.Lock()
        self._stopped = False

    def open(self) -> None:
        """Connect now. Blocks; raises what `connect` does."""
        self._connection = self._connect()

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Run a query; raises `HubError` as the writer does."""
        return await self.run(lambda connection: connection.execute(query, arguments).fetchall())

    async def rows_as(self, make: Callable[..., T], query: str, *arguments: object) -> list[T]:
        """Run a query and make something of each row, in the reader's thread; raises `HubError` as the writer does."""
        return await self.run(lambda connection: [make(*row) for row in connection.execute(query, arguments)])

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads, in the reader's thread; raises `HubError` as the writer does."""
        job = _Job(_each, work)
        with self._lock:
            if self._stopped:
                raise closed()
            if self._thread.ident is None:
                self._thread.start()
            self._jobs.put(job)
        result: T = await job.future
        return result

    def _serve(self) -> None:
        """The thread: one piece of work after the other. What nobody waits for any more is not begun."""
        while (job := self._jobs.get()) is not None:
            if job.future.cancelled():
                continue
            try:
                if self._connection is None:
                    self._connection = self._connect()
                (job.result,) = job.handler(self._connection, [job.item])
            except sqlite3.Error as error:
                job.error = as_hub_error(error)
            except Exception as error:  # noqa: BLE001  # whoever waits is told
                job.error = error
            _call_on(job.loop, _settle, (job,))

    def stop(self) -> None:
        """Do what is queued, end the thread, close the connection."""
        with self._lock:
            self._stopped = True
            self._jobs.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
