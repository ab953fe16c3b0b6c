"""What the server uses of its machine: processor, memory, and how late its event loop is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import psutil

from .services.ports import Usage

BEAT_S: Final = 0.05
"""So often the event loop is looked at; what is shorter is not seen each time."""


class LoopLag:
    """How late the event loop is: it asks to be called again and again, and looks how much later that was."""

    def __init__(self) -> None:
        """Nothing is measured before `start`."""
        self._next: asyncio.TimerHandle | None = None
        self._longest_s = 0.0

    def start(self) -> None:
        """Begin, on the event loop."""
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(BEAT_S, self._beat, loop, loop.time() + BEAT_S)

    def take_ms(self) -> float:
        """The longest that it was late since the last time."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s * 1000

    def stop(self) -> None:
        """Measure no more. Idempotent."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _beat(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        self._longest_s = max(self._longest_s, loop.time() - due_s)
        self._next = loop.call_later(BEAT_S, self._beat, loop, loop.time() + BEAT_S)


def _busy_s(times: Any) -> float:
    """The seconds of all cores together in which they did something. Guests are counted among the others already."""
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle_s - guests_s)


class _Processes:
    """The server's own process and its helpers: how long they have worked, and how much memory they have."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[psutil.Process, float]] = {}

    def look(self, pids: Iterable[int]) -> tuple[float, int]:
        """Processor seconds since the last look, and bytes. What is new counts from now on, what is gone not at all."""
        known, self._known = self._known, {}
        worked_s, memory = 0.0, 0
        for pid in pids:
            try:
                process, before_s = known.get(pid) or (psutil.Process(pid), None)
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
            now_s = times.user + times.system
            worked_s += 0.0 if before_s is None else max(0.0, now_s - before_s)
            self._known[pid] = process, now_s
        return worked_s, memory


class UsageGauge:
    """Measures from `start` to `stop`. A reading takes about a millisecond: it is made in a thread."""

    def __init__(self, pids: Callable[[], Iterable[int]], now: Callable[[], float]) -> None:
        """`pids` names the processes that are the server's own; `now` is a steady clock in seconds."""
        self._pids = pids
        self._now = now
        self._lag = LoopLag()
        self._processes = _Processes()
        self._reading = asyncio.Lock()
        self._read_s = 0.0
        self._busy_s = 0.0

    async def start(self) -> None:
        """See Gauge."""
        self._lag.start()
        await self.read()

    async def read(self) -> Usage:
        """See Gauge."""
        async with self._reading:
            return await asyncio.to_thread(self._look, tuple(self._pids()), self._lag.take_ms())

    def stop(self) -> None:
        """See Gauge."""
        self._lag.stop()

    def _look(self, pids: tuple[int, ...], lag_ms: float) -> Usage:
        now_s, busy_s = self._now(), _busy_s(psutil.cpu_times())
        passed_s = max(now_s - self._read_s, 0.001)
        machine = max(0.0, busy_s - self._busy_s) / passed_s
        self._read_s, self._busy_s = now_s, busy_s
        worked_s, memory = self._processes.look(pids)
        cores = psutil.cpu_count() or 1
        ram = psutil.virtual_memory()
        return Usage(
            cpu=round(worked_s / passed_s, 3),
            memory=memory,
            machine_cpu=round(min(machine, cores), 3),
            machine_cores=cores,
            machine_memory=ram.total,
            machine_memory_used=ram.total - ram.available,
            loop_lag_ms=round(lag_ms, 2),
        )
