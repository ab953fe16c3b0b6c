"""What the server uses: real readings of this process, limits that are made up, and a loop that is late."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
import pytest

from jupyter_ws_hub.host_limits import Allowed, CpuLimit, Limits, MemoryLimit
from jupyter_ws_hub.host_usage import BEAT_S, LoopLag, UsageGauge

MB = 1_000_000
SPIN = "import time\nprint(flush=True)\nwhile True: time.monotonic()"


def spin(seconds: float) -> None:
    """Use the processor."""
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass


@asynccontextmanager
async def spinning() -> AsyncIterator[int]:
    """A process, started by this one, that uses the processor all the time."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SPIN, stdout=pipe)
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


@dataclass
class Container:
    """Limits of a container, to be changed."""

    limits: Limits = Limits()  # noqa: RUF009  # immutable

    def gauge(self, allowed: Allowed = Allowed(), models: tuple[int, ...] = ()) -> UsageGauge:  # noqa: B008  # the same
        """A gauge of a server in it."""
        return UsageGauge(
            lambda: [os.getpid()], time.monotonic, models=lambda: models, allowed=allowed, limits=lambda: self.limits
        )


async def test_a_process_that_works_uses_a_core_and_one_that_waits_none() -> None:
    gauge = UsageGauge(lambda: [os.getpid()], time.monotonic)
    await gauge.start()
    began_s = time.monotonic()
    await asyncio.to_thread(spin, 0.2)
    passed_s = time.monotonic() - began_s
    busy = await gauge.read()
    gauge.stop()
    assert 0.2 / passed_s * 0.5 <= busy.cpu <= 2.5
    assert 5_000_000 < busy.memory < busy.machine_memory
    assert 0 < busy.machine_memory_used <= busy.machine_memory
    assert 0 < busy.machine_cpu <= busy.machine_cores


async def test_a_helper_counts_while_it_runs_and_one_that_has_ended_does_no_harm() -> None:
    async with spinning() as helper:
        pids = [os.getpid(), helper]
        gauge = UsageGauge(lambda: pids, time.monotonic)
        alone = UsageGauge(lambda: pids[:1], time.monotonic)
        await gauge.start()
        await alone.start()
        await asyncio.sleep(0.3)
        with_helper, without = await gauge.read(), await alone.read()
    after = await gauge.read()
    gauge.stop()
    alone.stop()
    assert with_helper.cpu > without.cpu
    assert with_helper.memory > without.memory + 1_000_000
    assert after.memory < with_helper.memory


async def test_a_models_process_is_counted_by_itself() -> None:
    async with spinning() as model:
        gauge = Container().gauge(models=(model,))
        await gauge.start()
        await asyncio.sleep(0.3)
        usage = await gauge.read()
    after = await gauge.read()
    gauge.stop()
    assert (usage.models, after.models) == (1, 0)
    assert usage.models_cpu > 0.05 and usage.models_memory > 1_000_000
    assert (after.models_cpu, after.models_memory) == (0, 0)
    assert abs(usage.memory - after.memory) < usage.models_memory


async def test_in_a_container_its_limits_and_what_it_uses_count() -> None:
    container = Container(Limits(MemoryLimit(64 * MB, 48 * MB), CpuLimit(0.5, 10.0)))
    gauge = container.gauge()
    await gauge.start()
    began_s = time.monotonic()
    container.limits = Limits(MemoryLimit(64 * MB, 50 * MB), CpuLimit(0.5, 10.1))
    await asyncio.sleep(0.4)
    usage = await gauge.read()
    passed_s = time.monotonic() - began_s
    gauge.stop()
    assert (usage.cores_of, usage.memory_of) == ("container", "container")
    assert (usage.machine_memory, usage.machine_memory_used, usage.machine_cores) == (64 * MB, 50 * MB, 0.5)
    assert 0.1 / passed_s * 0.9 <= usage.machine_cpu <= 0.1 / 0.4


async def test_a_container_that_may_use_more_than_the_machine_has_limits_nothing() -> None:
    gauge = Container(Limits(MemoryLimit(2**62, 1), CpuLimit(10_000.0, 1.0))).gauge()
    await gauge.start()
    usage = await gauge.read()
    gauge.stop()
    assert (usage.cores_of, usage.memory_of) == ("machine", "machine")
    assert usage.machine_memory == psutil.virtual_memory().total
    assert usage.machine_cores == psutil.cpu_count()


async def test_what_a_hub_allows_is_for_the_server_with_all_that_it_has_started() -> None:
    async with spinning() as started:
        gauge = Container().gauge(Allowed(500 * MB, 0.25))
        await gauge.start()
        await asyncio.sleep(0.5)
        usage = await gauge.read()
        gauge.stop()
        assert (usage.cores_of, usage.memory_of) == ("server", "server")
        assert (usage.machine_memory, usage.machine_cores) == (500 * MB, 0.25)
        assert usage.machine_memory_used >= usage.memory + psutil.Process(started).memory_info().rss // 2
        assert 0.02 < usage.machine_cpu <= 0.25


async def test_where_a_hub_allows_less_than_the_container_it_is_the_containers_use_that_counts() -> None:
    container = Container(Limits(MemoryLimit(64 * MB, 48 * MB), CpuLimit(0.5, 10.0)))
    gauge = container.gauge(Allowed(32 * MB, 0.25))
    await gauge.start()
    usage = await gauge.read()
    gauge.stop()
    assert (usage.cores_of, usage.machine_cores) == ("container", 0.25)
    assert (usage.memory_of, usage.machine_memory, usage.machine_memory_used) == ("container", 32 * MB, 48 * MB)


@pytest.mark.parametrize("allowed", [Allowed(), Allowed(2**62, 10_000.0)])
async def test_a_hub_that_allows_more_than_there_is_limits_nothing(allowed: Allowed) -> None:
    gauge = Container().gauge(allowed)
    await gauge.start()
    usage = await gauge.read()
    gauge.stop()
    assert (usage.cores_of, usage.memory_of) == ("machine", "machine")


async def test_a_loop_that_is_late_is_seen_once() -> None:
    lag = LoopLag()
    lag.start()
    await asyncio.sleep(2 * BEAT_S)
    lag.take_ms()
    time.sleep(0.2)  # noqa: ASYNC251  this is what is measured
    await asyncio.sleep(0.001)
    assert lag.take_ms() >= 100
    assert lag.take_ms() < 100
    lag.stop()
    lag.stop()


async def test_a_gauge_can_be_read_by_many_at_a_time() -> None:
    gauge = UsageGauge(lambda: [os.getpid()], time.monotonic)
    await gauge.start()
    readings = await asyncio.gather(*(gauge.read() for _ in range(5)))
    gauge.stop()
    assert all(reading.cpu >= 0 and reading.memory > 0 for reading in readings)
