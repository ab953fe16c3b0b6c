"""How late an event loop is, seen from inside its process: what services of tests and benchmarks measure with."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Final, NamedTuple

SAMPLE_S: Final = 0.002


class LagFigures(NamedTuple):
    """How late timers of the event loop came, in milliseconds, and the longest garbage collection among that."""

    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    gc_max_ms: float


class LagMeter:
    """Lets a timer come every 2 ms and notes how late it is. To be made, used and closed on the event loop."""

    def __init__(self) -> None:
        """Look at the garbage collector; at the loop only after `begin`."""
        self._lags_ms: list[float] = []
        self._timer: asyncio.TimerHandle | None = None
        self._gc_began_s = self._gc_max_s = 0.0
        gc.callbacks.append(self._on_gc)

    def close(self) -> None:
        """Look at nothing any more."""
        gc.callbacks.remove(self._on_gc)
        self.end()

    def begin(self) -> None:
        """Measure from now on."""
        self.end()
        self._lags_ms, self._gc_max_s = [], 0.0
        self._sample(0.0)

    def end(self) -> LagFigures:
        """Measure no more; what was measured."""
        if self._timer is not None:
            self._timer.cancel()
        lags = sorted(self._lags_ms) or [0.0]
        p99_ms = lags[len(lags) * 99 // 100]
        return LagFigures(len(lags), lags[len(lags) // 2], p99_ms, lags[-1], 1000 * self._gc_max_s)

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began_s = time.monotonic()
        else:
            self._gc_max_s = max(self._gc_max_s, time.monotonic() - self._gc_began_s)

    def _sample(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if due_s:
            self._lags_ms.append(1000 * (now_s - due_s))
        self._timer = loop.call_at(now_s + SAMPLE_S, self._sample, now_s + SAMPLE_S)
