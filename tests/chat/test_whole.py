"""What must not stop halfway does not, and what fails when nobody waits is in the log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from jupyter_ws_hub.chat.whole import Whole

LOGGER = logging.getLogger("test.whole")


async def test_it_gives_and_raises_what_the_work_does() -> None:
    whole = Whole(LOGGER)

    async def work(number: int) -> int:
        if not number:
            raise ValueError("nothing")
        return number

    assert await whole.do(work(3)) == 3
    with pytest.raises(ValueError, match="nothing"):
        await whole.do(work(0))


async def test_it_goes_on_when_nobody_waits_any_more(caplog: pytest.LogCaptureFixture) -> None:
    whole, gate, done = Whole(LOGGER), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(1)
        raise ValueError("afterwards")

    task = asyncio.create_task(whole.do(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == []
    gate.set()
    await whole.ended()
    assert done == [1]
    assert "afterwards" in caplog.text
