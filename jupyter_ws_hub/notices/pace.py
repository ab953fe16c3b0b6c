"""How often a notification that is updated again and again is told and stored. Pure: times are arguments."""

from __future__ import annotations

from typing import Final

import msgspec

LEAST_S: Final = 0.2
"""Between two updates of one notification: at most five a second."""
SHARE: Final = 0.01
MOST_S: Final = 5.0
"""What only goes on may also wait for a hundredth of the time that it has taken, but no longer than this: a bar does
not move faster, and each update is one in the log."""


class Pace(msgspec.Struct):
    """Of one notification: when it came, and when it was told last, in seconds of a clock that never jumps."""

    began_s: float
    told_s: float

    def wait_s(self, now_s: float, *, goes_on: bool) -> float:
        """How long the next update has to wait; `goes_on`: nothing but its progress and message are new."""
        least_s = min(MOST_S, max(LEAST_S, SHARE * (now_s - self.began_s))) if goes_on else LEAST_S
        return max(0.0, self.told_s + least_s - now_s)
