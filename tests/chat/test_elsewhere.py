"""What another server has begun is found, waited for and ended through the storage, in a bounded time."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_ws_hub.chat.elsewhere import REACTS_S, Elsewhere
from jupyter_ws_hub.chat.messages import Answer, AnswerState, Author, ChatMessage
from jupyter_ws_hub.chat.underway import UnderwayNotes
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.memory import MemoryValues
from tests.support.answers import at_once
from tests.support.fake_talk import FakeTalk
from tests.support.fakes import fake_peer
from tests.support.virtual import VirtualClock

ALICE = Author("alice", "Alice")


class World:
    def __init__(self) -> None:
        self.talk, self.notes = FakeTalk(), UnderwayNotes(MemoryValues(VirtualClock()))
        self.elsewhere = Elsewhere(self.talk, self.notes)
        self.question = self.talk.say(ChatMessage("q", "lab", ALICE, "Why?", 0))

    def answer(self, state: AnswerState = "writing", to: str = "q") -> ChatMessage:
        answer = Answer(state, to, "alice")
        return self.talk.say(ChatMessage("a", "lab", Author("robot", "Robot", True), "", 0, answer=answer))


@at_once
async def test_an_answer_that_is_begun_just_now_is_waited_for() -> None:
    world = World()
    waiting = asyncio.create_task(world.elsewhere.begun(world.question, "a"))
    await asyncio.sleep(1)
    assert not waiting.done()
    answer = world.answer()
    assert await waiting == answer


@at_once
async def test_one_that_was_never_begun_is_not_waited_for_long() -> None:
    world = World()
    with pytest.raises(HubError) as refused:
        await world.elsewhere.begun(world.question, "a")
    assert refused.value.code is Code.UNAVAILABLE and refused.value.retry_after_ms
    assert asyncio.get_running_loop().time() < REACTS_S + 0.5


@at_once
async def test_the_id_of_something_else_is_not_its_answer() -> None:
    world = World()
    world.answer(to="another question")
    for id in ("a", "q"):
        with pytest.raises(HubError) as refused:
            await world.elsewhere.known(world.question, id)
        assert refused.value.code is Code.EXISTS
    assert await world.elsewhere.known(world.question, "none") is None


@at_once
async def test_a_server_that_begins_late_is_told_to_stop_too() -> None:
    world = World()
    world.answer()

    async def write() -> None:
        await asyncio.sleep(1)  # its note comes late
        claim = await world.notes.claim("lab", "a", "alice")
        assert claim is not None
        while not await world.notes.to_stop():  # noqa: ASYNC110  # as a server does
            await asyncio.sleep(0.3)
        world.answer("stopped")

    writing = asyncio.create_task(write())
    ended = await world.elsewhere.stop("lab", "a", fake_peer("alice"), moderator=False)
    await writing
    assert ended.answer is not None and ended.answer.state == "stopped"
