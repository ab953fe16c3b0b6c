"""Work that nobody waits for: done to its end, told of if it fails, and known to whoever has to wait at last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Chores:
    """The tasks of one owner that are under way."""

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        """`on_failure` is told of what a task has raised; a task that was cancelled has not failed."""
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Those that have not ended."""
        return set(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin in the next turn of the event loop."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)
