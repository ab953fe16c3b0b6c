"""What is on its way into a log: stored together and in order, bounded, and told of one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jupyter_ws_hub.hub.publisher import MAX_BATCH, MAX_WAITING, Publisher
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.base import Draft, LogRetention, Record

from ..support.fakes import HookedLog, counting_ids, fake_runtime, turns

KEEP = LogRetention(1 << 30, 1 << 40, 1e12)


class Press:
    """A publisher on a log with hooks."""

    def __init__(self, retention: LogRetention = KEEP) -> None:
        self.log = HookedLog(counting_ids("epoch"))
        self.batches: list[list[int]] = []
        self.idle: list[str] = []
        self.publisher = Publisher("t", retention, self.log, fake_runtime(), self.stored, self.idle.append)

    def stored(self, key: str, records: Sequence[Record]) -> None:
        self.batches.append([record.offset for record in records])

    async def end(self) -> None:
        assert self.publisher.task is not None
        await asyncio.wait_for(self.publisher.task, 5)

    def publish(self, *numbers: int) -> list[asyncio.Task[int]]:
        return [asyncio.create_task(self.publisher.publish(Draft(f"m{n}", "k", 0, b"x"))) for n in numbers]


async def test_what_comes_together_is_stored_together_and_in_order() -> None:
    press = Press()
    tasks = press.publish(*range(1, 601))
    assert await asyncio.gather(*tasks) == list(range(1, 601))
    assert [offset for batch in press.batches for offset in batch] == list(range(1, 601))
    assert len(press.batches) <= 600 / MAX_BATCH + 2
    await press.end()
    assert press.idle == ["t"]


async def test_a_store_that_fails_tells_each_and_takes_the_next() -> None:
    press = Press()
    failures = [HubError(Code.NO_SPACE, "Full.")]

    async def fail_once(operation: str) -> None:
        if failures and operation == "append":
            raise failures.pop()

    press.log.before = fail_once
    first = press.publish(1, 2, 3)
    results = await asyncio.gather(*first, return_exceptions=True)
    assert [type(result) for result in results] == [HubError] * 3
    assert press.batches == []


async def test_who_does_not_wait_any_more_is_published_all_the_same() -> None:
    press = Press()
    impatient, other = press.publish(1, 2)
    await asyncio.sleep(0)
    impatient.cancel()
    assert await other == 2
    assert press.batches == [[1, 2]]


async def test_a_store_that_does_not_come_after_gets_no_endless_queue() -> None:
    press = Press()
    gate = asyncio.Event()

    async def wait(operation: str) -> None:
        await gate.wait()

    press.log.before = wait
    tasks = press.publish(*range(MAX_WAITING + MAX_BATCH + 5))
    await turns()
    refused = [task for task in tasks if task.done()]
    assert 5 <= len(refused) <= MAX_BATCH + 5
    for task in refused:
        with pytest.raises(HubError) as caught:
            task.result()
        assert caught.value.code is Code.BUSY and caught.value.retry_after_ms
    gate.set()
    assert len(await asyncio.gather(*(task for task in tasks if task not in refused))) >= MAX_WAITING


async def test_a_trim_that_fails_costs_nothing_but_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = Press(LogRetention(10, 1 << 20, 1e9))

    async def fail(topic: str, retention: LogRetention, now_ms: int) -> int:
        raise HubError(Code.UNAVAILABLE, "Locked.")

    monkeypatch.setattr(press.log, "trim", fail)
    assert len(await asyncio.gather(*press.publish(*range(200)))) == 200
    await press.end()
    assert "could not be trimmed" in caplog.text
