"""The threads: calls run beside the loop, and all is done at the end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from jupyter_ws_hub.transfers.threads import Threads


async def test_what_is_run_is_done_elsewhere_and_its_errors_come_back() -> None:
    threads = Threads(1)
    name = await threads.run(lambda: threading.current_thread().name)
    assert name.startswith("jupyter-ws-hub-transfer")
    assert await threads.run(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    await threads.stop()


async def test_stopping_waits_for_what_was_begun() -> None:
    threads, done = Threads(2), threading.Event()

    def work() -> None:
        time.sleep(0.05)
        done.set()

    running = threads.run(work)
    await threads.run(lambda: None)
    task = asyncio.ensure_future(running)
    await asyncio.sleep(0)
    await threads.stop()
    assert done.is_set()
    await task


async def test_stopping_waits_also_for_what_nobody_waits_for() -> None:
    threads, done = Threads(1), threading.Event()

    def work(seconds: float) -> None:
        time.sleep(seconds)
        done.set()

    threads.begin(work, 0.05)
    assert not done.is_set()
    await threads.stop()
    assert done.is_set()
