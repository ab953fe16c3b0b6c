"""Rooms: who may know of them, who may change them, and how far each has read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_ws_hub.chat.room import DEFAULT_ROOM, MAX_MEMBERS, MAX_ROOMS, RESERVED_ROOMS, Room
from jupyter_ws_hub.chat.room_store import RoomStore
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import fake_peer
from .test_talk import refused
from .world import World, said

PLAIN = [("moderate", "chat")]
ALICE, BOB, CAROL = (fake_peer(name, PLAIN) for name in ("alice", "bob", "carol"))
BOSS = fake_peer("boss")
Change = Callable[[RoomStore, Peer], Awaitable[Any]]
CHANGES: dict[str, Change] = {
    "rename": lambda rooms, peer: rooms.rename("team", "Other", peer),
    "members": lambda rooms, peer: rooms.change_members("team", ["dave"], [], peer),
    "remove": lambda rooms, peer: rooms.change_members("team", [], ["alice"], peer),
    "archive": lambda rooms, peer: rooms.archive("team", True, peer),
    "delete": lambda rooms, peer: rooms.delete("team", peer),
}


class Place:
    """A store of rooms, with what was published and rechecked."""

    def __init__(self) -> None:
        """There is no room."""
        self.world = World()
        self.server = self.world.server()
        self.rechecked: list[str] = []
        self.told: list[tuple[str, str | None]] = []
        self.rooms = RoomStore(self.server.storage, self._publish, self.world.runtime, self.rechecked.append)

    async def _publish(self, topic: str, kind: str, payload: Any, *, principal: Any = None, id: Any = None) -> None:
        self.told.append((topic, principal))
        await self.server.hub.topics.publish(topic, kind, payload, principal=principal, id=id)

    async def team(self, *members: str) -> Room:
        """A private room of alice and others."""
        return await self.rooms.create(Room("team", 0, "", private=True, members=list(members)), ALICE)


async def test_a_room_is_made_once_and_remembers_by_whom() -> None:
    place = Place()
    made = await place.rooms.create(Room("a-1", 5, "mallory", title=" A  room\u200b "), ALICE)
    assert made == Room("a-1", place.world.runtime.now_ms(), "alice", title="A room")
    place.world.clock.advance(10)
    assert await place.rooms.create(Room("a-1", 0, ""), BOB) == made
    assert await place.rooms.get("a-1", BOB) == made
    assert place.told == [("rooms", None)]


async def test_of_two_who_make_a_room_at_once_one_does() -> None:
    place = Place()
    one, other = await asyncio.gather(*(place.rooms.create(Room("new", 0, ""), peer) for peer in (ALICE, BOB)))
    assert one == other


async def test_a_private_room_is_known_to_its_members_only() -> None:
    place = Place()
    await place.team("bob")
    absent: list[str] = []
    for name, peer in (("nowhere", CAROL), ("team", CAROL), ("team", BOSS)):
        with pytest.raises(HubError) as caught:
            await place.rooms.get(name, peer)
        absent.append(caught.value.message.replace(name, "…"))
    assert len(set(absent)) == 1
    for peer in (ALICE, BOB):
        assert (await place.rooms.get("team", peer)).members == ["alice", "bob"]
    assert [s.room.name for s in await place.rooms.states(BOB, archived=False)] == ["team"]
    assert await place.rooms.states(CAROL, archived=False) == await place.rooms.states(BOSS, archived=False) == []
    assert await place.rooms.readable(CAROL) == []
    assert await refused(place.rooms.read("team", 1, CAROL)) is Code.NOT_FOUND
    assert await refused(place.rooms.create(Room("team", 0, ""), CAROL)) is Code.EXISTS


@pytest.mark.parametrize("change", CHANGES)
async def test_only_who_made_a_room_or_a_moderator_changes_it(change: str) -> None:
    for peer, code in ((BOB, Code.FORBIDDEN), (CAROL, Code.NOT_FOUND), (BOSS, Code.NOT_FOUND), (ALICE, None)):
        place = Place()
        await place.team("bob")
        work = CHANGES[change](place.rooms, peer)
        if code is None:
            await work
        else:
            assert await refused(work) is code
            assert await place.rooms.get("team", ALICE)
    place = Place()
    await place.team("boss")
    await CHANGES[change](place.rooms, BOSS)


async def test_who_is_put_out_of_a_room_knows_of_it_no_longer() -> None:
    place = Place()
    await place.team("bob")
    await place.rooms.change_members("team", [], ["bob"], ALICE)
    assert await refused(place.rooms.get("team", BOB)) is Code.NOT_FOUND
    assert place.rechecked == ["chat/team", "presence/team"]


async def test_everybody_may_leave_but_the_last_one() -> None:
    place = Place()
    await place.team("bob")
    assert await refused(place.rooms.change_members("team", [], ["bob", "alice"], BOB)) is Code.FORBIDDEN
    assert (await place.rooms.change_members("team", [], ["bob"], BOB)).members == ["alice"]
    assert await refused(place.rooms.change_members("team", [], ["alice"], ALICE)) is Code.INVALID
    await place.rooms.change_members("team", ["bob"], [], ALICE)
    await place.rooms.change_members("team", [], ["alice"], ALICE)
    assert await refused(place.rooms.get("team", ALICE)) is Code.NOT_FOUND
    assert (await place.rooms.get("team", BOB)).members == ["bob"]


async def test_where_there_are_no_names_a_room_is_its_makers_in_every_browser() -> None:
    place = Place()
    one, other = (Peer("owner", name, name, ALICE.authorize) for name in ("random-1", "random-2"))
    await place.rooms.create(Room("mine", 0, "", private=True), one)
    assert (await place.rooms.get("mine", other)).created_by == "random-1"
    assert await place.rooms.is_moderator(await place.rooms.get("mine", other), other)
    assert "principal" not in Room.__struct_fields__


async def test_an_archived_room_is_read_and_not_written_to() -> None:
    place = Place()
    await place.rooms.create(Room("old", 0, ""), ALICE)
    await place.rooms.archive("old", True, ALICE)
    assert (await place.rooms.get("old", BOB)).archived
    assert await refused(place.rooms.require_open("old", BOB)) is Code.FORBIDDEN
    assert await place.rooms.states(BOB, archived=False) == []
    assert len(await place.rooms.states(BOB, archived=True)) == 1
    await place.rooms.archive("old", False, ALICE)
    assert await place.rooms.require_open("old", BOB)


async def test_the_room_to_meet_in_is_always_there() -> None:
    place = Place()
    await place.rooms.ensure(DEFAULT_ROOM)
    await place.rooms.ensure(DEFAULT_ROOM)
    assert await place.rooms.names() == [DEFAULT_ROOM]
    assert await refused(place.rooms.delete(DEFAULT_ROOM, BOSS)) is Code.FORBIDDEN
    assert await refused(place.rooms.archive(DEFAULT_ROOM, True, BOSS)) is Code.FORBIDDEN
    assert await refused(place.rooms.rename(DEFAULT_ROOM, "Ours", ALICE)) is Code.FORBIDDEN
    nobody = Peer("", "", "", ALICE.authorize)
    assert await refused(place.rooms.rename(DEFAULT_ROOM, "Ours", nobody)) is Code.FORBIDDEN
    assert (await place.rooms.rename(DEFAULT_ROOM, "Ours", BOSS)).title == "Ours"


@pytest.mark.parametrize("name", sorted(RESERVED_ROOMS))
async def test_some_names_no_room_can_have(name: str) -> None:
    assert await refused(Place().rooms.create(Room(name, 0, ""), ALICE)) is Code.INVALID


async def test_a_title_that_looks_like_another_public_room_is_refused() -> None:
    place = Place()
    await place.rooms.create(Room("general", 0, "", title="Everybody"), ALICE)
    await place.rooms.create(Room("secret", 0, "", title="Plans", private=True), ALICE)
    for title in ("General", "g\u0435neral", "EVERYB\u041eDY\u200b"):
        assert await refused(place.rooms.create(Room("new", 0, "", title=title), BOB)) is Code.EXISTS
    await place.rooms.create(Room("new", 0, "", title="Plans"), BOB)
    assert await refused(place.rooms.rename("new", "general", BOB)) is Code.EXISTS
    assert (await place.rooms.rename("new", "New", BOB)).title == "New"


async def test_there_are_so_many_rooms_and_members_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    many = [f"u{n}" for n in range(MAX_MEMBERS)]
    assert await refused(place.rooms.create(Room("big", 0, "", private=True, members=many), ALICE)) is Code.TOO_BIG
    await place.team()
    assert await refused(place.rooms.change_members("team", many, [], ALICE)) is Code.TOO_BIG
    for number in range(MAX_ROOMS - 1):
        await place.world.storage.values.put(f"chat/room/r{number}", b'{"name":"r","created":1,"created_by":""}')
    assert await refused(place.rooms.create(Room("more", 0, ""), ALICE)) is Code.BUSY
    assert await place.rooms.create(Room("team", 0, ""), ALICE)


async def test_a_marker_goes_forward_only_and_no_further_than_there_is_something() -> None:
    place = Place()
    await place.rooms.create(Room("room", 0, ""), ALICE)
    for number in range(5):
        await place.server.talk.post(said(f"m{number}", room="room"))
    assert (await place.rooms.read("room", 3, ALICE)).seq == 3
    assert (await place.rooms.read("room", 2, ALICE)).seq == 3
    assert (await place.rooms.read("room", 99, ALICE)).seq == 5
    assert place.told[1:] == [("rooms/me", "alice")] * 2
    (mine,), (theirs,) = [await place.rooms.states(peer, archived=False) for peer in (ALICE, BOB)]
    assert (mine.newest, mine.read, mine.moderator) == (5, 5, True)
    assert (theirs.newest, theirs.read, theirs.moderator) == (5, 0, False)


async def test_a_room_that_is_deleted_takes_its_markers_along() -> None:
    place = Place()
    await place.rooms.create(Room("room", 0, ""), ALICE)
    await place.server.talk.post(said("m1", room="room"))
    await place.rooms.read("room", 1, Peer("a/b", "bob", "Bob", BOB.authorize))
    await place.rooms.delete("room", ALICE)
    assert list(await place.world.storage.values.scan("chat/")) == ["chat/gone/room"]
    assert await place.rooms.was_deleted("room") and not await place.rooms.was_deleted("nowhere")
    assert place.rechecked == ["chat/room", "presence/room"]
    assert await refused(place.rooms.get("room", ALICE)) is Code.NOT_FOUND
    await place.rooms.create(Room("room", 0, ""), BOB)
    assert not await place.rooms.was_deleted("room")
    assert await place.world.storage.values.get("chat/gone/room") is None


async def test_two_who_change_a_room_at_once_both_do() -> None:
    place = Place()
    await place.team()
    await asyncio.gather(*(place.rooms.change_members("team", [name], [], ALICE) for name in "xyz"))
    assert (await place.rooms.get("team", ALICE)).members == ["alice", "x", "y", "z"]


async def test_rooms_of_the_version_before_are_still_there() -> None:
    place = Place()
    old = b'{"name":"old","created":5,"created_by":"alice"}'
    await place.world.storage.values.put("chat/room/old", old)
    room = await place.rooms.get("old", BOB)
    assert room == Room("old", 5, "alice")
    assert await place.rooms.is_moderator(room, ALICE) and not await place.rooms.is_moderator(room, BOB)
