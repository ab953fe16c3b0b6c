"""How much one connection may ask for: token buckets for its messages and requests, and when refusals become abuse.

Pure: times are arguments, in seconds of a clock that never jumps.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError

ABUSE_WINDOW_S: Final = 10.0
MIN_RETRY_MS: Final = 1000
"""A client that waits this long with all that it may have under way is refused too rarely to be abusive."""


class Rate(msgspec.Struct, frozen=True):
    """So many a second, and so many at once after a rest. Where either is 0 there is no limit."""

    per_s: float = 0.0
    burst: float = 0.0


class LimitSettings(msgspec.Struct, frozen=True):
    """The limits of one connection, as config.py documents them."""

    messages: Rate = Rate(20_000, 100_000)
    """Messages of any kind: what exceeds it is counted, not refused; an acknowledgement cannot be answered."""
    reads: Rate = Rate(2_000, 10_000)
    writes: Rate = Rate(500, 2_000)
    others: Rate = Rate(200, 1_000)
    max_refused: int = 1_000
    """More refusals than this within 10 s are abuse; 0: never."""


class TokenBucket:
    """Holds up to `burst` tokens, gets `rate_per_s` of them each second, is full at first.

    In a span of t seconds never more than `burst + rate_per_s * t` tokens are taken. A rate or a burst of 0
    limits nothing.
    """

    __slots__ = ("_burst", "_rate_per_s", "_tokens", "_updated_s")

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        """Begin full.

        Raises:
            ValueError: a rate or a burst below 0, or none at all.
        """
        if not (0 <= rate_per_s < math.inf and 0 <= burst < math.inf):
            raise ValueError(f"a bucket cannot have a rate of {rate_per_s}/s and a burst of {burst}")
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._updated_s = now_s

    def take(self, now_s: float, n: float = 1) -> float:
        """Take `n` tokens and give 0.0; or take nothing and give the seconds after which there will be enough.

        More than `burst` at once are never there: infinity.
        """
        if self._rate_per_s == 0 or self._burst == 0:
            return 0.0
        if now_s > self._updated_s:
            self._tokens = min(self._burst, self._tokens + (now_s - self._updated_s) * self._rate_per_s)
            self._updated_s = now_s
        if n > self._burst:
            return math.inf
        if n <= self._tokens:
            self._tokens -= n
            return 0.0
        return (n - self._tokens) / self._rate_per_s


class RequestLimits:
    """The buckets of one connection, and its refusals of the last 10 s."""

    __slots__ = ("_buckets", "_max_refused", "_messages", "_refused_s")

    def __init__(self, settings: LimitSettings, now_s: float) -> None:
        """All buckets are full."""

        def bucket(rate: Rate) -> TokenBucket:
            return TokenBucket(rate.per_s, rate.burst, now_s)

        self._messages = bucket(settings.messages)
        self._buckets = {"read": bucket(settings.reads), "write": bucket(settings.writes), "": bucket(settings.others)}
        self._max_refused = settings.max_refused
        # One more than are allowed is all that the verdict needs.
        self._refused_s: deque[float] = deque(maxlen=settings.max_refused + 1)

    def received(self, now_s: float, messages: int = 1) -> None:
        """Count messages of any kind, before any of them is looked at; each one above the rate is a refusal."""
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
        retry_after_ms = max(MIN_RETRY_MS, math.ceil(wait_s * 1000)) if wait_s < math.inf else None
        return HubError(
            Code.RATE_LIMITED, "This connection asks for too much at a time; wait.", retry_after_ms=retry_after_ms
        )

    def abusive(self, now_s: float) -> bool:
        """Whether so much was refused within 10 s that the connection is to be closed as `rate_limited`."""
        refused_s = self._refused_s
        return 0 < self._max_refused < len(refused_s) and now_s - refused_s[0] < ABUSE_WINDOW_S
