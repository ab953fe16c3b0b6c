"""Lets time pass for all open sockets: one task for all of them, in slices, with the checks of their users.

A timer per socket would be thousands of timers, and thousands of checks in the same instant.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from ..ports import Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .parts import OpenSocket

TICK_S: Final = 1.0
SLICE_S: Final = 0.0005
"""How long a round may hold the event loop before others run."""
CHECKS_AT_ONCE: Final = 8
CHECK_TIMEOUT_S: Final = 30.0


class Checks:
    """Checks of users, a few at a time. A failure of the check itself closes nothing; it is tried again."""

    def __init__(self, interval_s: float, runtime: Runtime, chance: Callable[[], float] = random.random) -> None:
        """Each socket is due every 0.5 to 0.75 of `interval_s` (0: never), spread by `chance`, which gives 0 to 1.

        The rest of `interval_s` is for an answer's age and for the wait until there is room.
        """
        self._interval_s = interval_s
        self._runtime = runtime
        self._chance = chance
        self._under_way: dict[OpenSocket, asyncio.Task[None]] = {}
        self._failing = False

    def tick(self, socket: OpenSocket, now_s: float) -> None:
        """Begin the socket's check if it is due and there is room; else it stays due."""
        if not self._interval_s or socket in self._under_way:
            return
        if socket.check_due_s is None:
            socket.check_due_s = now_s + self._interval_s * (0.5 + 0.25 * self._chance())
        elif now_s >= socket.check_due_s and len(self._under_way) < CHECKS_AT_ONCE:
            socket.check_due_s = None
            task = self._under_way[socket] = asyncio.create_task(self._check(socket))
            task.add_done_callback(lambda task: self._under_way.pop(socket, None))

    async def _check(self, socket: OpenSocket) -> None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await socket.recheck()
        except Exception as error:
            if isinstance(error, HubError) and error.code in (Code.UNAUTHENTICATED, Code.FORBIDDEN):
                socket.drop(error)
            elif not self._failing:
                self._failing = True
                self._runtime.logger.warning(
                    "The users of open connections cannot be checked now; they stay open.", exc_info=error
                )
            return
        if self._failing:
            self._failing = False
            self._runtime.logger.info("The users of open connections can be checked again.")

    async def stop(self) -> None:
        """End the checks that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class Ticker:
    """Goes over all sockets about once a second."""

    def __init__(self, sockets: set[OpenSocket], checks: Checks, runtime: Runtime) -> None:
        """`sockets` is looked at anew in each round."""
        self._sockets = sockets
        self._checks = checks
        self._runtime = runtime
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; on the event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._checks.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.round()

    async def round(self) -> None:
        """Let time pass for each socket once, and let others run in between."""
        monotonic = self._runtime.monotonic
        began_s = monotonic()
        for socket in tuple(self._sockets):
            now_s = monotonic()
            if now_s - began_s >= SLICE_S:
                await asyncio.sleep(0)
                began_s = now_s = monotonic()
            if socket not in self._sockets:
                continue
            try:
                socket.tick()
                self._checks.tick(socket, now_s)
            except Exception as error:
                self._runtime.logger.error("Time could not pass for a connection.", exc_info=error)
