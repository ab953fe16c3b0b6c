"""What must not stop halfway: it goes on to its end, also where who waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from logging import Logger
from typing import Any, TypeVar

T = TypeVar("T")


class Whole:
    """The work of one owner that is under way."""

    def __init__(self, logger: Logger) -> None:
        """`logger` is told of what failed and nobody waited for any more."""
        self._logger = logger
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, give what it gives and raise what it raises."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(self._abandoned)
            raise

    def _abandoned(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error("What nobody waited for any more has failed", exc_info=error)

    async def ended(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
