"""The local model's process over its lives, with one that speaks as it does but computes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from jupyter_ws_hub.assistants import local_process as module
from jupyter_ws_hub.assistants.local_messages import Setup
from jupyter_ws_hub.assistants.local_process import LocalProcess
from jupyter_ws_hub.chat.assistant import Ask, AssistantError, Delta, Done, Piece, Queued, Turn, Usage
from jupyter_ws_hub.protocol.codes import Code
from tests.support.fakes import until
from tests.support.waits import FairClock

FAKE = """
import os, select, signal, sys, time
sys.path[:] = sys.argv[1:]
import msgspec
from jupyter_ws_hub.assistants.local_messages import *
decode, does = msgspec.json.Decoder(Order).decode, ""
def tell(message):
    os.write(1, line(message))
def dropped():
    return bool(select.select([0], [], [], 0.001)[0])
for data in iter(lambda: os.read(0, 65536), b""):
    for order in map(decode, data.splitlines()):
        if isinstance(order, Setup):
            does = order.model
            if does == "refuse":
                tell(NotLoaded(f"{does} is no model."))
                os._exit(1)
            if does == "no instruction":
                os.kill(os.getpid(), signal.SIGILL)
            if does == "die":
                sys.exit(3)
            tell(Loaded())
            if does == "die soon":
                print("kaput", file=sys.stderr)
                sys.exit(4)
        elif isinstance(order, Question):
            if does == "die when asked":
                sys.exit(5)
            if does == "mad":
                os.write(1, b"rubbish\\n")
            if does == "fail":
                tell(Ended(order.id, error="no luck with fail"))
                continue
            if does == "too long":
                tell(Ended(order.id, error="x", too_long=True))
                continue
            tell(Text(order.id, order.turns[-1].text))
            while does == "stubborn":
                time.sleep(1)
            while does == "endless" and not dropped():
                tell(Text(order.id, "."))
            tell(Ended(order.id, "stop", 3, 4))
"""
ASK = Ask("", 10)


@asynccontextmanager
async def running(does: str = "ok", *, keep_s: float = 60, max_waiting: int = 2) -> AsyncIterator[LocalProcess]:
    """A process that is ended."""
    process = LocalProcess(logging.getLogger("test"), Setup(does, 1, 100), keep_s=keep_s, max_waiting=max_waiting)
    try:
        yield process
    finally:
        await process.stop()
    assert process.pid is None and process.state[0] == "down"


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START", FAKE)


async def ask(process: LocalProcess, text: str = "hi") -> list[Piece]:
    return [piece async for piece in process.answer([Turn("user", text)], ASK, 0)]


async def failure(process: LocalProcess) -> AssistantError:
    with pytest.raises(AssistantError) as caught:
        await ask(process)
    return caught.value


async def test_it_starts_at_the_first_question_and_answers_again_and_again() -> None:
    async with running() as process:
        assert process.pid is None
        assert await ask(process) == [Delta("hi"), Usage(3, 4), Done("stop")]
        pid = process.pid
        assert [(await ask(process, str(n)))[0] for n in range(20)] == [Delta(str(n)) for n in range(20)]
        assert process.pid == pid is not None


async def test_it_may_start_before() -> None:
    async with running() as process:
        assert process.state == ("ok", "")
        await process.start()
        await process.start()
        await until(lambda: process.state[0] == "starting")
        await until(lambda: process.state == ("ok", ""))
        assert process.pid is not None


async def test_one_is_answered_at_a_time_in_turn_and_only_some_may_wait() -> None:
    async with running("endless") as process:
        first = process.answer([Turn("user", "1")], ASK, 0)
        assert await anext(first) == Delta("1")
        seen: list[int] = []

        async def wait(number: int) -> None:
            async with aclosing(process.answer([Turn("user", str(number))], ASK, 0)) as pieces:
                ahead = await anext(pieces)
                assert isinstance(ahead, Queued) and ahead.ahead in (1, 2)
                assert await anext(pieces) == Queued(0)
                assert await anext(pieces) == Delta(str(number))
                seen.append(number)

        waiting = [asyncio.create_task(wait(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        refused = await failure(process)
        assert refused.code is Code.BUSY and refused.retry_after_ms
        assert seen == []
        waiting[0].cancel()
        await asyncio.wait([waiting[0]])
        third = asyncio.create_task(wait(4))
        await first.aclose()
        await asyncio.gather(waiting[1], third)
        assert seen == [3, 4]


@pytest.mark.parametrize("does", ["endless", "stubborn"])
async def test_a_dropped_answer_is_not_computed_any_more_within_200_ms(does: str) -> None:
    async with running(does) as process:
        answer = process.answer([Turn("user", "1")], ASK, 0)
        await anext(answer)
        pid = process.pid
        assert pid is not None
        clock = FairClock(pid)
        began_s = clock.now_s()
        await answer.aclose()
        assert clock.now_s() - began_s < 0.2
        if does == "stubborn":
            assert process._newest is not None
            await asyncio.wait_for(asyncio.shield(process._newest.ended), 1)
        again = process.answer([Turn("user", "2")], ASK, 0)
        assert await anext(again) == Delta("2")
        assert (process.pid == pid) is (does == "endless")
        await again.aclose()


async def test_who_is_cancelled_twice_still_leaves_the_turn_to_the_next_one() -> None:
    async with running("stubborn") as process:
        task = asyncio.create_task(ask(process))
        await until(lambda: process._turn.locked() and process.pid is not None)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        answer = process.answer([Turn("user", "2")], ASK, 0)
        assert await anext(answer) == Delta("2")
        await answer.aclose()


async def test_a_process_that_is_killed_ends_its_answer_and_comes_back_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running("endless") as process:
        answer = process.answer([Turn("user", "1")], ASK, 0)
        await anext(answer)
        pid = process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(AssistantError, match="in the midst"):
            async for _ in answer:
                pass
        await until(lambda: process.pid not in (None, pid))
        assert "SIGKILL" in caplog.text
        again = process.answer([Turn("user", "2")], ASK, 0)
        assert await anext(again) == Delta("2")
        await again.aclose()


@pytest.mark.parametrize("does", ["die when asked", "mad"])
async def test_what_dies_of_a_question_says_so_and_takes_the_next_one(does: str) -> None:
    async with running(does) as process:
        for _ in range(2):
            assert "ended" in (await failure(process)).message
        assert process.state[0] != "down"


@pytest.mark.parametrize(
    ("does", "reason"),
    [("refuse", "the file is no model"), ("no instruction", "lacks instructions"), ("die", "status 3")],
)
async def test_what_cannot_be_loaded_says_why_and_is_tried_again(
    does: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(does) as process:
        await process.start()
        await until(lambda: process.state[0] == "down")
        assert reason in process.state[1]
        assert reason in (await failure(process)).message
        await until(lambda: process._failures > 2, 10)
        assert caplog.text.count(reason) == 1
        process._setup = Setup("ok", 1, 100)
        await until(lambda: process.state[0] == "ok", 10)
        assert await ask(process)


async def test_where_it_cannot_be_started_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with running() as process:
        await process.start()
        await until(lambda: process.state[0] == "down")
        error = (await failure(process)).message
        assert "cannot be started" in error and "/nowhere" not in error


async def test_where_the_loop_starts_no_processes_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*arguments: object, **more: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    async with running() as process:
        await process.start()
        await until(lambda: process.state[0] == "down")
        assert "cannot start processes" in (await failure(process)).message


async def test_what_dies_again_and_again_is_started_ever_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    async with running("die soon") as process:
        await process.start()
        await until(lambda: process._failures == 3, 10)
        began_s = time.monotonic()
        await until(lambda: process._failures == 4, 10)
        assert time.monotonic() - began_s >= 2
        assert "kaput" in caplog.text


@pytest.mark.parametrize(("does", "code"), [("fail", Code.UNAVAILABLE), ("too long", Code.TOO_BIG)])
async def test_a_failed_answer_is_told_and_the_next_one_is_taken(does: str, code: Code) -> None:
    async with running(does) as process:
        for _ in range(2):
            error = await failure(process)
            assert error.code is code
        assert does == "too long" or "no luck with the file" in error.message


async def test_it_ends_when_nobody_asks_and_starts_again_for_who_does(caplog: pytest.LogCaptureFixture) -> None:
    async with running(keep_s=0.05) as process:
        await ask(process)
        await until(lambda: process.pid is None)
        assert process.state == ("ok", "")
        assert await ask(process)
        await until(lambda: process.pid is None)
    assert not caplog.records


async def test_it_does_not_end_amid_an_answer() -> None:
    async with running("endless", keep_s=0.02) as process:
        answer = process.answer([Turn("user", "1")], ASK, 0)
        began_s = time.monotonic()
        async for _ in answer:
            if time.monotonic() > began_s + 0.3:
                break
        await answer.aclose()


async def test_after_the_end_nothing_starts_again_and_who_waits_is_told() -> None:
    async with running("stubborn", max_waiting=5) as process:
        tasks = [asyncio.create_task(ask(process)) for _ in range(3)]
        await until(lambda: process.pid is not None)
        await process.stop()
        await asyncio.wait(tasks, timeout=5)
        assert all(isinstance(task.exception(), AssistantError) for task in tasks)
        assert "stops" in (await failure(process)).message
        assert process.pid is None


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_it_may_be_stopped_while_it_starts(turns: int) -> None:
    async with running() as process:
        await process.start()
        for _ in range(turns):
            await asyncio.sleep(0)
    assert process._newest is None or process._newest.ended.done()
