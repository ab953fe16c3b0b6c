"""How much may be asked of assistants: so many answers at a time, of one user and of all, and so many asks a minute.

Pure: it is given a clock. What is too much is refused, never queued.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from ..rates import KeyedRate, Rate, rate_limited, retry_after_ms

RUNNING_RETRY_S: Final = 2.0
"""Nobody knows when an answer ends; so soon it is worth asking again."""


class AskLimits:
    """The counts of one server."""

    def __init__(
        self, max_running: int, max_per_user: int, asks_per_minute: float, monotonic: Callable[[], float]
    ) -> None:
        """Where a limit is 0 there is none."""
        self._max_running, self._max_per_user, self._per_minute = max_running, max_per_user, asks_per_minute
        self._running: Counter[str] = Counter()
        self._asks = KeyedRate(Rate.per_minute(asks_per_minute), "questions to assistants", monotonic)
        self._lingering = 0

    @property
    def running(self) -> int:
        """Answers under way."""
        return self._running.total()

    def check(self, principal: str) -> None:
        """Raise `rate_limited`, with `retry_after_ms`, if this user may not have one more answer now."""
        if 0 < self._max_per_user <= self._running[principal]:
            raise rate_limited(
                f"You may have {self._max_per_user} answers under way at a time; wait for one, or stop it.",
                RUNNING_RETRY_S,
            )
        if 0 < self._max_running <= self.running + self._lingering:
            raise rate_limited("The assistants of this server are busy; try again in a moment.", RUNNING_RETRY_S)
        wait_s = self._asks.wait_s(principal)
        if wait_s > 0:
            seconds = math.ceil((retry_after_ms(wait_s) or 0) / 1000)
            raise rate_limited(f"You may ask assistants {self._per_minute:g} times a minute; wait {seconds} s.", wait_s)

    def begin(self, principal: str) -> None:
        """Count an answer of this user; raises as `check`."""
        self.check(principal)
        self._asks.require(principal)
        self._running[principal] += 1

    def end(self, principal: str) -> None:
        """An answer of this user has ended."""
        self._running[principal] -= 1
        if self._running[principal] <= 0:
            del self._running[principal]

    def linger(self, number: int) -> None:
        """So many more, or fewer, assistants go on with an answer that has ended: they take up room on the server."""
        self._lingering += number
