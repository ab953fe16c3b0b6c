"""What people may do with rooms and messages of each other, and with assistants; and what a flood of one costs."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.chat.generations import Asked
from jupyter_ws_hub.chat.room_store import RoomStore
from jupyter_ws_hub.chat.saying import PostParams
from jupyter_ws_hub.chat.settings import ChatSettings
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Reply, Subscribe
from jupyter_ws_hub.services.chat import (
    ArchiveParams,
    CreateRoomParams,
    EditParams,
    ExportParams,
    History,
    HistoryParams,
    MembersParams,
    MessageParams,
    PresenceParams,
    ReadParams,
    RenameRoomParams,
    RoomParams,
    RoomsParams,
    SearchParams,
)

from ..hub.client import only, opened
from ..support.fakes import turns
from .chat_place import ALICE, BOB, BOSS, CAROL, ROOM, TOPIC, begin, refused


async def test_of_a_private_room_others_learn_nothing() -> None:
    place = await begin()
    await place.team("bob")
    await place.say(2, "team")
    await place.service.presence(PresenceParams("team"), ALICE)
    for peer in (CAROL, BOSS):
        client, ref, words = await opened(place.stage.hub, peer), 0, set()
        for method, params in (
            ("history", {}),
            ("message", {"id": "m1"}),
            ("post", {"text": "hi", "id": "m1"}),
            ("edit", {"text": "hi", "id": "m1", "version": 1}),
            ("delete", {"id": "m1"}),
            ("search", {"text": "text"}),
            ("export", {}),
            ("read", {"seq": 1}),
            ("presence", {}),
            ("rename", {"title": "x"}),
            ("members", {"add": ["carol"]}),
            ("archive", {}),
            ("remove", {}),
        ):
            for room in ("team", "nowhere"):
                ref += 1
                reply = await client.ask(ref, f"chat.{method}", {"room": room, **params})
                assert reply.error is not None and reply.error.code == "not_found", method
                words.add(reply.error.message.replace(room, "…"))
        assert len(words) == 1
        for topic in ("chat/team", "presence/team"):
            ref += 1
            assert await client.refusal(Subscribe(ref, topic)) == "not_found"
        assert (await place.service.search(SearchParams("text"), peer)).hits == []
        assert [state.room.name for state in (await place.service.rooms(RoomsParams(True), peer)).rooms] == [ROOM]
    assert len((await place.service.search(SearchParams("text"), BOB)).hits) == 2


async def test_who_is_put_out_of_a_room_is_shown_there_no_longer() -> None:
    place = await begin()
    await place.team("bob")
    for peer in (ALICE, BOB):
        await place.service.presence(PresenceParams("team"), peer)
    await place.service.members(MembersParams("team", [], ["bob"]), ALICE)
    (person,) = (await place.service.presence(PresenceParams("team"), ALICE)).people
    assert person.username == "alice"
    assert place.rechecked == ["chat/team", "presence/team"]


async def test_a_room_is_renamed_archived_and_removed_by_who_made_it() -> None:
    place = await begin()
    await place.service.create(CreateRoomParams("mine"), ALICE)
    await place.say(1, "mine")
    assert await refused(place.service.rename(RenameRoomParams("mine", "X"), BOB)) is Code.FORBIDDEN
    assert (await place.service.rename(RenameRoomParams("mine", "Ours"), ALICE)).title == "Ours"
    assert (await place.service.archive(ArchiveParams("mine"), ALICE)).archived
    assert await refused(place.service.post(PostParams("mine", "hi", "m2"), ALICE)) is Code.FORBIDDEN
    assert await refused(place.service.edit(EditParams("mine", "m1", "hi", 1), ALICE)) is Code.FORBIDDEN
    assert (await place.service.delete(MessageParams("mine", "m1"), ALICE)).deleted
    await place.service.remove(RoomParams("mine"), ALICE)
    assert await refused(place.service.history(HistoryParams("mine"), ALICE)) is Code.NOT_FOUND
    await place.service.create(CreateRoomParams("mine"), BOB)
    assert await place.service.history(HistoryParams("mine"), BOB) == History([], False)


async def test_only_its_author_or_a_moderator_changes_a_message() -> None:
    place = await begin()
    await place.say(2)
    listener = await opened(place.stage.hub)
    await listener.subscribe(1, TOPIC)
    assert await refused(place.service.edit(EditParams(ROOM, "m1", "mine now", 1), BOB)) is Code.FORBIDDEN
    assert await refused(place.service.delete(MessageParams(ROOM, "m1"), BOB)) is Code.FORBIDDEN
    own = await place.service.edit(EditParams(ROOM, "m1", "better", 1), ALICE)
    assert (own.text, own.version, own.edited_by, own.edited) == ("better", 2, "", place.stage.runtime.now_ms())
    theirs = await place.service.edit(EditParams(ROOM, "m1", "polite", 2), BOSS)
    assert (theirs.text, theirs.author.username, theirs.edited_by) == ("polite", "alice", "boss")
    gone = await place.service.delete(MessageParams(ROOM, "m2"), BOSS)
    assert (gone.deleted, gone.text, gone.edited_by) == (True, "", "boss")
    assert [event.kind for event in only(Event, await listener.read())] == ["message.changed"] * 3
    assert await refused(place.service.edit(EditParams(ROOM, "m2", "back", 2), ALICE)) is Code.CONFLICT
    assert await place.service.delete(MessageParams(ROOM, "m2"), ALICE) == gone


async def test_who_made_a_room_moderates_it() -> None:
    place = await begin()
    await place.service.create(CreateRoomParams("mine"), BOB)
    await place.say(1, "mine")
    assert (await place.service.edit(EditParams("mine", "m1", "moderated", 1), BOB)).edited_by == "bob"


async def test_an_edit_of_another_version_is_a_conflict_and_the_same_edit_again_is_none() -> None:
    place = await begin()
    await place.say(1)
    once = await place.service.edit(EditParams(ROOM, "m1", "new", 1), ALICE)
    place.stage.clock.advance(5)
    assert await place.service.edit(EditParams(ROOM, "m1", "new", 1), ALICE) == once
    assert await refused(place.service.edit(EditParams(ROOM, "m1", "newer", 1), ALICE)) is Code.CONFLICT
    assert await refused(place.service.edit(EditParams(ROOM, "none", "x", 1), ALICE)) is Code.NOT_FOUND
    assert await refused(place.service.edit(EditParams(ROOM, "m1", " ", 2), ALICE)) is Code.INVALID


async def test_what_was_deleted_is_found_exported_and_replayed_no_longer() -> None:
    place = await begin()
    await place.service.post(PostParams(ROOM, "secret word", "m1"), ALICE)
    await place.service.edit(EditParams(ROOM, "m1", "secret plan", 1), ALICE)
    await place.service.delete(MessageParams(ROOM, "m1"), ALICE)
    assert (await place.service.search(SearchParams("secret"), ALICE)).hits == []
    for format in ("markdown", "json"):
        params = msgspec.convert({"room": ROOM, "format": format}, type=ExportParams)
        assert "secret" not in "".join([piece.text async for piece in place.service.export(params, ALICE)])
    client = await opened(place.stage.hub)
    await client.subscribe(1, TOPIC, "earliest")
    assert b"secret" not in b"".join(client.frames)
    assert (await place.service.message(MessageParams(ROOM, "m1"), BOB)).deleted


async def test_messages_are_found_newest_first_page_by_page() -> None:
    place = await begin()
    for number in range(5):
        place.stage.clock.advance(1)
        await place.service.post(PostParams(ROOM, f"the word, no. {number}!", f"m{number}"), ALICE)
    first = await place.service.search(SearchParams("word, no", limit=3), BOB)
    assert ([hit.message.id for hit in first.hits], first.more) == (["m4", "m3", "m2"], True)
    rest = await place.service.search(SearchParams("(word)", ROOM, 3, 3), BOB)
    assert ([hit.message.id for hit in rest.hits], rest.more) == (["m1", "m0"], False)
    assert (await place.service.search(SearchParams("?!"), BOB)).hits == []


async def test_a_room_is_marked_as_read_in_all_windows_of_a_user() -> None:
    place = await begin()
    await place.say(3)
    window, other = await opened(place.stage.hub, BOB), await opened(place.stage.hub, CAROL)
    for client in (window, other):
        await client.subscribe(1, "rooms/me")
    assert (await place.service.read(ReadParams(ROOM, 2), BOB)).seq == 2
    assert (await place.service.read(ReadParams(ROOM, 1), BOB)).seq == 2
    assert len(only(Event, await window.read())) == 1 and not only(Event, await other.read())
    assert [(s.read, s.newest) for s in (await place.service.rooms(RoomsParams(), BOB)).rooms] == [(2, 3)]


async def test_assistants_are_asked_by_mention_or_choice_each_once() -> None:
    place = await begin()
    text = "@local and @Clever-1, look: @nobody `@local`"
    ask: list[Any] = [{"assistant": "clever-1", "model": "huge"}]
    params = msgspec.convert({"room": ROOM, "text": text, "id": "m1", "ask": ask}, type=PostParams)
    message = await place.service.post(params, ALICE)
    assert message.mentions == ["local", "clever-1", "nobody"]
    assert [(asked.assistant, asked.model) for _, asked in place.crew.asked] == [("clever-1", "huge"), ("local", "")]
    assert await place.service.post(params, ALICE) == message
    assert len({id for id, _ in place.crew.asked}) == 2
    assert len((await place.service.history(HistoryParams(ROOM), BOB)).messages) == 3
    begun = len(place.crew.asked)
    await place.service.post(params, BOB)
    assert len(place.crew.asked) == begun, "somebody else repeats it"
    await place.service.edit(EditParams(ROOM, "m1", "@local once more", 1), ALICE)
    assert len(place.crew.asked) == begun


async def test_a_message_that_asks_who_is_not_there_is_not_kept() -> None:
    place = await begin()
    nobody = PostParams(ROOM, "@local hi", "m1", ask=[Asked("nobody")])
    assert await refused(place.service.post(nobody, ALICE)) is Code.NOT_FOUND
    assert (await place.service.history(HistoryParams(ROOM), ALICE)).messages == []
    assert place.crew.asked == []


async def test_an_answer_that_is_deleted_is_stopped_by_who_asked_or_a_moderator() -> None:
    place = await begin()
    for number, peer in enumerate((ALICE, BOSS)):
        message = await place.service.post(PostParams(ROOM, "@local hi", f"m{number}"), ALICE)
        id, _ = place.crew.asked[-1]
        assert await refused(place.service.delete(MessageParams(ROOM, id), BOB)) is Code.FORBIDDEN
        assert await refused(place.service.edit(EditParams(ROOM, id, "x", 1), ALICE)) is Code.FORBIDDEN
        assert await refused(place.service.edit(EditParams(ROOM, id, "x", 1), BOSS)) is Code.CONFLICT
        gone = await place.service.delete(MessageParams(ROOM, id), peer)
        assert gone.deleted and gone.answer is not None and gone.answer.state == "stopped"
        assert not (await place.service.message(MessageParams(ROOM, message.id), BOB)).deleted


async def test_a_flood_of_one_user_is_refused_and_others_go_on() -> None:
    place = await begin(ChatSettings(posts_per_minute=60))
    await place.say(30)
    with pytest.raises(HubError) as caught:
        await place.service.post(PostParams(ROOM, "more", "m31"), ALICE)
    assert (caught.value.code, caught.value.retry_after_ms) == (Code.RATE_LIMITED, 1000)
    assert await refused(place.service.edit(EditParams(ROOM, "m1", "x", 1), ALICE)) is Code.RATE_LIMITED
    assert (await place.service.post(PostParams(ROOM, "text 1", "m1"), ALICE)).seq == 1, "it is there already"
    await place.service.post(PostParams(ROOM, "hi", "b1"), BOB)
    place.stage.clock.advance(1)
    await place.service.post(PostParams(ROOM, "more", "m31"), ALICE)


async def test_searches_and_changes_are_limited_too() -> None:
    place = await begin(ChatSettings(searches_per_minute=2, changes_per_minute=2, presences_per_minute=4))
    await place.service.search(SearchParams("x"), ALICE)
    assert await refused(place.service.search(SearchParams("x"), ALICE)) is Code.RATE_LIMITED
    await place.service.create(CreateRoomParams("one"), ALICE)
    assert await refused(place.service.create(CreateRoomParams("two"), ALICE)) is Code.RATE_LIMITED
    for state in ("here", "typing"):
        await place.service.presence(msgspec.convert({"room": ROOM, "state": state}, PresenceParams), ALICE)
    await place.service.presence(PresenceParams(ROOM, "typing"), ALICE)
    assert await refused(place.service.presence(PresenceParams(ROOM), ALICE)) is Code.RATE_LIMITED


async def test_a_room_that_is_deleted_while_somebody_writes_into_it_leaves_nothing() -> None:
    place = await begin()
    await place.service.create(CreateRoomParams("mine"), ALICE)
    place.stage.log.before = lambda operation: turns(5)
    post = asyncio.create_task(place.service.post(PostParams("mine", "hi", "m1"), BOB))
    await turns(4)
    await place.service.remove(RoomParams("mine"), ALICE)
    await asyncio.gather(post, return_exceptions=True)
    assert await place.stage.storage.documents.collections() == []
    assert await place.stage.log.read("chat/mine", 0, 10) == []


async def test_an_export_comes_in_pieces_that_fit() -> None:
    place = await begin()
    for number in range(5):
        await place.service.post(PostParams(ROOM, "\x01" * 20_000, f"m{number}"), ALICE)
    client = await opened(place.stage.hub)
    reply: Reply = await client.ask(1, "chat.export", {"room": ROOM, "format": "json"})
    assert reply.error is None
    assert max(map(len, client.frames)) <= 32 * 1024


async def test_a_room_whose_deletion_was_cut_off_does_not_come_back_with_what_was_said() -> None:
    place = await begin()
    await place.team()
    await place.service.post(PostParams("team", "secret", "m1"), ALICE)
    await RoomStore(place.stage.storage, place.stage.hub.topics.publish, place.stage.runtime, print).delete(
        "team", ALICE
    )
    assert await place.stage.storage.documents.collections() == ["chat/team"]
    await place.service.create(CreateRoomParams("team"), BOB)
    assert (await place.service.history(HistoryParams("team"), BOB)).messages == []
    assert await place.stage.log.read("chat/team", 0, 10) == []
