"""A task whose first step is made at once: as any task otherwise, for its work and for whoever waits or cancels."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from jupyter_ws_hub.hub.eager import Starter

from ..support.fakes import turns

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


def begin(work: Coroutine[Any, Any, None], starter: Starter | None = None) -> asyncio.Task[None]:
    """Start work that waits."""
    task = (starter or Starter()).start(work)
    assert task is not None
    return task


async def test_work_that_never_waits_is_done_before_start_returns() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    starter = Starter()
    for count in (1, 2, 3):
        assert starter.start(work()) is None
        assert len(done) == count
    await turns()
    assert starter.start(work()) is None
    assert len(done) == 4
    starter.close()


async def test_the_work_is_in_its_own_task_from_the_first_step_on() -> None:
    seen: list[asyncio.Task[None] | None] = []

    async def work() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    caller = asyncio.current_task()
    task = begin(work())
    assert asyncio.current_task() is caller
    await task
    assert seen == [task, task]


@pytest.mark.parametrize("waits_before", [False, True])
async def test_a_timeout_in_the_first_step_ends_the_work_and_not_its_caller(waits_before: bool) -> None:
    async def work() -> None:
        if waits_before:
            await asyncio.sleep(0)
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await begin(work())


async def test_an_error_of_the_first_step_is_raised_and_a_later_one_comes_out_of_the_task() -> None:
    async def work(steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        raise KeyError("lost")

    starter = Starter()
    caller = asyncio.current_task()
    with pytest.raises(KeyError):
        starter.start(work(0))
    assert asyncio.current_task() is caller
    with pytest.raises(KeyError):
        await begin(work(1), starter)


@pytest.mark.parametrize("later", [0, 1, 5])
async def test_a_cancel_reaches_the_work_whenever_it_comes(later: int) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    task = begin(work())
    await turns(later)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cleaned up"] and task.cancelled()


@pytest.mark.parametrize("later", [0, 3])
async def test_a_cancel_can_be_survived(later: int) -> None:
    gate = asyncio.Event()
    passed: list[int] = []

    async def work() -> None:
        for number in range(2):
            try:
                await gate.wait()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
            passed.append(number)

    task = begin(work())
    await turns(later)
    task.cancel()
    await turns()
    gate.set()
    await task
    assert passed == [0, 1]


async def test_results_and_exceptions_of_what_is_awaited_come_back() -> None:
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    got: list[object] = []

    async def work() -> None:
        got.append(await first)
        try:
            await second
        except ValueError as error:
            got.append(str(error))

    task = begin(work())
    await turns(3)
    first.set_result(7)
    await turns(3)
    second.set_exception(ValueError("no"))
    await task
    assert got == [7, "no"]


async def test_each_task_has_a_context_of_its_own() -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        PLACE.set(name)
        await asyncio.sleep(0)
        seen.append(PLACE.get())

    await asyncio.gather(begin(work("a")), begin(work("b")))
    assert (seen, PLACE.get()) == (["a", "b"], "nowhere")


async def test_work_that_never_waits_leaves_no_context_to_the_next() -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        seen.append(PLACE.get())
        PLACE.set(name)

    starter = Starter()
    for name in ("a", "b"):
        starter.start(work(name))
    assert (seen, PLACE.get()) == (["nowhere", "nowhere"], "nowhere")
    starter.close()


async def test_a_starter_that_is_closed_leaves_no_task() -> None:
    async def work() -> None:
        pass

    before = asyncio.all_tasks()
    starter = Starter()
    starter.start(work())
    starter.close()
    starter.close()
    await turns()
    assert asyncio.all_tasks() == before


async def test_a_start_inside_a_start_is_in_order() -> None:
    order: list[str] = []

    async def inner() -> None:
        order.append("inner")
        await asyncio.sleep(0)
        order.append("inner again")

    async def outer() -> None:
        order.append("outer")
        task = begin(inner(), starter)
        order.append("outer again")
        await task

    starter = Starter()
    await begin(outer(), starter)
    assert order == ["outer", "inner", "outer again", "inner again"]


async def test_it_can_be_started_from_a_callback_of_the_loop() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        done.set()

    tasks: list[asyncio.Task[None]] = []
    asyncio.get_running_loop().call_soon(lambda: tasks.append(begin(work())))
    await asyncio.wait_for(done.wait(), 5)
    await tasks[0]
