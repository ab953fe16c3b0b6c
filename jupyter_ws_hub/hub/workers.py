"""The bounded set of tasks in which one session's calls run, so that no client takes the event loop for itself.

A worker begins at once, and one that never has to wait takes one call after the other; when it waits, another one
begins in the next turn of the loop, up to the limit. A worker gives way to the others after half a millisecond. So
every session begins at most one call per turn that waits, however many it has sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger
from time import perf_counter
from typing import Final

from ..ports import Peer
from ..protocol.messages import Request
from .eager import Starter

SLICE_S: Final = 0.0005


@dataclass(eq=False)
class Call:
    """A request on its way through a session."""

    request: Request
    peer: Peer
    task: asyncio.Task[None] | None = None
    """The worker that runs it now."""
    cancelled: bool = False
    """The client does not want the result any more, and is owed an answer."""
    abandoned: bool = False
    """The client is gone and will ask again: nobody is owed anything."""
    finished: bool = False
    """The outcome stands: it is too late to cancel."""


class Workers:
    """Runs calls, at most `limit` at a time, in the order in which they were added."""

    def __init__(self, limit: int, run: Callable[[Call], Awaitable[None]], logger: Logger) -> None:
        """`run` must answer for all that a call can raise but its cancelling."""
        self._limit = limit
        self._run = run
        self._logger = logger
        self._queue: deque[Call] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waking = False
        self._giving_way = 0
        self._starter = Starter()

    def add(self, call: Call) -> None:
        """Run a call when its turn comes; `wake` begins with all that were added."""
        self._queue.append(call)

    def remove(self, call: Call) -> bool:
        """Take back a call that has not begun; whether that was so."""
        if call.task is not None or call not in self._queue:
            return False
        self._queue.remove(call)
        return True

    def stop(self) -> set[asyncio.Task[None]]:
        """Run nothing more and cancel what runs; the tasks that are ending."""
        self._queue.clear()
        self._starter.close()
        for task in self._tasks:
            task.cancel()
        return set(self._tasks)

    def wake(self) -> None:
        """See that what was added is run."""
        if self._waking or self._giving_way or not self._queue or len(self._tasks) >= self._limit:
            return
        self._waking = True
        try:
            task = self._starter.start(self._work())
        except Exception as bug:
            self._logger.error("A worker of a session failed", exc_info=bug)
            task = None
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        if self._queue:
            # The worker has made its first step; what it has left behind waits for another one in the next turn.
            asyncio.get_running_loop().call_soon(self._woken)
        else:
            self._waking = False

    def _woken(self) -> None:
        self._waking = False
        self.wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._logger.error("A worker of a session failed", exc_info=bug)
        self.wake()

    async def _work(self) -> None:
        begun_s = perf_counter()
        while self._queue:
            await self._serve(self._queue.popleft())
            if perf_counter() - begun_s > SLICE_S:
                await self._give_way()
                begun_s = perf_counter()

    async def _give_way(self) -> None:
        """Let the others run. No further worker begins meanwhile: together they would hold the loop for long."""
        self._giving_way += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._giving_way -= 1
        if self._queue and not self._waking:
            # What this worker serves next may wait; then another one begins.
            self._waking = True
            asyncio.get_running_loop().call_soon(self._woken)

    async def _serve(self, call: Call) -> None:
        """Run a call; its cancelling ends the call, not the worker."""
        task = call.task = asyncio.current_task()
        assert task is not None
        try:
            await self._run(call)
        except asyncio.CancelledError:
            if not (call.cancelled or call.abandoned):
                raise
        finally:
            call.task = None
            if call.cancelled or call.abandoned:
                while task.cancelling():
                    task.uncancel()
