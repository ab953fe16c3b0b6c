"""How often something may be done: token buckets, alone or one for each key, and what is told to who is refused.

Pure: a bucket is told the time, the buckets of many keys are given a clock; in seconds, of one that never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from .protocol.codes import Code
from .protocol.errors import HubError

MAX_KEYS: Final = 1000
"""Of how many keys it is remembered what they have taken."""

TOLERANCE_S: Final = 1e-6
"""Who comes so much too early gets it: what floating-point numbers add up to may be a little less than all of it."""


class Rate(msgspec.Struct, frozen=True):
    """So many a second, and so many at once after a rest. Where either is 0 there is no limit."""

    per_s: float = 0.0
    burst: float = 0.0

    @classmethod
    def per_minute(cls, number: float) -> Rate:
        """So many a minute, half of them at once after a rest, but always one; 0: no limit."""
        return cls(number / 60, max(number / 2, 1.0)) if number else cls()


class TokenBucket:
    """Holds up to the burst of its rate, gets what its rate gives each second, is full at first.

    In a span of t seconds never more than `burst + per_s * t` tokens are taken. A rate of 0 limits nothing.
    """

    __slots__ = ("_burst", "_per_s", "_tokens", "_updated_s")

    def __init__(self, rate: Rate, now_s: float) -> None:
        """Begin full.

        Raises:
            ValueError: a rate or a burst below 0, or none at all.
        """
        if not (0 <= rate.per_s < math.inf and 0 <= rate.burst < math.inf):
            raise ValueError(f"a bucket cannot have a rate of {rate.per_s}/s and a burst of {rate.burst}")
        self._per_s = rate.per_s if rate.burst else 0.0
        self._burst = self._tokens = rate.burst
        self._updated_s = now_s

    def take(self, now_s: float, n: float = 1) -> float:
        """Take `n` tokens and give 0.0; or take nothing and give the seconds after which there will be enough.

        More than the burst at once are never there: infinity.
        """
        wait_s = self.wait_s(now_s, n)
        if not wait_s:
            self._tokens -= n
        return wait_s

    def wait_s(self, now_s: float, n: float = 1) -> float:
        """What `take` would give, with nothing taken."""
        per_s = self._per_s
        if not per_s:
            return 0.0
        if now_s > self._updated_s:
            self._tokens = min(self._burst, self._tokens + (now_s - self._updated_s) * per_s)
            self._updated_s = now_s
        if n > self._burst:
            return math.inf
        wait_s = (n - self._tokens) / per_s
        return wait_s if wait_s > TOLERANCE_S else 0.0

    def full_at_s(self) -> float:
        """When it will be full again, or since when it is: it need not be remembered then."""
        return self._updated_s + (self._burst - self._tokens) / self._per_s if self._per_s else self._updated_s


class KeyedRate:
    """One rate for each key by itself: a user, a kind of event.

    Of `MAX_KEYS` keys at most it is remembered what they have taken. What is full again is forgotten first, then what
    will be so soonest: only with more keys than that at a time somebody may take more than the rate gives.
    """

    def __init__(self, rate: Rate, what: str, monotonic: Callable[[], float]) -> None:
        """`what` names it for a person, as in "too many messages". Raises ValueError as `TokenBucket`."""
        self._rate, self._what, self._monotonic = rate, what, monotonic
        self._rested = TokenBucket(rate, 0.0)
        """As all are of whom nothing is remembered."""
        self._buckets: dict[str, TokenBucket] = {}

    def wait_s(self, key: str, n: float = 1) -> float:
        """How many seconds there are until this key may take `n`; infinity if it never may. Takes nothing."""
        return self._buckets.get(key, self._rested).wait_s(self._monotonic(), n)

    def take(self, key: str, n: float = 1) -> float:
        """Take `n` and give 0.0; or take nothing and give what `wait_s` does."""
        now_s = self._monotonic()
        bucket = self._buckets.get(key) or TokenBucket(self._rate, now_s)
        wait_s = bucket.take(now_s, n)
        if not wait_s and self._rate.per_s and self._rate.burst:
            self._buckets[key] = bucket
            if len(self._buckets) > MAX_KEYS:
                self._forget(now_s)
        return wait_s

    def require(self, key: str, n: float = 1) -> None:
        """Take `n`.

        Raises:
            HubError: `rate_limited`, with when there is room for it; nothing was taken.
        """
        wait_s = self.take(key, n)
        if wait_s:
            raise rate_limited(f"Too many {self._what} at a time; wait.", wait_s)

    def _forget(self, now_s: float) -> None:
        """Let go of a quarter at least, so that it is not looked for after each one."""
        by_rest = sorted(self._buckets.items(), key=lambda item: item[1].full_at_s())
        self._buckets = {key: bucket for key, bucket in by_rest[MAX_KEYS // 4 :] if bucket.full_at_s() > now_s}


def retry_after_ms(wait_s: float) -> int | None:
    """The whole milliseconds of a wait: after them there is enough, after one less not yet. None for infinity."""
    return math.ceil((wait_s - TOLERANCE_S) * 1000) if wait_s < math.inf else None


def rate_limited(message: str, wait_s: float, least_ms: int = 0) -> HubError:
    """A refusal that says when to come again; not before `least_ms`."""
    wait_ms = retry_after_ms(wait_s)
    return HubError(Code.RATE_LIMITED, message, retry_after_ms=wait_ms and max(least_ms, wait_ms))
