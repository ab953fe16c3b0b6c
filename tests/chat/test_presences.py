"""Who is in a room and types: told when it changes, and forgotten when nothing is heard."""

from __future__ import annotations

from typing import Any

import msgspec

from jupyter_ws_hub.chat.presences import HERE_S, MAX_CLIENTS, MAX_PEOPLE, TYPING_S, Presences
from jupyter_ws_hub.chat.room import Presence

from ..support.fakes import FakeClock, fake_peer, fake_runtime

ALICE, BOB = fake_peer("alice"), fake_peer("bob")
TABS = [fake_peer("alice", client=f"tab{number}") for number in range(2)]


class Place:
    """Presences, and what was told of them: (topic, username, state or gone)."""

    def __init__(self) -> None:
        """Nobody is there."""
        self.clock = FakeClock()
        self.told: list[tuple[str, str, str]] = []
        self.presences = Presences(self._publish, fake_runtime(self.clock))

    async def _publish(
        self, topic: str, kind: str, payload: msgspec.Struct, *, principal: Any = None, id: Any = None
    ) -> int | None:
        assert isinstance(payload, Presence) and kind == "presence"
        self.told.append((topic, payload.username, "gone" if payload.gone else payload.state))
        return None

    def new(self) -> list[tuple[str, str, str]]:
        """What was told since it was asked."""
        told, self.told = self.told, []
        return told


async def test_who_comes_types_and_goes_is_told_once() -> None:
    place = Place()
    assert await place.presences.note("room", "here", ALICE) == [Presence("alice", "Alice")]
    assert len(await place.presences.note("room", "here", BOB)) == 2
    assert place.new() == [("presence/room", "alice", "here"), ("presence/room", "bob", "here")]
    for _ in range(3):
        await place.presences.note("room", "typing", ALICE)
    assert place.new() == [("presence/room", "alice", "typing")]
    assert not place.presences.would_tell("room", "typing", ALICE)
    assert await place.presences.note("room", "gone", ALICE) == [Presence("bob", "Bob")]
    await place.presences.note("room", "gone", ALICE)
    assert place.new() == [("presence/room", "alice", "gone")]
    assert not place.presences.would_tell("room", "gone", ALICE)


async def test_rooms_have_nothing_to_do_with_each_other() -> None:
    place = Place()
    await place.presences.note("one", "here", ALICE)
    assert await place.presences.note("other", "here", BOB) == [Presence("bob", "Bob")]


async def test_who_says_nothing_for_long_is_gone() -> None:
    place = Place()
    await place.presences.note("room", "here", ALICE)
    await place.presences.note("room", "here", BOB)
    place.clock.advance(HERE_S - 5)
    await place.presences.note("room", "here", BOB)
    await place.presences.sweep()
    place.new()
    place.clock.advance(6)
    await place.presences.sweep()
    assert place.new() == [("presence/room", "alice", "gone")]
    place.clock.advance(HERE_S)
    await place.presences.sweep()
    assert place.new() == [("presence/room", "bob", "gone")]
    assert place.presences._rooms == {}


async def test_who_types_and_says_nothing_types_no_longer() -> None:
    place = Place()
    await place.presences.note("room", "typing", ALICE)
    place.clock.advance(TYPING_S - 1)
    await place.presences.sweep()
    assert place.new() == [("presence/room", "alice", "typing")]
    place.clock.advance(2)
    await place.presences.sweep()
    await place.presences.sweep()
    assert place.new() == [("presence/room", "alice", "here")]


async def test_who_has_two_tabs_is_there_until_both_are_closed() -> None:
    place = Place()
    for tab in TABS:
        await place.presences.note("room", "here", tab)
    assert await place.presences.note("room", "gone", TABS[0]) == [Presence("alice", "Alice")]
    assert place.new() == [("presence/room", "alice", "here")]
    assert place.presences.would_tell("room", "gone", TABS[1])
    assert await place.presences.note("room", "gone", TABS[1]) == []
    assert place.new() == [("presence/room", "alice", "gone")]


async def test_who_types_in_one_tab_types_whatever_the_other_says() -> None:
    place = Place()
    await place.presences.note("room", "typing", TABS[0])
    assert not place.presences.would_tell("room", "here", TABS[1])
    await place.presences.note("room", "here", TABS[1])
    assert place.new() == [("presence/room", "alice", "typing")]
    assert place.presences.would_tell("room", "gone", TABS[0])
    await place.presences.note("room", "gone", TABS[0])
    assert place.new() == [("presence/room", "alice", "here")]


async def test_a_tab_that_says_nothing_for_long_does_not_keep_its_user_there() -> None:
    place = Place()
    for tab in TABS:
        await place.presences.note("room", "here", tab)
    place.clock.advance(HERE_S - 5)
    await place.presences.note("room", "here", TABS[1])
    place.clock.advance(6)
    await place.presences.sweep()
    assert place.new() == [("presence/room", "alice", "here")]
    await place.presences.note("room", "gone", TABS[1])
    assert place.new() == [("presence/room", "alice", "gone")]


async def test_of_very_many_tabs_the_newest_are_known() -> None:
    place = Place()
    tabs = [fake_peer("alice", client=str(number)) for number in range(MAX_CLIENTS + 5)]
    for tab in tabs:
        await place.presences.note("room", "here", tab)
    assert len(place.presences._rooms["room"]["alice"].clients) == MAX_CLIENTS
    for tab in tabs[5:]:
        await place.presences.note("room", "gone", tab)
    assert place.presences._rooms == {}


async def test_who_is_shown_otherwise_is_shown_so() -> None:
    place = Place()
    (person,) = await place.presences.note("room", "here", ALICE, "Alice (a person)")
    assert person.display_name == "Alice (a person)"


async def test_people_leave_a_room_that_they_may_not_be_in() -> None:
    place = Place()
    for peer in (ALICE, BOB):
        await place.presences.note("room", "here", peer)
    place.new()
    await place.presences.leave("room", ["bob", "carol"])
    assert place.new() == [("presence/room", "bob", "gone")]
    await place.presences.close("room")
    assert place.new() == [("presence/room", "alice", "gone")]


async def test_a_crowd_is_bounded() -> None:
    place = Place()
    for number in range(MAX_PEOPLE + 5):
        people = await place.presences.note("room", "here", fake_peer(f"u{number}"))
    assert len(people) == MAX_PEOPLE
