"""How long somebody waits for answers while something else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .client import HubClient

PAUSE_S = 0.01


class FairClock:
    """A clock that stands still while this process, or one of some others, could run and the machine did not let it.

    On a shared machine it tells how long something takes that is not at all to blame for its neighbours. Where the
    system does not tell it is a plain one.
    """

    def __init__(self, *pids: int) -> None:
        """Of these processes, besides this one."""
        self._pids = (os.getpid(), *pids)
        self._withheld_ns: dict[str, int] = {}
        """For how long, of each thread ever seen: one that has ended must not be forgotten."""
        self.now_s()

    def now_s(self) -> float:
        """Seconds since some time."""
        for pid in self._pids:
            for told in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):  # a thread that has ended just now
                    self._withheld_ns[str(told)] = int(told.read_text().split()[1])
        return time.monotonic() - sum(self._withheld_ns.values()) / 1e9


class Waits:
    """Round trips of small requests, one after the other, in seconds."""

    def __init__(self) -> None:
        """None yet."""
        self.round_trips_s: list[float] = []

    @property
    def median_s(self) -> float:
        """The median."""
        return statistics.median(self.round_trips_s)

    @property
    def longest_but_one_s(self) -> float:
        """The machine may be shared: one hiccup is forgiven."""
        return sorted(self.round_trips_s)[-2]

    @property
    def longest_s(self) -> float:
        """The longest."""
        return max(self.round_trips_s)

    def __str__(self) -> str:
        """For a person."""
        median, last, longest = (1000 * s for s in (self.median_s, self.longest_but_one_s, self.longest_s))
        return f"{len(self.round_trips_s)} round trips, median {median:.1f} ms, longest {last:.1f} and {longest:.1f} ms"


@asynccontextmanager
async def waiting(client: HubClient, method: str, params: Any = None, *, at_least: int = 10) -> AsyncIterator[Waits]:
    """While the block runs, ask again and again, and `at_least` so often; what is answered wrongly is raised."""
    async with repeating(lambda: client.request(method, params), at_least=at_least) as waits:
        yield waits


@asynccontextmanager
async def repeating(ask: Callable[[], Awaitable[object]], *, at_least: int = 10) -> AsyncIterator[Waits]:
    """While the block runs, do something again and again, and `at_least` so often; what it raises is raised."""
    waits, enough = Waits(), asyncio.Event()

    async def repeat() -> None:
        while not (enough.is_set() and len(waits.round_trips_s) >= at_least):
            began_s = time.monotonic()
            await ask()
            waits.round_trips_s.append(time.monotonic() - began_s)
            await asyncio.sleep(PAUSE_S)

    task = asyncio.create_task(repeat())
    try:
        yield waits
        enough.set()
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
