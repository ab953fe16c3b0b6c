"""How much may be asked of assistants: so many answers at a time, of one user and of all, and so many asks a minute.

Pure: times are arguments, in seconds of a clock that never jumps. What is too much is refused, never queued.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError

WINDOW_S: Final = 60.0
RUNNING_RETRY_MS: Final = 2000
"""Nobody knows when an answer ends; so soon it is worth asking again."""


class AskLimits:
    """The counts of one server."""

    def __init__(self, max_running: int, max_per_user: int, asks_per_minute: float) -> None:
        """Where a limit is 0 there is none."""
        self._max_running, self._max_per_user, self._per_minute = max_running, max_per_user, asks_per_minute
        self._running: Counter[str] = Counter()
        self._asked_s: dict[str, deque[float]] = {}
        self._lingering = 0

    @property
    def running(self) -> int:
        """Answers under way."""
        return self._running.total()

    def check(self, principal: str, number: int, now_s: float) -> None:
        """Raise `rate_limited`, with `retry_after_ms`, if this user may not have `number` more answers now."""
        if 0 < self._max_per_user < self._running[principal] + number:
            raise _refused(
                f"You may have {self._max_per_user} answers under way at a time; wait for one, or stop it.",
                RUNNING_RETRY_MS,
            )
        if 0 < self._max_running < self.running + self._lingering + number:
            raise _refused("The assistants of this server are busy; try again in a moment.", RUNNING_RETRY_MS)
        wait_s = self._wait_s(principal, number, now_s)
        if wait_s > 0:
            text = f"You may ask assistants {self._per_minute:g} times a minute; wait {math.ceil(wait_s)} s."
            raise _refused(text, math.ceil(wait_s * 1000))

    def _wait_s(self, principal: str, number: int, now_s: float) -> float:
        recent_s = [asked_s for asked_s in self._asked_s.get(principal, ()) if now_s - asked_s < WINDOW_S]
        too_many = math.ceil(len(recent_s) + number - self._per_minute) if self._per_minute else 0
        if too_many <= 0 or not recent_s:  # more at once than a minute allows could else never be asked
            return 0.0
        return recent_s[min(too_many, len(recent_s)) - 1] + WINDOW_S - now_s

    def begin(self, principal: str, now_s: float) -> None:
        """Count an answer of this user; raises as `check`."""
        self.check(principal, 1, now_s)
        self._running[principal] += 1
        asked_s = self._asked_s.setdefault(principal, deque())
        while asked_s and now_s - asked_s[0] >= WINDOW_S:
            asked_s.popleft()
        asked_s.append(now_s)

    def end(self, principal: str) -> None:
        """An answer of this user has ended."""
        self._running[principal] -= 1
        if self._running[principal] <= 0:
            del self._running[principal]

    def linger(self, number: int) -> None:
        """So many more, or fewer, assistants go on with an answer that has ended: they take up room on the server."""
        self._lingering += number

    def sweep(self, now_s: float) -> None:
        """Forget who has not asked for a minute."""
        for principal in [p for p, asked_s in self._asked_s.items() if now_s - asked_s[-1] >= WINDOW_S]:
            del self._asked_s[principal]


def _refused(message: str, retry_after_ms: int) -> HubError:
    return HubError(Code.RATE_LIMITED, message, retry_after_ms=retry_after_ms)
