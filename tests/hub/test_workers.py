"""The worker set of a session: bounded, in order, fair to others, and cancelled call by call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from jupyter_ws_hub.hub.workers import Call, Workers
from jupyter_ws_hub.protocol.messages import Request

from ..support.fakes import fake_peer, turns

LIMIT = 3


@dataclass
class Shop:
    """Workers whose calls do what `work` says; `begun` and `ended` are the refs in order."""

    work: Callable[[Call], Awaitable[None]]
    begun: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workers = Workers(LIMIT, self.run, logging.getLogger("test"))

    async def run(self, call: Call) -> None:
        self.begun.append(call.request.ref)
        await self.work(call)
        self.ended.append(call.request.ref)

    def add(self, *refs: int) -> list[Call]:
        calls = [Call(Request(ref, "work"), fake_peer()) for ref in refs]
        for call in calls:
            self.workers.add(call)
        self.workers.wake()
        return calls


def compute(seconds: float) -> None:
    """What a handler may do without waiting."""
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        pass


def waiting(gate: asyncio.Event) -> Callable[[Call], Awaitable[None]]:
    """Work that waits for the gate."""

    async def work(call: Call) -> None:
        await gate.wait()

    return work


async def test_calls_begin_in_order_and_no_more_run_than_allowed() -> None:
    gate = asyncio.Event()
    shop = Shop(waiting(gate))
    shop.add(*range(1, 11))
    await turns()
    assert shop.begun == [1, 2, 3]
    gate.set()
    await turns()
    assert shop.begun == list(range(1, 11))
    assert sorted(shop.ended) == shop.begun


async def test_calls_that_never_wait_are_done_at_once_and_leave_no_task() -> None:
    seen: list[asyncio.Task[None] | None] = []

    async def note(call: Call) -> None:
        seen.append(call.task)

    shop = Shop(note)
    before = asyncio.all_tasks()
    for ref in range(10):
        shop.add(ref)
        assert len(shop.ended) == ref + 1
    assert None not in seen
    assert shop.workers.stop() == set()
    await turns()
    assert asyncio.all_tasks() == before


async def test_one_that_hangs_does_not_hold_back_the_others() -> None:
    async def work(call: Call) -> None:
        if call.request.ref == 1:
            await asyncio.Event().wait()

    shop = Shop(work)
    shop.add(1, 2, 3, 4, 5)
    await turns()
    assert shop.ended == [2, 3, 4, 5]
    await asyncio.wait(shop.workers.stop())


async def test_two_sessions_share_the_loop_however_much_one_has_sent() -> None:
    order: list[str] = []

    def busy(name: str) -> Callable[[Call], Awaitable[None]]:
        async def work(call: Call) -> None:
            order.append(name)
            compute(0.0006)

        return work

    greedy, modest = Shop(busy("greedy")), Shop(busy("modest"))
    greedy.add(*range(100))
    modest.add(*range(3))
    await turns(400)
    assert len(order) == 103
    assert max(place for place, name in enumerate(order) if name == "modest") <= 12


async def test_a_cancelled_call_ends_and_its_worker_goes_on() -> None:
    gate = asyncio.Event()

    async def work(call: Call) -> None:
        if call.request.ref == 1:
            await gate.wait()

    shop = Shop(work)
    (first, *_) = shop.add(1)
    await turns()
    worker = first.task
    assert worker is not None
    first.cancelled = True
    worker.cancel()
    shop.add(2)
    await turns()
    assert (shop.begun, shop.ended) == ([1, 2], [2])
    assert worker.cancelling() == 0


async def test_a_call_that_waits_for_its_turn_can_be_taken_back() -> None:
    gate = asyncio.Event()
    shop = Shop(waiting(gate))
    calls = shop.add(1, 2, 3, 4)
    await turns()
    assert [shop.workers.remove(call) for call in (calls[0], calls[3], calls[3])] == [False, True, False]
    gate.set()
    await turns()
    assert shop.ended == [1, 2, 3]


async def test_stop_cancels_what_runs_and_begins_nothing() -> None:
    shop = Shop(waiting(asyncio.Event()))
    shop.add(*range(9))
    await turns()
    tasks = shop.workers.stop()
    await asyncio.wait_for(asyncio.wait(tasks), 5)
    await turns()
    assert (len(shop.begun), shop.ended) == (LIMIT, [])


async def test_a_bug_is_logged_and_the_rest_is_done(caplog: pytest.LogCaptureFixture) -> None:
    async def work(call: Call) -> None:
        if call.request.ref == 1:
            raise RuntimeError("boom")

    shop = Shop(work)
    shop.add(1, 2)
    await turns()
    assert shop.ended == [2]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_workers_of_one_session_that_compute_do_not_go_on_together() -> None:
    order: list[str] = []

    def busy(name: str) -> Callable[[Call], Awaitable[None]]:
        async def work(call: Call) -> None:
            await asyncio.sleep(0)  # every call has a worker of its own
            order.append(name)
            compute(0.0006)

        return work

    greedy, modest = Shop(busy("greedy")), Shop(busy("modest"))
    greedy.add(*range(60))
    await turns(5)
    modest.add(*range(5))
    await turns(600)
    assert len(order) == 65
    first = order.index("modest")
    assert order[first : first + 5 * (LIMIT + 2)].count("modest") == 5
