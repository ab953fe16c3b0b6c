"""Answers are begun once, within limits, go on without their asker, and end: by themselves, by Stop, or at last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from jupyter_ws_hub.chat.assistant import Ask, AssistantError, Delta, Done, Piece, Turn
from jupyter_ws_hub.chat.generations import Asked
from jupyter_ws_hub.chat.messages import ChatMessage, TokenUsage
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.memory import MemoryValues
from tests.support.answers import ROBOT, Room, at_once, built
from tests.support.assistants import says
from tests.support.fake_talk import FakeTalk
from tests.support.fakes import FakeClock, fake_peer

Turns = Sequence[Turn]


class Endless:
    """Speaks until it is let go of; notes when that was."""

    def __init__(self, *, pause_s: float = 0.01, first_s: float = 0.0) -> None:
        self.pause_s, self.first_s = pause_s, first_s
        self.closed_s: list[float] = []

    async def __call__(self, turns: Turns, ask: Ask) -> AsyncGenerator[Piece, None]:
        try:
            await asyncio.sleep(self.first_s)
            while True:
                yield Delta("more ")
                await asyncio.sleep(self.pause_s)
        finally:
            self.closed_s.append(asyncio.get_running_loop().time())


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def refused(asked: Any) -> HubError:
    with pytest.raises(HubError) as error:
        await asked
    return error.value


def state(message: ChatMessage) -> str:
    assert message.answer is not None
    return message.answer.state


# Begin


@at_once
async def test_an_answer_is_the_assistant_s_and_says_what_it_took() -> None:
    room = Room()
    began = await room.asks("alice")
    assert (began.author.username, began.author.display_name, began.author.assistant) == ("robot", "Robot", True)
    assert began.answer is not None and (began.text, began.answer.state) == ("", "writing")
    assert (began.reply_to, began.answer.to, began.answer.asked_by) == ("m0", "m0", "alice")
    ended = await room.ended(began)
    assert ended.answer is not None
    assert (ended.text, ended.answer.state, ended.answer.reason) == ("Hello there", "done", "stop")
    assert (ended.answer.usage, ended.answer.model) == (TokenUsage(7, 2), "small")
    assert built(room.talk, ended) == "Hello there"
    ((turns, ask),) = room.robot.asked
    assert ask == Ask("small", 2000)
    assert [turn.role for turn in turns] == ["system", "user"] and turns[-1].text == "Alice: Why?"


@at_once
async def test_it_goes_on_when_the_asker_is_gone_in_the_midst_of_asking() -> None:
    room = Room()
    kept = asyncio.Event()

    async def slow(operation: str) -> None:
        if operation == "begin":
            await kept.wait()

    room.talk.before = slow
    asking = asyncio.create_task(room.asks("alice", id="mine"))
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    kept.set()
    await asyncio.sleep(0.01)
    ended = await room.ended(room.talk.messages["lab", "mine"])
    assert ended.text == "Hello there"


@at_once
async def test_the_same_id_begins_one_answer_at_once_and_later() -> None:
    room = Room()
    question = room.says("alice", "Why?")
    both = await asyncio.gather(*(room.generations.begin(question, ROBOT, fake_peer(), id="a") for _ in range(5)))
    assert {answer.id for answer in both} == {"a"}
    ended = await room.ended(both[0])
    assert await room.generations.begin(question, ROBOT, fake_peer(), id="a") == ended
    assert len(room.robot.asked) == 1
    assert [kind for kind, *_ in room.talk.told].count("started") == 1


@at_once
async def test_two_servers_that_are_asked_with_one_id_write_one_answer() -> None:
    talk, values = FakeTalk(), MemoryValues(FakeClock())
    one, other = Room(talk=talk, values=values), Room(talk=talk, values=values)
    question = one.says("alice", "Why?")
    async with asyncio.TaskGroup() as group:
        for room in (one, other, one, other):
            group.create_task(room.generations.begin(question, ROBOT, fake_peer(), id="a"))
    await one.ended(talk.messages["lab", "a"])
    assert len(one.robot.asked) + len(other.robot.asked) == 1
    assert built(talk, talk.messages["lab", "a"]) == "Hello there"


@at_once
async def test_the_id_of_another_message_is_refused() -> None:
    room = Room()
    question, other = room.says("alice", "Why?"), room.says("bob", "Mine")
    error = await refused(room.generations.begin(question, ROBOT, fake_peer(), id=other.id))
    assert error.code is Code.EXISTS
    assert room.now(other) == other
    assert room.generations.running == 0


@at_once
async def test_who_may_not_be_asked_is_refused_before_anything_is_kept() -> None:
    room = Room()
    for asked, code in [(Asked("nobody"), Code.NOT_FOUND), (Asked("robot", "huge"), Code.NOT_FOUND)]:
        assert (await refused(room.asks(asked=asked))).code is code
        with pytest.raises(HubError):
            room.generations.model(asked)
    room.assistants.clear()
    assert (await refused(room.asks())).code is Code.NOT_FOUND
    assert room.talk.told == []


@at_once
async def test_an_assistant_that_is_down_is_not_asked_and_one_that_starts_is_waited_for() -> None:
    room = Room()
    room.robot.gate = asyncio.Event()
    await room.generations.start()
    assert room.generations.infos()[0].state == "starting"
    answer = await room.asks()
    await asyncio.sleep(5)
    assert not room.robot.asked
    room.robot.gate.set()
    assert (await room.ended(answer)).text == "Hello there"

    def fail() -> None:
        raise AssistantError("The model file is damaged.")

    broken = Room()
    broken.robot.starting = fail
    await broken.generations.start()
    await asyncio.sleep(0.01)
    (info,) = broken.generations.infos()
    assert (info.state, info.reason) == ("down", "The model file is damaged.")
    error = await refused(broken.asks())
    assert error.code is Code.UNAVAILABLE and "The model file is damaged." in error.message


# Limits


@at_once
async def test_a_user_may_have_so_many_and_the_next_is_refused_not_queued() -> None:
    room = Room(Endless(), max_per_user=2)
    first = await room.asks("alice")
    await room.asks("alice")
    error = await refused(room.asks("alice"))
    assert error.code is Code.RATE_LIMITED and error.retry_after_ms
    await room.stop(first)
    await room.asks("alice")
    assert room.generations.running == 2


@at_once
async def test_asks_at_one_moment_do_not_slip_past_a_limit() -> None:
    room = Room(Endless(), max_running=3, max_per_user=0)
    asked = await asyncio.gather(*(room.asks(f"user{n}") for n in range(10)), return_exceptions=True)
    assert sum(isinstance(result, ChatMessage) for result in asked) == 3
    assert room.generations.running == 3


@at_once
async def test_a_minute_has_so_many_asks_and_what_could_not_be_kept_frees_its_place() -> None:
    room = Room(asks_per_minute=4, max_running=1)
    await room.ended(await room.asks())

    async def full(operation: str) -> None:
        if operation == "begin":
            raise HubError(Code.NO_SPACE, "The disk is full.")

    room.talk.before = full
    assert (await refused(room.asks())).code is Code.NO_SPACE
    error = await refused(room.asks())
    assert error.code is Code.RATE_LIMITED and 0 < (error.retry_after_ms or 0) <= 60_000
    assert room.generations.running == 0


# Stop


@pytest.mark.parametrize("first_s", [0.0, 50.0])
@at_once
async def test_stop_reaches_the_assistant_at_once_and_keeps_what_is_written(first_s: float) -> None:
    endless = Endless(first_s=first_s)
    room = Room(endless)
    answer = await room.asks("alice")
    await asyncio.sleep(1)
    asked_s = now_s()
    stopped = await room.stop(answer)
    assert now_s() - asked_s < 0.2
    assert len(endless.closed_s) == 1 and endless.closed_s[0] - asked_s < 0.2
    assert state(stopped) == "stopped"
    assert stopped.text == built(room.talk, answer) == ("" if first_s else stopped.text)
    assert first_s or len(stopped.text) > 400
    assert await room.stop(answer) == stopped, "it is given as it is"
    await asyncio.sleep(5)
    assert room.now(answer) == stopped


@at_once
async def test_stop_ends_a_retry_s_pause_and_the_reading_of_what_was_attached() -> None:
    async def busy(turns: Turns, ask: Ask) -> AsyncGenerator[Piece, None]:
        raise AssistantError("busy", retry_after_ms=20_000)
        yield Done()

    async def hang(operation: str) -> None:
        if operation == "history":
            await asyncio.Event().wait()

    for room in (Room(busy), Room()):
        room.says("bob", "before")
        room.talk.before = hang if room.robot.scripts[0] is not busy else room.talk.before
        answer = await room.asks()
        await asyncio.sleep(1)
        asked_s = now_s()
        assert state(await room.stop(answer)) == "stopped"
        assert now_s() - asked_s < 0.2


@at_once
async def test_stop_is_done_where_an_assistant_ignores_it_and_takes_its_place_until_that_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    free = asyncio.Event()

    async def stubborn(turns: Turns, ask: Ask) -> AsyncGenerator[Piece, None]:
        yield Delta("begun")
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                yield Delta("still here")

    room = Room(stubborn, max_running=1)
    answer = await room.asks()
    await asyncio.sleep(1)
    asked_s = now_s()
    stopped = await room.stop(answer)
    assert now_s() - asked_s < 0.2
    assert (stopped.text, state(stopped)) == ("begun", "stopped")


@at_once
async def test_an_assistant_that_sleeps_on_after_stop_counts_until_it_ends() -> None:
    async def deaf(turns: Turns, ask: Ask) -> AsyncGenerator[Piece, None]:
        yield Delta("begun")
        for _ in range(5):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                pass

    room = Room(deaf, max_running=1)
    answer = await room.asks()
    await asyncio.sleep(1)
    asked_s = now_s()
    assert state(await room.stop(answer)) == "stopped"
    assert now_s() - asked_s < 0.2
    assert (await refused(room.asks("bob"))).code is Code.RATE_LIMITED
    await asyncio.sleep(60)
    room.robot.scripts = [lambda turns, ask: says("fine")]
    assert (await room.ended(await room.asks("bob"))).text == "fine"
    assert room.now(answer).text == "begun"


@at_once
async def test_a_stranger_may_not_stop_it_a_moderator_may() -> None:
    room = Room(Endless())
    answer = await room.asks("alice")
    assert (await refused(room.stop(answer, "mallory"))).code is Code.FORBIDDEN
    assert state(room.now(answer)) == "writing"
    assert state(await room.stop(answer, "bob", moderator=True)) == "stopped"


@at_once
async def test_what_is_no_answer_cannot_be_stopped() -> None:
    room = Room()
    message = room.says("alice", "Hi")
    assert (await refused(room.stop(message))).code is Code.INVALID
    assert (await refused(room.generations.stop("lab", "none", fake_peer(), moderator=True))).code is Code.NOT_FOUND


@at_once
async def test_a_server_that_does_not_write_it_has_it_stopped_by_the_one_that_does() -> None:
    talk, values = FakeTalk(), MemoryValues(FakeClock())
    writes, asked = Room(Endless(), talk=talk, values=values), Room(talk=talk, values=values)
    answer = await writes.asks("alice")
    await asyncio.sleep(1)
    assert (await refused(asked.stop(answer, "mallory"))).code is Code.FORBIDDEN
    asked_s = now_s()
    assert state(await asked.stop(answer, "alice")) == "stopped"
    assert now_s() - asked_s < 1.5
    assert not await values.scan("chat/")
    # Who has lost the name, but is the same principal, may too.
    answer = await writes.asks("alice")
    peer = fake_peer("alice")
    renamed = type(peer)("alice", "anonymous-7", "Anonymous", peer.authorize)
    assert state(await asked.generations.stop("lab", answer.id, renamed, moderator=False)) == "stopped"


@at_once
async def test_a_server_that_died_is_told_of_in_some_seconds() -> None:
    room = Room()
    question = room.says("alice", "Why?")
    answer = await Room(Endless(), talk=room.talk, values=room.values).generations.begin(question, ROBOT, fake_peer())
    other = Room(talk=room.talk)
    error = await refused(other.stop(answer))
    assert error.code is Code.UNAVAILABLE and error.retry_after_ms


# The server stops


@at_once
async def test_a_server_that_stops_ends_answers_as_failed_within_a_second() -> None:
    endless = Endless()
    room = Room(endless, max_per_user=0)
    answers = [await room.asks() for _ in range(10)]
    await asyncio.sleep(1)
    closing_s = now_s()
    await room.generations.close()
    assert now_s() - closing_s < 1
    assert len(endless.closed_s) == 10
    for answer in map(room.now, answers):
        assert answer.answer is not None
        assert (answer.answer.state, answer.answer.error) == ("failed", "The server stopped. Ask again.")
        assert answer.text
    assert (await refused(room.asks())).code is Code.SHUTTING_DOWN
    assert room.robot.stopped == 1


@at_once
async def test_a_store_that_hangs_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(Endless())
    await room.asks()
    await asyncio.sleep(1)

    async def hang(operation: str) -> None:
        await asyncio.Event().wait()

    room.talk.before = hang
    closing_s = now_s()
    await room.generations.close()
    assert now_s() - closing_s < 1
    assert "did not end" in caplog.text


@at_once
async def test_an_answer_that_cannot_be_kept_is_told_in_the_log_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(Endless())
    answer = await room.asks()
    await asyncio.sleep(1)

    async def gone(operation: str) -> None:
        raise HubError(Code.NOT_FOUND, "There is no such message.")

    room.talk.before = gone
    await asyncio.sleep(1)
    assert room.generations.running == 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    room.talk.before = FakeTalk().before
    assert state(room.now(answer)) == "writing", "that is what the fake has"
