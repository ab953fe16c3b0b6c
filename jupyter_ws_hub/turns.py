"""What many connections have to do shares a little of each turn of the loop: a key never waits for all of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

SHARE_S: Final = 0.001
"""How long, of each turn of the loop."""


class Turns:
    """First come, first served."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._due: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def add(self, call: Callable[[], None]) -> None:
        """Call it in the next turn of the loop, or as soon after it as all that was added before is done."""
        self._due.append(call)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        """Call what is due now; what is added meanwhile is for the next turn."""
        self._is_scheduled = False
        begun_s = perf_counter()
        try:
            for _ in range(len(self._due)):
                self._due.popleft()()
                if perf_counter() - begun_s > SHARE_S:
                    return
        finally:
            if self._due:
                self._schedule()
