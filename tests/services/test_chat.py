"""Rooms and messages: who is the author, what counts once, what is refused, and how history is paged."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Position, Subscribe
from jupyter_ws_hub.services.base import Nothing
from jupyter_ws_hub.services.chat import (
    MAX_PAGE,
    MAX_TEXT_CHARACTERS,
    PAGE,
    ChatMessage,
    ChatService,
    History,
    HistoryParams,
    PostParams,
    RoomParams,
)
from jupyter_ws_hub.storage.base import LogRetention

from ..hub.client import HubClient, Ledger, code_of, content, only, opened
from ..support.fakes import Stage, fake_peer, turns

ALICE, BOB = fake_peer("alice"), fake_peer("bob")
ROOM = "general"
TOPIC = f"chat/{ROOM}"


async def begin() -> tuple[ChatService, Stage]:
    """The service, started."""
    service = ChatService()
    stage = Stage(service)
    await service.start()
    return service, stage


async def refused(work: Coroutine[Any, Any, object]) -> Code:
    """The code of the error that a call raises."""
    with pytest.raises(HubError) as caught:
        await work
    return caught.value.code


async def say(service: ChatService, number: int, room: str = ROOM) -> None:
    """Post some messages."""
    for index in range(1, number + 1):
        await service.post(PostParams(room, f"text {index}", f"m{index}"), ALICE)


async def test_there_is_a_room_to_meet_in() -> None:
    service, _ = await begin()
    await service.start()
    assert [room.name for room in (await service.rooms(Nothing(), BOB)).rooms] == [ROOM]


async def test_a_room_is_made_once_and_remembers_by_whom() -> None:
    service, stage = await begin()
    made = await service.create(RoomParams("a-1"), ALICE)
    assert (made.name, made.created_by, made.created) == ("a-1", "alice", stage.runtime.now_ms())
    stage.clock.advance(10)
    assert await service.create(RoomParams("a-1"), BOB) == made
    assert [room.name for room in (await service.rooms(Nothing(), BOB)).rooms] == ["a-1", ROOM]


async def test_of_two_who_make_a_room_at_once_one_does() -> None:
    service, stage = await begin()
    stage.values.before = lambda operation: turns(2)
    one, other = await asyncio.gather(*(service.create(RoomParams("new"), peer) for peer in (ALICE, BOB)))
    assert one == other


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 64])
async def test_a_rooms_name_is_made_of_letters_digits_and_hyphens(name: str) -> None:
    service, _ = await begin()
    assert (await service.create(RoomParams(name), ALICE)).name == name


@pytest.mark.parametrize("name", ["", "-", "-a", "A", "a_b", "a b", "a/b", "../a", "a\n", "ä", "a" * 65, "a\0", "*"])
async def test_another_name_of_a_room_is_invalid(name: str) -> None:
    service, _ = await begin()
    assert await refused(service.create(RoomParams(name), ALICE)) is Code.INVALID


async def test_the_author_is_the_user_of_the_request() -> None:
    service, stage = await begin()
    peer = Peer("owner", "bob", "Bobby", BOB.authorize)
    item = await service.post(PostParams(ROOM, "hi", "m1"), peer)
    message = item.message
    assert (message.author.username, message.author.display_name) == ("bob", "Bobby")
    assert (message.id, message.room, message.text) == ("m1", ROOM, "hi")
    assert (item.offset, message.time) == (1, stage.runtime.now_ms())


async def test_whatever_the_params_say_the_author_is_the_user_of_the_request() -> None:
    _, stage = await begin()
    mallory = await opened(stage.hub, fake_peer("mallory"))
    forged = {"username": "alice", "display_name": "Alice"}
    params = {"room": ROOM, "text": "hi", "id": "m1", "author": forged, "username": "alice", "time": 1}
    reply = await mallory.ask(1, "chat.post", params)
    message = msgspec.json.decode(content(reply.result))["message"]
    assert message["author"] == {"username": "mallory", "display_name": "Mallory"}
    assert message["time"] == stage.runtime.now_ms()
    (record,) = await stage.log.read(TOPIC, 0, 10)
    assert b"alice" not in record.data


async def test_the_same_id_again_counts_once_and_gives_the_message_that_is_there() -> None:
    service, stage = await begin()
    listener = await opened(stage.hub)
    await listener.subscribe(1, TOPIC)
    first = await service.post(PostParams(ROOM, "hi", "m1"), ALICE)
    await say(service, 3)
    assert await service.post(PostParams(ROOM, "changed", "m1"), BOB) == first
    assert len(await stage.log.read(TOPIC, 0, 10)) == 3
    assert [event.id for event in only(Event, await listener.read())] == ["m1", "m2", "m3"]


async def test_the_same_id_in_another_room_is_another_message() -> None:
    service, _ = await begin()
    await service.create(RoomParams("other"), ALICE)
    for room in (ROOM, "other"):
        assert (await service.post(PostParams(room, room, "m1"), ALICE)).message.text == room


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (PostParams("nowhere", "hi", "m1"), Code.NOT_FOUND),
        (PostParams("", "hi", "m1"), Code.NOT_FOUND),
        (PostParams("../x", "hi", "m1"), Code.NOT_FOUND),
        (PostParams(ROOM, "", "m1"), Code.INVALID),
        (PostParams(ROOM, " \n\t", "m1"), Code.INVALID),
        (PostParams(ROOM, "hi", ""), Code.INVALID),
        (PostParams(ROOM, "hi", "m" * 65), Code.INVALID),
        (PostParams(ROOM, "x" * (MAX_TEXT_CHARACTERS + 1), "m1"), Code.TOO_BIG),
    ],
)
async def test_a_message_that_may_not_be_is_refused_and_not_kept(params: PostParams, code: Code) -> None:
    service, stage = await begin()
    assert await refused(service.post(params, ALICE)) is code
    assert (await stage.log.head(TOPIC)).offset == 0


async def test_a_message_may_be_as_long_as_the_limit() -> None:
    service, _ = await begin()
    assert (await service.post(PostParams(ROOM, "😀" * MAX_TEXT_CHARACTERS, "m" * 64), ALICE)).offset == 1


async def test_a_message_reaches_who_is_in_its_room_and_nobody_else() -> None:
    service, stage = await begin()
    await service.create(RoomParams("other"), ALICE)
    here, there = await opened(stage.hub, ALICE), await opened(stage.hub, BOB)
    await here.subscribe(1, TOPIC)
    await there.subscribe(1, "chat/other")
    await say(service, 1)
    (event,) = only(Event, await here.read())
    assert msgspec.json.decode(event.data, type=ChatMessage).text == "text 1"
    assert only(Event, await there.read()) == []


async def test_nobody_can_follow_a_room_that_is_not_there() -> None:
    _, stage = await begin()
    client = await opened(stage.hub)
    for ref, topic in enumerate(("chat/nowhere", "chat/"), start=1):
        assert await client.refusal(Subscribe(ref, topic)) in ("not_found", "unknown_topic")


async def test_history_is_read_page_by_page_from_the_newest() -> None:
    service, _ = await begin()
    await say(service, 7)
    before: int | None = None
    pages: list[list[int]] = []
    more = True
    while more:
        page = await service.history(HistoryParams(ROOM, before, 3), BOB)
        pages.append([item.offset for item in page.items])
        before, more = page.items[0].offset, page.more
    assert pages == [[5, 6, 7], [2, 3, 4], [1]]


async def test_history_has_a_size_of_page_of_its_own() -> None:
    service, _ = await begin()
    await say(service, PAGE + 1)
    page = await service.history(HistoryParams(ROOM), BOB)
    assert (len(page.items), page.more) == (PAGE, True)
    assert page.items[-1].message.text == f"text {PAGE + 1}"


@pytest.mark.parametrize("before", [None, 1, 0, -5, 10**6])
async def test_an_empty_history_has_no_more(before: int | None) -> None:
    service, _ = await begin()
    assert await service.history(HistoryParams(ROOM, before), BOB) == History([], False)


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
async def test_a_page_of_no_or_too_many_messages_is_invalid(limit: int) -> None:
    service, _ = await begin()
    assert await refused(service.history(HistoryParams(ROOM, None, limit), BOB)) is Code.INVALID
    assert await refused(service.history(HistoryParams("nowhere"), BOB)) is Code.NOT_FOUND


async def test_a_history_that_was_trimmed_ends_where_it_is_kept() -> None:
    service, stage = await begin()
    await say(service, 10)
    await stage.log.trim(TOPIC, LogRetention(4, 1 << 20, 1e9), 0)
    page = await service.history(HistoryParams(ROOM, None, 10), BOB)
    assert ([item.offset for item in page.items], page.more) == ([7, 8, 9, 10], False)


async def test_a_reset_brings_the_newest_messages_up_to_its_position() -> None:
    service, stage = await begin()
    await say(service, PAGE + 5)
    client = await opened(stage.hub)
    answer = await client.subscribe(1, TOPIC, Position("another epoch", 3, "m3"))
    assert answer.status == "reset" and answer.position is not None
    snapshot = msgspec.json.decode(content(answer.snapshot), type=History)
    assert [item.offset for item in snapshot.items] == list(range(6, PAGE + 6))
    assert (snapshot.more, answer.position.offset) == (True, PAGE + 5)


async def test_what_is_said_while_a_snapshot_is_made_comes_after_it_once() -> None:
    service, stage = await begin()
    await say(service, 5)
    client, ledger = await opened(stage.hub), Ledger(TOPIC)
    stage.log.before = lambda operation: turns(4)
    client.send(Subscribe(1, TOPIC, Position("another epoch", 3, "m3")))
    for number in range(6, 12):
        await service.post(PostParams(ROOM, "meanwhile", f"m{number}"), ALICE)
    ledger.take(await client.read())
    ((_, reset),) = ledger.resets
    seen = [item.offset for item in msgspec.json.decode(content(reset.snapshot), type=History).items]
    assert [*seen, *(event.offset for event in ledger.events)] == list(range(1, 12))


async def test_writing_needs_another_permission_than_reading() -> None:
    _, stage = await begin()
    reader = await opened(stage.hub, fake_peer("reader", denied=[("write", "chat")]))
    stranger = await opened(stage.hub, fake_peer("stranger", denied=[("read", "chat")]))

    async def code(client: HubClient, ref: int, method: str, params: object = None) -> str | None:
        reply = await client.ask(ref, f"chat.{method}", params)
        return code_of(reply) if reply.error is not None else None

    assert await code(reader, 1, "rooms") is await code(reader, 2, "history", {"room": ROOM}) is None
    assert await code(reader, 3, "post", {"room": ROOM, "text": "hi", "id": "m1"}) == "forbidden"
    assert await code(reader, 4, "create", {"name": "mine"}) == "forbidden"
    assert await code(stranger, 1, "rooms") == "forbidden"
    assert await code(stranger, 2, "history", {"room": ROOM}) == "forbidden"
    assert await stranger.refusal(Subscribe(3, TOPIC)) == "forbidden"
