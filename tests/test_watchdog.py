"""The stall monitor: what blocks the loop is found and named, also C code; nothing is told of a loop that beats."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_ws_hub import watchdog
from jupyter_ws_hub.watchdog import NOT_SEEN, Stall, StallMonitor, look
from tests.support.client import until

LOGGER = logging.getLogger("test.watchdog")
STALL_MS = 100.0
"""Above what a busy machine does to a loop that nobody blocks; what is blocked here takes far longer."""


@asynccontextmanager
async def watched(stall_ms: float = STALL_MS) -> AsyncIterator[StallMonitor]:
    monitor = StallMonitor(stall_ms, LOGGER)
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.stop()


def sleep_long(seconds: float = 0.4) -> None:
    time.sleep(seconds)


async def a_coroutine() -> None:
    await the_one_it_awaits()


async def the_one_it_awaits() -> None:
    sleep_long()


def match_long() -> None:
    """One call into C that keeps the interpreter's lock to its end: the pattern has exponentially many ways to fail."""
    re.match(r"(a|a)*$", "a" * 22 + "b")


def hash_long() -> None:
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1_500_000)


async def stalls(monitor: StallMonitor, work: Callable[[], Any]) -> Stall:
    """Block the loop by a callback, give the stall that is found; it is longer than any before."""
    before = monitor.longest
    asyncio.get_running_loop().call_soon(work)
    stall = await until(lambda: monitor.longest is not before and monitor.longest, "a stall")
    assert isinstance(stall, Stall)
    return stall


async def test_a_callback_that_blocks_is_found_and_named(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as monitor:
        before = time.time()
        stall = await stalls(monitor, sleep_long)
        assert stall.callback.startswith("sleep_long (")
        assert re.search(r"test_watchdog\.py:\d+\)$", stall.callback)
        # It may have begun to block a quarter of the limit before the beat was asked for.
        assert 400 - STALL_MS <= stall.duration_ms < 5000
        assert before <= stall.at <= time.time()
        (record,) = await until(lambda: caplog.records, "a warning")
        assert record.levelno == logging.WARNING
        assert "sleep_long (" in record.getMessage()
        assert f"{stall.duration_ms:.0f} ms" in record.getMessage()


async def test_sixty_milliseconds_are_enough_for_a_lower_limit() -> None:
    async with watched(15) as monitor:
        for _ in range(50):
            asyncio.get_running_loop().call_soon(sleep_long, 0.06)
            await asyncio.sleep(0.02)
            if monitor.longest is not None and "sleep_long" in monitor.longest.callback:
                return
        raise AssertionError(monitor.longest)


async def test_of_a_task_the_outermost_coroutine_is_the_callback_and_the_frames_lead_to_the_place() -> None:
    async with watched() as monitor:
        task = asyncio.create_task(a_coroutine())
        await task
        stall = await until(lambda: monitor.longest, "a stall")
        assert stall.callback.startswith("a_coroutine (")
        assert [frame.partition(" ")[0] for frame in stall.stack] == ["the_one_it_awaits", "sleep_long"]


@pytest.mark.parametrize("work", [match_long, hash_long])
async def test_c_code_is_found_whether_it_holds_the_interpreter_or_not(work: Callable[[], None]) -> None:
    async with watched() as monitor:
        stall = await stalls(monitor, work)
        assert stall.callback.startswith(work.__name__)
        assert stall.duration_ms >= STALL_MS


async def test_nothing_is_told_of_a_loop_that_beats(caplog: pytest.LogCaptureFixture) -> None:
    async with watched(2000) as monitor:
        end_s = time.monotonic() + 0.3
        while time.monotonic() < end_s:
            sleep_long(0.002)
            await asyncio.sleep(0)
        assert monitor.longest is None
    assert not caplog.records


async def test_the_longest_is_kept_and_one_warning_stands_for_many(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched() as monitor:
        await stalls(monitor, lambda: sleep_long(0.2))
        longest = await stalls(monitor, lambda: sleep_long(0.6))
        sleep_long(0.2)
        await until(lambda: monitor._left_out >= 2, "a third one")
        assert monitor.longest is longest
        assert len(caplog.records) == 1
        monkeypatch.setattr(watchdog, "REPORT_INTERVAL_S", 0.0)
        sleep_long(0.2)
        await until(lambda: len(caplog.records) == 2, "the next warning")
        assert re.search(r"\(\d others since", caplog.records[1].getMessage())


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jupyter-ws-hub-watchdog"]


async def test_the_thread_ends_at_stop_at_once_and_stop_may_come_again() -> None:
    async with watched(5000) as monitor:
        assert len(watchers()) == 1
        assert watchers()[0].daemon
        began_s = time.monotonic()
        monitor.stop()
        assert time.monotonic() - began_s < 1
        assert watchers() == []
        monitor.stop()


async def test_a_monitor_that_was_never_started_stops() -> None:
    StallMonitor(STALL_MS, LOGGER).stop()


def test_the_thread_ends_with_its_loop() -> None:
    monitor = StallMonitor(10, LOGGER)

    async def start() -> None:
        monitor.start()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    loop.close()
    for thread in watchers():
        thread.join(5)
    assert watchers() == []
    monitor.stop()


def test_where_no_loop_runs_nothing_is_seen() -> None:
    assert look(threading.get_ident()) == ()
    assert look(0) == ()
    monitor = StallMonitor(10, LOGGER, lambda: 5.0)
    monitor._report(1.5, ())
    assert monitor.longest == Stall(1500.0, NOT_SEEN, 5.0)
