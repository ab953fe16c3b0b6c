"""Rooms and messages over the hub: who is the author, what is refused, who may do what, and what a reset brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.chat.messages import MAX_TEXT_CHARACTERS, ChatMessage
from jupyter_ws_hub.chat.saying import PostParams
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.messages import Event, Position, Subscribe
from jupyter_ws_hub.services.chat import (
    MAX_PAGE,
    PAGE,
    CreateRoomParams,
    History,
    HistoryParams,
    PresenceParams,
    RoomsParams,
)

from ..hub.client import HubClient, code_of, content, only, opened
from ..support.fakes import fake_peer, turns
from .chat_place import ALICE, BOB, ROOM, TOPIC, begin


async def test_there_is_a_room_to_meet_in() -> None:
    place = await begin()
    await place.service.start()
    (state,) = (await place.service.rooms(RoomsParams(), BOB)).rooms
    assert (state.room.name, state.newest, state.read, state.moderator) == (ROOM, 0, 0, False)
    await place.service.stop()


async def test_a_room_is_made_once_and_remembers_by_whom() -> None:
    place = await begin()
    made = await place.service.create(CreateRoomParams("a-1", "First"), ALICE)
    assert (made.name, made.title, made.created_by) == ("a-1", "First", "alice")
    assert await place.service.create(CreateRoomParams("a-1"), BOB) == made
    assert [state.room.name for state in (await place.service.rooms(RoomsParams(), BOB)).rooms] == ["a-1", ROOM]


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 64])
async def test_a_rooms_name_is_made_of_letters_digits_and_hyphens(name: str) -> None:
    client = await opened((await begin()).stage.hub)
    assert (await client.ask(1, "chat.create", {"name": name})).error is None


@pytest.mark.parametrize("name", ["", "-", "-a", "A", "a_b", "a b", "a/b", "../a", "a\n", "ä", "a" * 65, "a\0", "*"])
async def test_another_name_of_a_room_is_invalid(name: str) -> None:
    client = await opened((await begin()).stage.hub)
    assert code_of(await client.ask(1, "chat.create", {"name": name})) == "invalid"


async def test_the_author_is_the_user_of_the_request() -> None:
    place = await begin()
    peer = Peer("owner", "bob", "Bobby", BOB.authorize)
    message = await place.service.post(PostParams(ROOM, "hi", "m1"), peer)
    assert (message.author.username, message.author.display_name) == ("bob", "Bobby")
    assert (message.id, message.room, message.text, message.seq, message.version) == ("m1", ROOM, "hi", 1, 1)
    assert message.time == place.stage.runtime.now_ms()


async def test_whatever_the_params_say_the_author_is_the_user_of_the_request() -> None:
    stage = (await begin()).stage
    mallory = await opened(stage.hub, fake_peer("mallory"))
    forged = {"username": "alice", "display_name": "Alice", "assistant": True}
    more = {"answer": {"state": "done", "to": "", "asked_by": "alice"}, "edited_by": "alice", "seq": 7, "version": 9}
    params = {"room": ROOM, "text": "hi", "id": "m1", "author": forged, "username": "alice", "time": 1, **more}
    reply = await mallory.ask(1, "chat.post", params)
    message = msgspec.json.decode(content(reply.result), type=ChatMessage)
    assert (message.author.username, message.author.assistant) == ("mallory", False)
    assert (message.answer, message.edited_by, message.seq, message.version) == (None, "", 1, 1)
    assert message.time == stage.runtime.now_ms()
    (record,) = await stage.log.read(TOPIC, 0, 10)
    assert b"alice" not in record.data


async def test_nobody_is_shown_as_an_assistant() -> None:
    place = await begin()
    for number, (username, display_name) in enumerate([("x", "L\u043ecal"), ("local", "Lo"), ("y", "cleve\u200br")]):
        peer = Peer(username, username, display_name, BOB.authorize)
        message = await place.service.post(PostParams(ROOM, "hi", f"m{number}"), peer)
        assert message.author.display_name.endswith("(a person)") and not message.author.assistant
        (person,) = (await place.service.presence(PresenceParams(ROOM), peer)).people
        assert person.display_name == message.author.display_name
        await place.service.presence(PresenceParams(ROOM, "gone"), peer)


async def test_the_same_id_again_counts_once_and_gives_the_message_that_is_there() -> None:
    place = await begin()
    listener = await opened(place.stage.hub)
    await listener.subscribe(1, TOPIC)
    first = await place.service.post(PostParams(ROOM, "hi", "m1"), ALICE)
    await place.say(3)
    assert await place.service.post(PostParams(ROOM, "changed", "m1"), BOB) == first
    assert len(await place.stage.log.read(TOPIC, 0, 10)) == 3
    assert [event.id for event in only(Event, await listener.read())] == ["m1", "m2", "m3"]


async def test_the_same_id_in_another_room_is_another_message() -> None:
    place = await begin()
    await place.service.create(CreateRoomParams("other"), ALICE)
    for room in (ROOM, "other"):
        assert (await place.service.post(PostParams(room, room, "m1"), ALICE)).text == room


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"room": "nowhere"}, "not_found"),
        ({"room": ""}, "invalid"),
        ({"room": "../x"}, "invalid"),
        ({"text": ""}, "invalid"),
        ({"text": " \n\t"}, "invalid"),
        ({"id": ""}, "invalid"),
        ({"id": "m" * 65}, "invalid"),
        ({"id": "m1:started"}, "invalid"),
        ({"text": "x" * (MAX_TEXT_CHARACTERS + 1)}, "too_big"),
        ({"reply_to": "none"}, "not_found"),
        ({"attachments": [{"kind": "file", "path": "a"}] * 11}, "invalid"),
        ({"attachments": [{"kind": "selection", "text": "x" * 20_000}] * 3}, "too_big"),
        ({"attachments": [{"kind": "virus", "path": "a"}]}, "invalid"),
        ({"ask": [{"assistant": f"a{n}"} for n in range(5)]}, "invalid"),
    ],
)
async def test_a_message_that_may_not_be_is_refused_and_not_kept(params: Mapping[str, Any], code: str) -> None:
    stage = (await begin()).stage
    client = await opened(stage.hub)
    assert code_of(await client.ask(1, "chat.post", {"room": ROOM, "text": "hi", "id": "m1", **params})) == code
    assert (await stage.log.head(TOPIC)).offset == 0
    assert await stage.storage.documents.collections() == []


async def test_a_message_may_be_as_long_as_the_limit() -> None:
    place = await begin()
    assert (await place.service.post(PostParams(ROOM, "😀" * MAX_TEXT_CHARACTERS, "m" * 64), ALICE)).seq == 1


async def test_a_message_reaches_who_is_in_its_room_and_nobody_else() -> None:
    place = await begin()
    await place.service.create(CreateRoomParams("other"), ALICE)
    here, there = await opened(place.stage.hub, ALICE), await opened(place.stage.hub, BOB)
    await here.subscribe(1, TOPIC)
    await there.subscribe(1, "chat/other")
    await place.say(1)
    (event,) = only(Event, await here.read())
    assert msgspec.json.decode(event.data, type=ChatMessage).text == "text 1"
    assert only(Event, await there.read()) == []


async def test_nobody_can_follow_a_room_that_is_not_there() -> None:
    client = await opened((await begin()).stage.hub)
    for ref, topic in enumerate(("chat/nowhere", "presence/nowhere", "chat/"), start=1):
        assert await client.refusal(Subscribe(ref, topic)) in ("not_found", "unknown_topic")


async def test_history_is_read_page_by_page_from_the_newest() -> None:
    place = await begin()
    await place.say(7)
    before: int | None = None
    pages: list[list[int]] = []
    more = True
    while more:
        page = await place.service.history(HistoryParams(ROOM, before, 3), BOB)
        pages.append([message.seq for message in page.messages])
        before, more = page.messages[0].seq, page.more
    assert pages == [[5, 6, 7], [2, 3, 4], [1]]


async def test_history_is_read_on_from_a_place_to_the_newest() -> None:
    place = await begin()
    await place.say(7)
    after, more = 0, True
    pages: list[list[int]] = []
    while more:
        page = await place.service.history(HistoryParams(ROOM, limit=3, after=after), BOB)
        pages.append([message.seq for message in page.messages])
        after, more = page.messages[-1].seq, page.more
    assert pages == [[1, 2, 3], [4, 5, 6], [7]]
    assert await place.service.history(HistoryParams(ROOM, after=7), BOB) == History([], False)


async def test_history_goes_back_or_on_and_not_both() -> None:
    client = await opened((await begin()).stage.hub)
    reply = await client.ask(1, "chat.history", {"room": ROOM, "before": 5, "after": 1})
    assert code_of(reply) == "invalid"
    assert reply.error is not None and "one of them" in reply.error.message
    assert code_of(await client.ask(2, "chat.history", {"room": "nowhere", "after": 1})) == "not_found"


async def test_history_has_a_size_of_page_of_its_own() -> None:
    place = await begin()
    await place.say(PAGE + 1)
    page = await place.service.history(HistoryParams(ROOM), BOB)
    assert (len(page.messages), page.more) == (PAGE, True)
    assert page.messages[-1].text == f"text {PAGE + 1}"


@pytest.mark.parametrize("before", [None, 1, 0, -5, 10**6])
async def test_an_empty_history_has_no_more(before: int | None) -> None:
    place = await begin()
    assert await place.service.history(HistoryParams(ROOM, before), BOB) == History([], False)


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
async def test_a_page_of_no_or_too_many_messages_is_invalid(limit: int) -> None:
    client = await opened((await begin()).stage.hub)
    assert code_of(await client.ask(1, "chat.history", {"room": ROOM, "limit": limit})) == "invalid"
    assert code_of(await client.ask(2, "chat.history", {"room": "nowhere"})) == "not_found"


async def test_a_reset_brings_the_newest_messages() -> None:
    place = await begin()
    await place.say(PAGE + 5)
    client = await opened(place.stage.hub)
    answer = await client.subscribe(1, TOPIC, Position("another epoch", 3, "m3"))
    assert answer.status == "reset" and answer.position is not None
    snapshot = msgspec.json.decode(content(answer.snapshot), type=History)
    assert [message.seq for message in snapshot.messages] == list(range(6, PAGE + 6))
    assert (snapshot.more, answer.position.offset) == (True, PAGE + 5)


async def test_what_is_said_while_a_snapshot_is_made_is_in_it_or_comes_after_it() -> None:
    place = await begin()
    await place.say(5)
    client = await opened(place.stage.hub)
    place.stage.log.before = lambda operation: turns(4)
    client.send(Subscribe(1, TOPIC, Position("another epoch", 3, "m3")))
    for number in range(6, 12):
        await place.service.post(PostParams(ROOM, "meanwhile", f"m{number}"), ALICE)
    read = await client.read()
    (answer,) = [message for message in read if getattr(message, "snapshot", None) is not None]
    snapshot = msgspec.json.decode(content(getattr(answer, "snapshot", None)), type=History)
    seen = [message.id for message in snapshot.messages]
    seen += [event.id for event in only(Event, read) if event.id not in seen]
    assert seen == [f"m{number}" for number in range(1, 12)]


async def test_writing_needs_another_permission_than_reading() -> None:
    stage = (await begin()).stage
    reader = await opened(stage.hub, fake_peer("reader", denied=[("write", "chat")]))
    stranger = await opened(stage.hub, fake_peer("stranger", denied=[("read", "chat")]))

    async def code(client: HubClient, ref: int, method: str, params: object = None) -> str | None:
        reply = await client.ask(ref, f"chat.{method}", params)
        return code_of(reply) if reply.error is not None else None

    assert await code(reader, 1, "rooms") is await code(reader, 2, "history", {"room": ROOM}) is None
    writing: list[tuple[str, object]] = [
        ("post", {"room": ROOM, "text": "hi", "id": "m1"}),
        ("edit", {"room": ROOM, "text": "hi", "id": "m1", "version": 1}),
        ("delete", {"room": ROOM, "id": "m1"}),
        ("create", {"name": "mine"}),
        ("rename", {"room": ROOM, "title": "x"}),
        ("members", {"room": ROOM}),
        ("archive", {"room": ROOM}),
        ("remove", {"room": ROOM}),
    ]
    for ref, (method, params) in enumerate(writing, 3):
        assert await code(reader, ref, method, params) == "forbidden", method
    assert await code(stranger, 1, "rooms") == "forbidden"
    assert await code(stranger, 2, "history", {"room": ROOM}) == "forbidden"
    assert await stranger.refusal(Subscribe(3, TOPIC)) == "forbidden"
