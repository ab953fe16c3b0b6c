"""The threads that touch the disk, so that the event loop does not."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A few threads for all transfers of a server."""

    def __init__(self, number: int) -> None:
        """They begin when they are needed."""
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="jupyter-ws-hub-transfer")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what touches the disk in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(function, *args, **kwargs))

    def begin(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run in a thread what nobody waits for, and what deals with its errors itself; `stop` waits for it."""
        self._pool.submit(function, *args, **kwargs)

    async def stop(self) -> None:
        """Return when all that was begun is done; nothing more may be run."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
