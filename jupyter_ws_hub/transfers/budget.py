"""What all transfers of a server share: memory for what has arrived and is not written, and the rate of each user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TURN_S: Final = 0.25
"""What is moved at once takes about so long at the rate: the waits between are short, and all transfers get on."""
MIN_TURN_BYTES: Final = 4096


class WindowBudget:
    """Bytes that windows may have beyond what each stream has at first."""

    def __init__(self, total_bytes: int) -> None:
        """All of it is free."""
        self.free_bytes = total_bytes

    def take(self, wanted_bytes: int) -> int:
        """Give as much of what is wanted as is free."""
        given = min(wanted_bytes, self.free_bytes)
        self.free_bytes -= given
        return given

    def give_back(self, given_bytes: int) -> None:
        """What `take` gave is free again."""
        self.free_bytes += given_bytes


class Pace:
    """Bytes per second of one user's transfers together."""

    def __init__(self, bytes_per_s: float, monotonic: Callable[[], float]) -> None:
        """0: no limit."""
        self._bytes_per_s = bytes_per_s
        self._monotonic = monotonic
        self._free_at_s: dict[str, float] = {}

    def turn_bytes(self, most_bytes: int) -> int:
        """How much to move at once, at most `most_bytes`."""
        if not self._bytes_per_s:
            return most_bytes
        return min(most_bytes, max(MIN_TURN_BYTES, int(self._bytes_per_s * TURN_S)))

    def delay_s(self, principal: str, moved_bytes: int) -> float:
        """How long to wait after so many bytes were moved. Who has waited so long is forgotten."""
        if not self._bytes_per_s:
            return 0.0
        now_s = self._monotonic()
        for name in [name for name, free_s in self._free_at_s.items() if free_s <= now_s]:
            del self._free_at_s[name]
        free_s = self._free_at_s.get(principal, now_s) + moved_bytes / self._bytes_per_s
        self._free_at_s[principal] = free_s
        return free_s - now_s
