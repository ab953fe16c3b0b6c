"""What the server uses of its machine: processor, memory, and how late its event loop is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import psutil

from .host_limits import Allowed, Limits, own_limits
from .services.ports import Usage, Whose

NOTHING_SAID: Final = Allowed()
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


class _Work(NamedTuple):
    """What processes have done since the last look, and how much memory they have."""

    processes: int
    worked_s: float
    memory: int


class _Processes:
    """Some processes: how long they have worked, and how much memory they have."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[psutil.Process, float]] = {}

    def look(self, pids: Iterable[int]) -> _Work:
        """What they have done. The processor seconds of what is new count from now on, of what is gone not at all."""
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
        return _Work(len(self._known), worked_s, memory)


class _Cores(NamedTuple):
    """Processors: whose, how many, and the seconds that they have worked since the last look."""

    of: Whose
    all: float
    worked_s: float


class _Memory(NamedTuple):
    """Memory in bytes: whose, all of it, and what of it is used."""

    of: Whose
    all: int
    used: int


class _Place:
    """What the server can use at most, and what of it is used: its machine, its container, or what it is allowed."""

    def __init__(self, allowed: Allowed, limits: Callable[[], Limits]) -> None:
        self._allowed, self._limits = allowed, limits
        self._started = _Processes()
        self._before_s: dict[Whose, float] = {}

    def look(self) -> tuple[_Cores, _Memory]:
        """The tightest limits there are."""
        limits, ram = self._limits(), psutil.virtual_memory()
        cores = _Cores("machine", psutil.cpu_count() or 1, self._since("machine", _busy_s(psutil.cpu_times())))
        memory = _Memory("machine", ram.total, ram.total - ram.available)
        if limits.cpu is not None and limits.cpu.cores < cores.all:
            cores = _Cores("container", limits.cpu.cores, self._since("container", limits.cpu.busy_s))
        if limits.memory is not None and limits.memory.limit < memory.all:
            memory = _Memory("container", *limits.memory)
        return self._allow(cores, memory)

    def _allow(self, cores: _Cores, memory: _Memory) -> tuple[_Cores, _Memory]:
        """What is allowed is for the server with all that it has started: its container, where it has one."""
        may_cores, may_memory = self._allowed.cores or cores.all, self._allowed.memory or memory.all
        fewer, less = may_cores < cores.all, may_memory < memory.all
        if (fewer and cores.of == "machine") or (less and memory.of == "machine"):
            work = self._started.look(_with_children())
            cores = _Cores("server", may_cores, work.worked_s) if fewer and cores.of == "machine" else cores
            memory = _Memory("server", may_memory, work.memory) if less and memory.of == "machine" else memory
        return (
            cores._replace(all=may_cores) if fewer else cores,
            memory._replace(all=may_memory) if less else memory,
        )

    def _since(self, of: Whose, busy_s: float) -> float:
        before_s = self._before_s.get(of, busy_s)
        self._before_s[of] = busy_s
        return max(0.0, busy_s - before_s)


def _with_children() -> list[int]:
    """This process, and all that it has started and those in turn."""
    try:
        own = psutil.Process()
        return [own.pid, *(child.pid for child in own.children(recursive=True))]
    except psutil.Error:
        return [os.getpid()]


def _no_models() -> Iterable[int]:
    return ()


class UsageGauge:
    """Measures from `start` to `stop`. A reading takes about a millisecond: it is made in a thread."""

    def __init__(
        self,
        pids: Callable[[], Iterable[int]],
        now: Callable[[], float],
        *,
        models: Callable[[], Iterable[int]] = _no_models,
        allowed: Allowed = NOTHING_SAID,
        limits: Callable[[], Limits] = own_limits,
    ) -> None:
        """`pids` names the processes that are the server's own, `models` those of models; `now` is a steady clock in
        seconds. `allowed` is what a JupyterHub says, `limits` reads those of the container.
        """
        self._pids, self._model_pids = pids, models
        self._now = now
        self._lag = LoopLag()
        self._own, self._models = _Processes(), _Processes()
        self._place = _Place(allowed, limits)
        self._reading = asyncio.Lock()
        self._read_s = 0.0

    async def start(self) -> None:
        """See Gauge."""
        self._lag.start()
        await self.read()

    async def read(self) -> Usage:
        """See Gauge."""
        async with self._reading:
            pids, models = tuple(self._pids()), tuple(self._model_pids())
            return await asyncio.to_thread(self._look, pids, models, self._lag.take_ms())

    def stop(self) -> None:
        """See Gauge."""
        self._lag.stop()

    def _look(self, pids: tuple[int, ...], model_pids: tuple[int, ...], lag_ms: float) -> Usage:
        now_s = self._now()
        passed_s = max(now_s - self._read_s, 0.001)
        self._read_s = now_s
        own, models = self._own.look(pids), self._models.look(model_pids)
        cores, memory = self._place.look()
        return Usage(
            cpu=round(own.worked_s / passed_s, 3),
            memory=own.memory,
            machine_cpu=round(min(cores.worked_s / passed_s, cores.all), 3),
            machine_cores=round(cores.all, 2),
            machine_memory=memory.all,
            machine_memory_used=memory.used,
            loop_lag_ms=round(lag_ms, 2),
            cores_of=cores.of,
            memory_of=memory.of,
            models=models.processes,
            models_cpu=round(models.worked_s / passed_s, 3),
            models_memory=models.memory,
        )
