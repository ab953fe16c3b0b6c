"""What the server uses: real readings of this process, and a loop that is late."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from jupyter_ws_hub.host_usage import BEAT_S, LoopLag, UsageGauge

SPIN = "import time\nprint(flush=True)\nwhile True: time.monotonic()"


def spin(seconds: float) -> None:
    """Use the processor."""
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass


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
    pipe = asyncio.subprocess.PIPE
    helper = await asyncio.create_subprocess_exec(sys.executable, "-c", SPIN, stdout=pipe)
    assert helper.stdout is not None
    await helper.stdout.readline()
    pids = [os.getpid(), helper.pid]
    gauge = UsageGauge(lambda: pids, time.monotonic)
    alone = UsageGauge(lambda: pids[:1], time.monotonic)
    await gauge.start()
    await alone.start()
    await asyncio.sleep(0.3)
    with_helper, without = await gauge.read(), await alone.read()
    helper.kill()
    await helper.wait()
    after = await gauge.read()
    gauge.stop()
    alone.stop()
    assert with_helper.cpu > without.cpu
    assert with_helper.memory > without.memory + 1_000_000
    assert after.memory < with_helper.memory


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
