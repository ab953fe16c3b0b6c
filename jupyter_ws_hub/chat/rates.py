"""How often each user may do something: so many times a minute, and about as many at once after a rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError

BURST_S: Final = 30.0
"""What may be done at once after a rest is what may be done in so long."""

SWEEP_AT: Final = 1000
"""With so many users known, those that have rested are forgotten."""


class Rate:
    """One limit, for each user by themselves.

    What was done is remembered as the time at which all of it would be used up at the steady pace (the generic cell
    rate algorithm: ITU-T I.371).
    """

    def __init__(self, per_minute: float, what: str, monotonic: Callable[[], float]) -> None:
        """`what` names it for a person, as in "too many messages"; 0 limits nothing."""
        self._pause_s = 60.0 / per_minute if per_minute else 0.0
        self._burst_s = max(BURST_S, self._pause_s)
        self._what, self._monotonic = what, monotonic
        self._used_up_s: dict[str, float] = {}

    def take(self, user: str) -> None:
        """Count one of it.

        Raises:
            HubError: `rate_limited`, with when there is room for it; nothing was counted.
        """
        now_s = self._monotonic()
        used_up_s = max(self._used_up_s.get(user, 0.0), now_s) + self._pause_s
        # A little less than nothing is left when floating-point numbers add up to all of it.
        wait_s = used_up_s - self._burst_s - now_s - 1e-6
        if wait_s > 0:
            retry_ms = math.ceil(wait_s * 1000)
            raise HubError(Code.RATE_LIMITED, f"Too many {self._what} at a time; wait.", retry_after_ms=retry_ms)
        if self._pause_s:
            self._used_up_s[user] = used_up_s
            if len(self._used_up_s) > SWEEP_AT:
                self._used_up_s = {name: at_s for name, at_s in self._used_up_s.items() if at_s > now_s}
