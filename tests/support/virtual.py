"""An event loop whose time jumps: where nothing is ready it is at once the time of the next timer. Nothing waits."""

from __future__ import annotations

import asyncio
import selectors

from .fakes import FakeClock


class _Selector(selectors.SelectSelector):
    """Does not wait, but says how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass for which the loop has nothing to do."""
        if timeout is None:
            raise RuntimeError("everybody waits for something that nobody will do")
        self.now_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for one simulated world; threads and sockets have no place in it."""

    def __init__(self) -> None:
        """It begins at 0."""
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """The time in this world, in seconds."""
        return self._virtual.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass although there is something to do."""
        self._virtual.now_s += seconds


class VirtualClock(FakeClock):
    """The clock of a virtual loop; to be made and read inside it."""

    def __call__(self) -> float:
        """The time now."""
        return self.now_s + asyncio.get_running_loop().time()

    def advance(self, seconds: float) -> None:
        """Let time pass, for the timers of the loop too."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.advance(seconds)
