"""Service `gauge`: measures from inside a server process how late its event loop is, and what makes it late."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from logging import Logger
from typing import Final

import msgspec

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.services.base import Nothing, Service, method
from jupyter_ws_hub.watchdog import NOT_SEEN, Stall, StallMonitor

READ: Final = ("read", "status")
SAMPLE_S: Final = 0.002
STALL_MS: Final = 10.0


class Lag(msgspec.Struct, frozen=True):
    """How late timers of the event loop came, and what the stall monitor has seen of all that took over 10 ms."""

    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    gc_max_ms: float
    """The longest garbage collection: part of the above."""
    stalls: int
    culprits: dict[str, int]
    """How many stalls each callback had, the most frequent ones."""
    longest: Stall | None


class _Monitor(StallMonitor):
    """Counts what it reports."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(STALL_MS, logger)
        self.seen: Counter[str] = Counter()

    def _report(self, took_s: float, stack: tuple[str, ...]) -> None:
        super()._report(took_s, stack)
        self.seen[" < ".join(reversed(stack[-3:])) or NOT_SEEN] += 1


class GaugeService(Service):
    """For tests only."""

    name = "gauge"

    async def start(self) -> None:
        """Look at the garbage collector."""
        self._lags: list[float] = []
        self._timer: asyncio.TimerHandle | None = None
        self._monitor: _Monitor | None = None
        self._gc_began_s = self._gc_max_s = 0.0
        gc.callbacks.append(self._on_gc)

    async def stop(self) -> None:
        """Look at nothing any more."""
        gc.callbacks.remove(self._on_gc)
        self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._monitor is not None:
            self._monitor.stop()

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began_s = time.monotonic()
        else:
            self._gc_max_s = max(self._gc_max_s, time.monotonic() - self._gc_began_s)

    @method("gauge.begin", permission=READ, idempotent=True)
    async def begin(self, params: Nothing, peer: Peer) -> Nothing:
        """Measure from now on."""
        self._end()
        self._lags, self._gc_max_s = [], 0.0
        self._monitor = _Monitor(self.context.runtime.logger)
        self._monitor.start()
        self._sample(0.0)
        return params

    def _sample(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if due_s:
            self._lags.append(1000 * (now_s - due_s))
        self._timer = loop.call_at(now_s + SAMPLE_S, self._sample, now_s + SAMPLE_S)

    @method("gauge.read", permission=READ, idempotent=True)
    async def read(self, params: Nothing, peer: Peer) -> Lag:
        """What was measured; measure no more."""
        self._end()
        lags = sorted(self._lags) or [0.0]
        monitor = self._monitor
        return Lag(
            len(lags),
            lags[len(lags) // 2],
            lags[len(lags) * 99 // 100],
            lags[-1],
            1000 * self._gc_max_s,
            0 if monitor is None else monitor.seen.total(),
            {} if monitor is None else dict(monitor.seen.most_common(12)),
            None if monitor is None else monitor.longest,
        )

    @method("gauge.collect", permission=READ, idempotent=True)
    async def collect(self, params: Nothing, peer: Peer) -> float:
        """How long a full garbage collection takes, in milliseconds: the loop stands still meanwhile."""
        gc.collect()  # what is garbage already is not counted
        began_s = time.perf_counter()
        gc.collect()
        return 1000 * (time.perf_counter() - began_s)
