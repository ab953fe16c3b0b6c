"""What is said: kept once, told once and in order, changed by the newest version, found, and gone when deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.chat.messages import ChatMessage
from jupyter_ws_hub.chat.talk import Talk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from .world import ROOM, TOPIC, World, answer, ended, said


def edited(message: ChatMessage, text: str, **more: Any) -> ChatMessage:
    """Another text for a message."""
    return msgspec.structs.replace(message, text=text, edited=2, **more)


async def deleted(talk: Talk, message: ChatMessage) -> ChatMessage:
    """Take a message's text away."""
    return await talk.change(msgspec.structs.replace(message, text="", deleted=True))


async def refused(work: Any) -> Code:
    """The code of the error that a call raises."""
    with pytest.raises(HubError) as caught:
        await work
    return caught.value.code


async def test_a_message_has_its_place_and_is_told() -> None:
    world = World()
    talk = world.server().talk
    first, added = await talk.post(said("m1"))
    second, _ = await talk.post(said("m2", "there"))
    assert added and (first.seq, second.seq, first.version) == (1, 2, 1)
    assert await talk.history(ROOM, None, 10) == [first, second]
    assert await talk.get(ROOM, "m1") == first
    assert list(world.reader().messages.values()) == [first, second]


async def test_what_is_said_twice_stands_there_once() -> None:
    world = World()
    talk = world.server().talk
    first, _ = await talk.post(said("m1"))
    assert await talk.post(said("m1", "other", by="bob")) == (first, False)
    assert (await world.log.head(TOPIC)).offset == 1


async def test_messages_are_told_in_the_order_in_which_they_are_kept() -> None:
    world = World()
    talk = world.server().talk
    await asyncio.gather(*(talk.post(said(f"m{n}")) for n in range(300)))
    history = await talk.history(ROOM, None, 300)
    assert [message.id for message in history] == world.reader().order


async def test_history_goes_back_page_by_page() -> None:
    talk = World().server().talk
    for n in range(7):
        await talk.post(said(f"m{n}"))
    assert [m.seq for m in await talk.history(ROOM, None, 3)] == [5, 6, 7]
    assert [m.seq for m in await talk.history(ROOM, 5, 3)] == [2, 3, 4]
    assert [m.seq for m in await talk.history(ROOM, 2, 3)] == [1]
    assert await talk.history("nowhere", None, 3) == []


async def test_history_goes_on_from_a_place_page_by_page() -> None:
    talk = World().server().talk
    for n in range(7):
        await talk.post(said(f"m{n}"))
    pages = [await talk.later(ROOM, after, 3) for after in (0, 3, 4, 6, 7, 10**30, -5)]
    assert [([m.seq for m in messages], more) for messages, more in pages] == [
        ([1, 2, 3], True),
        ([4, 5, 6], True),
        ([5, 6, 7], False),
        ([7], False),
        ([], False),
        ([], False),
        ([1, 2, 3], True),
    ]
    assert await talk.later("nowhere", 0, 3) == ([], False)


async def test_a_page_of_later_messages_has_what_an_answer_says_so_far() -> None:
    talk = World().server().talk
    await talk.post(said("m1"))
    begun = await talk.begin_answer(answer("a1"))
    grown = await talk.add_to_answer(begun, "so far")
    assert await talk.later(ROOM, 1, 3) == ([grown], False)
    await talk.stop()


async def test_a_page_of_long_messages_from_a_place_on_has_few_and_never_none() -> None:
    talk = World().server().talk
    await talk.post(said("huge", "x" * 400_000))
    for n in range(30):
        await talk.post(said(f"m{n}", "x" * 20_000))
    first, more = await talk.later(ROOM, 0, 30)
    assert ([m.id for m in first], more) == (["huge"], True)
    page, more = await talk.later(ROOM, 1, 30)
    assert 1 < len(page) < 30 and page[0].seq == 2 and more


async def test_a_page_of_long_messages_has_few_and_never_none() -> None:
    talk = World().server().talk
    for n in range(30):
        await talk.post(said(f"m{n}", "x" * 20_000))
    page = await talk.history(ROOM, None, 30)
    assert 1 < len(page) < 30 and page[-1].seq == 30
    await talk.post(said("huge", "x" * 400_000))
    assert [m.id for m in await talk.history(ROOM, None, 30)] == ["huge"]


async def test_an_edit_is_told_and_the_older_text_is_not_replayed() -> None:
    world = World()
    talk = world.server().talk
    message, _ = await talk.post(said("m1", "secret"))
    once = await talk.change(edited(message, "public"))
    assert (once.version, once.text, once.seq) == (2, "public", 1)
    await talk.change(edited(once, "final"))
    assert world.reader().messages["m1"].text == "final"
    assert (await world.replayed()).messages["m1"].text == "final"
    kept = await world.everything()
    assert b"secret" not in kept and b"public" not in kept


async def test_a_change_of_what_has_changed_is_a_conflict() -> None:
    talk = World().server().talk
    message, _ = await talk.post(said("m1"))
    await talk.change(edited(message, "one"))
    assert await refused(talk.change(edited(message, "other"))) is Code.CONFLICT
    assert await refused(talk.change(edited(said("none"), "other"))) is Code.NOT_FOUND


async def test_the_same_change_again_is_the_change_that_was_made() -> None:
    world = World()
    talk = world.server().talk
    message, _ = await talk.post(said("m1"))
    once = await talk.change(edited(message, "one"))
    assert await talk.change(msgspec.structs.replace(edited(message, "one"), edited=9)) == once
    assert (await world.log.head(TOPIC)).offset == 2


async def test_a_deleted_message_is_gone_everywhere_but_for_its_place() -> None:
    world = World()
    talk = world.server().talk
    message, _ = await talk.post(said("m1", "secret words"))
    message = await talk.change(edited(message, "secret again"))
    gone = await deleted(talk, message)
    assert (gone.deleted, gone.text, gone.seq, gone.version) == (True, "", 1, 3)
    assert await talk.search(["secret"], [ROOM], 10, 0) == []
    assert b"secret" not in await world.everything()
    assert (await world.replayed()).messages["m1"].deleted
    document = await world.storage.documents.get(TOPIC, "m1")
    assert document is not None and b"secret" not in document.data


async def test_messages_are_found_by_their_words() -> None:
    talk = World().server().talk
    await talk.post(said("m1", "the quick brown fox"))
    await talk.post(said("m2", "a quick dog", room="other"))
    found = await talk.search(["quick"], [ROOM, "other"], 10, 0)
    assert {hit.message.id for hit in found} == {"m1", "m2"}
    (hit,) = await talk.search(["quick", "bro"], [ROOM], 10, 0)
    assert hit.message.id == "m1" and "quick" in hit.snippet


async def test_a_message_that_the_log_did_not_take_is_told_later() -> None:
    world = World()
    server = world.server()
    publish, busy = server.hub.topics.publish, HubError(Code.BUSY, "busy")

    async def refuse(*args: Any, **more: Any) -> int | None:
        raise busy

    talk = Talk(server.storage, refuse, world.runtime)
    assert await refused(talk.post(said("m1"))) is Code.BUSY
    assert await refused(talk.sweep()) is Code.BUSY
    talk._teller._publish = publish
    await talk.sweep()
    assert "m1" in world.reader().messages


async def test_a_post_goes_on_when_nobody_waits_for_it_any_more() -> None:
    world = World()
    talk = world.server().talk
    task = asyncio.create_task(talk.post(said("m1")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await talk.stop()
    assert list(world.reader().messages) == ["m1"]


async def test_everything_is_read_oldest_first_with_answers_under_way() -> None:
    talk = World().server().talk
    for n in range(250):
        await talk.post(said(f"m{n}"))
    begun = await talk.begin_answer(answer())
    await talk.add_to_answer(begun, "so far")
    texts = [message async for message in talk.everything(ROOM)]
    assert [message.seq for message in texts] == list(range(1, 252))
    assert texts[-1].text == "so far"
    await talk.stop()


async def test_a_room_that_is_deleted_leaves_nothing() -> None:
    world = World()
    talk = world.server().talk
    message, _ = await talk.post(said("m1", "secret"))
    await talk.change(edited(message, "more secret"))
    begun = await talk.begin_answer(answer())
    await talk.add_to_answer(begun, "secret")
    await talk.delete_room(ROOM)
    assert await refused(talk.add_to_answer(begun, "more")) is Code.CONFLICT
    await talk.finish_answer(ended(begun))
    assert await talk.history(ROOM, None, 10) == []
    assert await world.everything() == b""
    assert await world.storage.values.scan("chat/begun/") == {}
    again, added = await talk.post(said("m1", "new"))
    assert added and again.seq == 1
    assert (await world.replayed()).messages == {"m1": again}
    await talk.stop()


async def test_what_is_left_of_a_room_that_is_gone_is_removed_at_the_start() -> None:
    world = World()
    for room in ("gone", "lost"):
        await world.server().talk.post(said("m1", "secret", room=room))
    await world.storage.values.put("chat/gone/gone", b"")
    talk = world.server().talk
    await talk.start([ROOM])
    assert await talk.history("gone", None, 10) == []
    assert await world.everything("gone") == b""
    assert len(await talk.history("lost", None, 10)) == 1, "nobody has deleted it"
