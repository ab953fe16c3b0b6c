"""How much one connection may ask for: rates for its messages and requests, and when refusals become abuse.

Pure: times are arguments, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from ..protocol.errors import HubError
from ..rates import Rate, TokenBucket, rate_limited

ABUSE_WINDOW_S: Final = 10.0
MIN_RETRY_MS: Final = 1000
"""A client that waits this long with all that it may have under way is refused too rarely to be abusive."""


class LimitSettings(msgspec.Struct, frozen=True):
    """The limits of one connection, as config.py documents them."""

    messages: Rate = Rate(20_000, 100_000)
    """Messages of any kind: what exceeds it is counted, not refused; an acknowledgement cannot be answered."""
    reads: Rate = Rate(2_000, 10_000)
    writes: Rate = Rate(500, 2_000)
    others: Rate = Rate(200, 1_000)
    max_refused: int = 1_000
    """More refusals than this within 10 s are abuse; 0: never."""


class RequestLimits:
    """The buckets of one connection, and its refusals of the last 10 s."""

    __slots__ = ("_buckets", "_max_refused", "_messages", "_refused_s")

    def __init__(self, settings: LimitSettings, now_s: float) -> None:
        """All buckets are full."""

        def bucket(rate: Rate) -> TokenBucket:
            return TokenBucket(rate, now_s)

        self._messages = bucket(settings.messages)
        self._buckets = {"read": bucket(settings.reads), "write": bucket(settings.writes), "": bucket(settings.others)}
        self._max_refused = settings.max_refused
        # One more than are allowed is all that the verdict needs.
        self._refused_s: deque[float] = deque(maxlen=settings.max_refused + 1)

    def received(self, now_s: float, messages: int = 1) -> None:
        """Count messages of any kind, before any of them is looked at; each one above the rate is a refusal."""
        if self._messages.take(now_s, messages):
            for _ in range(messages):
                if self._messages.take(now_s):
                    self._refused_s.append(now_s)

    def check(self, action: str, now_s: float) -> HubError | None:
        """Whether a request may run whose method needs `action` (read, write, or anything else); else what to answer.

        Nothing is counted for a request that is refused, but the refusal.
        """
        wait_s = self._buckets.get(action, self._buckets[""]).take(now_s)
        if not wait_s:
            return None
        self._refused_s.append(now_s)
        return rate_limited("This connection asks for too much at a time; wait.", wait_s, MIN_RETRY_MS)

    def abusive(self, now_s: float) -> bool:
        """Whether so much was refused within 10 s that the connection is to be closed as `rate_limited`."""
        refused_s = self._refused_s
        return 0 < self._max_refused < len(refused_s) and now_s - refused_s[0] < ABUSE_WINDOW_S
