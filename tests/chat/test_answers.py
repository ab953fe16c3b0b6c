"""Answers under way: told in pieces, seen at once, kept soon, compacted at the end, and failed with their server."""

from __future__ import annotations

from typing import cast

import msgspec

from jupyter_ws_hub.chat.answers import SERVER_ENDED
from jupyter_ws_hub.chat.begun import LOOK_S, PULSE_TTL_S
from jupyter_ws_hub.chat.messages import ChatMessage
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.storage.memory_documents import MemoryDocuments

from .test_talk import deleted, refused
from .world import ROOM, TOPIC, Gated, World, answer, ended, said


async def test_an_answer_grows_by_pieces_and_ends() -> None:
    world = World()
    talk = world.server().talk
    message = await talk.begin_answer(answer())
    assert (message.seq, message.version, message.text) == (1, 1, "")
    for piece in ("Hi", "😀", "é", " there"):
        message = await talk.add_to_answer(message, piece)
        assert await talk.get(ROOM, "a1") == message
        assert list(await talk.history(ROOM, None, 5)) == [message]
        assert world.reader().messages["a1"].text == message.text
    done = await talk.finish_answer(ended(message, reason="stop"))
    assert (done.text, done.version) == ("Hi😀é there", 2)
    assert await talk.get(ROOM, "a1") == done == world.reader().messages["a1"]
    assert world.log.kinds == ["message.started", *["message.delta"] * 4, "message.finished"]
    assert world.reader().missed == 0
    await talk.stop()


async def test_the_log_has_no_pieces_of_an_answer_that_has_ended() -> None:
    world = World()
    talk = world.server().talk
    message = await talk.begin_answer(answer())
    for number in range(30):
        message = await talk.add_to_answer(message, f"{number} ")
    done = await talk.finish_answer(ended(message))
    records = await world.log.read(TOPIC, 0, 100)
    assert [record.kind for record in records] == ["message.started", "message.finished"]
    assert (await world.replayed()).messages["a1"] == done
    assert await world.storage.values.scan("chat/begun/") == {}
    await talk.stop()


async def test_what_an_answer_has_is_kept_from_time_to_time_and_not_for_each_piece() -> None:
    world = World()
    talk = world.server().talk
    message = await talk.begin_answer(answer())
    for number in range(10):
        message = await talk.add_to_answer(message, f"{number}")
    document = await world.storage.documents.get(TOPIC, "a1")
    assert document is not None and document.version == 1
    await talk._answers.keep()
    await talk._answers.keep()
    document = await world.storage.documents.get(TOPIC, "a1")
    assert document is not None and document.version == 2 and b"0123456789" in document.data
    message = await talk.add_to_answer(message, "!")
    assert (message.version, message.text) == (2, "0123456789!")
    assert (await talk.finish_answer(ended(message))).version == 3
    await talk.stop()


async def test_an_answer_is_kept_by_itself_within_about_a_second() -> None:
    world = World()
    server = world.server()
    message = await server.talk.begin_answer(answer())
    await server.talk.add_to_answer(message, "kept")
    keeper = server.talk._answers._keeper
    assert keeper is not None and not keeper.done()
    await server.talk.finish_answer(ended(message))
    await server.talk.stop()


async def test_an_answer_is_begun_once() -> None:
    talk = World().server().talk
    begun = await talk.begin_answer(answer())
    grown = await talk.add_to_answer(begun, "so far")
    assert await talk.begin_answer(answer()) == grown
    message, _ = await talk.post(said("m1"))
    assert await talk.begin_answer(answer("m1")) == message
    await talk.stop()


async def test_an_answer_that_is_written_is_not_edited() -> None:
    talk = World().server().talk
    message = await talk.begin_answer(answer())
    assert await refused(deleted(talk, message)) is Code.CONFLICT
    await talk.stop()


async def test_an_answer_that_another_server_deletes_ends_here_and_leaves_nothing() -> None:
    world = World()
    here, there = world.server().talk, world.server().talk
    message = await here.begin_answer(answer())
    message = await here.add_to_answer(message, "secret")
    gone = await deleted(there, await there.get(ROOM, "a1"))
    message = await here.add_to_answer(message, " more secrets")
    await here._answers.keep()
    assert await refused(here.add_to_answer(message, "!")) is Code.CONFLICT
    assert await here.finish_answer(ended(message)) == gone
    assert b"secret" not in await world.everything()
    assert world.reader().messages["a1"].deleted
    await here.stop()


async def test_an_answer_goes_on_in_another_store_that_takes_the_place_of_the_first() -> None:
    world = World()
    server = world.server()
    message = await server.talk.begin_answer(answer())
    message = await server.talk.add_to_answer(message, "before ")
    cast(Gated, server.storage.documents)._inner = MemoryDocuments()
    await server.talk.post(said("m1"))
    message = await server.talk.add_to_answer(message, "and after")
    await server.talk._answers.keep()
    message = await server.talk.add_to_answer(message, "!")
    done = await server.talk.finish_answer(ended(message))
    assert (done.text, done.seq, done.version) == ("before and after!", 2, 2)
    assert (await server.talk.history(ROOM, None, 5))[-1] == done == world.reader().messages["a1"]
    message = await server.talk.begin_answer(answer("a2"))
    cast(Gated, server.storage.documents)._inner = MemoryDocuments()
    done = await server.talk.finish_answer(ended(msgspec.structs.replace(message, text="all")))
    assert (await server.talk.history(ROOM, None, 5)) == [done] and (done.text, done.seq) == ("all", 1)


async def left_behind(world: World, *pieces: str) -> ChatMessage:
    """An answer whose server dies."""
    talk = world.server().talk
    message = await talk.begin_answer(answer())
    for piece in pieces:
        message = await talk.add_to_answer(message, piece)
    await talk.stop()
    return message


async def test_an_answer_of_a_server_that_died_has_failed_with_all_that_was_told() -> None:
    world = World()
    message = await left_behind(world, "Hi", "😀", " there")
    world.clock.advance(PULSE_TTL_S + 1)
    talk = world.server().talk
    await talk.start([ROOM])
    failed = await talk.get(ROOM, "a1")
    assert failed.answer is not None
    assert (failed.answer.state, failed.answer.error, failed.text) == ("failed", SERVER_ENDED, message.text)
    assert world.reader().messages["a1"] == failed
    assert b"message.delta" not in await world.everything()
    assert [r.kind for r in await world.log.read(TOPIC, 0, 100)] == ["message.started", "message.finished"]


async def test_an_answer_of_a_server_that_lives_is_left_alone_until_it_dies() -> None:
    world = World()
    await left_behind(world, "Hi")
    talk = world.server().talk
    await talk.start([ROOM])
    await talk.sweep()
    kept = await talk.get(ROOM, "a1")
    assert kept.answer is not None and kept.answer.state == "writing"
    world.clock.advance(PULSE_TTL_S + 1)
    await talk.sweep()
    kept = await talk.get(ROOM, "a1")
    assert kept.answer is not None and kept.answer.state == "failed"


async def test_what_a_server_begins_and_leaves_is_ended_by_one_that_was_idle_all_the_time() -> None:
    world = World()
    idle = world.server().talk
    await idle.start([ROOM])
    await left_behind(world, "Hi")
    waited_s = 0.0
    while (kept := await idle.get(ROOM, "a1")).is_under_way:
        world.clock.advance(2)
        waited_s += 2
        await idle.sweep()
    assert kept.answer is not None and (kept.answer.state, kept.text) == ("failed", "Hi")
    assert PULSE_TTL_S <= waited_s <= PULSE_TTL_S + LOOK_S + 2


async def test_a_server_shows_that_it_lives_while_its_model_says_nothing() -> None:
    world = World()
    here, there = world.server().talk, world.server().talk
    message = await here.begin_answer(answer())
    for _ in range(10):
        world.clock.advance(PULSE_TTL_S / 3)
        await here._answers.keep()
        await there.sweep()
    done = await here.finish_answer(ended(msgspec.structs.replace(message, text="at last")))
    assert done.text == "at last" and done.answer is not None and done.answer.state == "done"
    await here.stop()
