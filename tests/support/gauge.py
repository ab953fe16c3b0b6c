"""Service `gauge`: measures from inside a server process how late its event loop is, and what makes it late."""

from __future__ import annotations

import gc
import time
from collections import Counter
from logging import Logger
from typing import Final

import msgspec

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.services.base import Nothing, Service, method
from jupyter_ws_hub.watchdog import NOT_SEEN, Stall, StallMonitor

from .lags import LagMeter

READ: Final = ("read", "status")
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
        self._meter = LagMeter()
        self._monitor: _Monitor | None = None

    async def stop(self) -> None:
        """Look at nothing any more."""
        self._meter.close()
        self._end_monitor()

    def _end_monitor(self) -> None:
        if self._monitor is not None:
            self._monitor.stop()

    @method("gauge.begin", permission=READ, idempotent=True)
    async def begin(self, params: Nothing, peer: Peer) -> Nothing:
        """Measure from now on."""
        self._end_monitor()
        self._monitor = _Monitor(self.context.runtime.logger)
        self._monitor.start()
        self._meter.begin()
        return params

    @method("gauge.read", permission=READ, idempotent=True)
    async def read(self, params: Nothing, peer: Peer) -> Lag:
        """What was measured; measure no more."""
        self._end_monitor()
        monitor = self._monitor
        return Lag(
            *self._meter.end(),
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
