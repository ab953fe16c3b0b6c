"""What a user has read and dismissed."""

from __future__ import annotations

import asyncio

import msgspec

from jupyter_ws_hub.notices.notification import Notification, ReadMarker
from jupyter_ws_hub.notices.reading import MAX_DISMISSED, ReadState, ReadStates
from jupyter_ws_hub.notices.shelf import Entry
from jupyter_ws_hub.storage.memory import MemoryStorage

from ..support.fakes import FakeClock, HookedValues, counting_ids, turns


def entry(id: str, offset: int, since: int = 0, updated: int = 1) -> Entry:
    """A notification at an offset."""
    return Entry(offset, Notification(id, "info", id, "", "alice", 1, since=since, updated=updated))


def test_what_was_read_of_another_log_is_not_read_of_this_one() -> None:
    state = ReadState().read_up_to(ReadMarker(5, 6), "a", "b")
    assert state.marker("a", "b") == ReadMarker(5, 6)
    assert state.marker("new", "b") == ReadMarker(0, 6)
    assert state.marker("a", "new") == ReadMarker(5, 0)
    assert state.read_up_to(ReadMarker(2, 2), "new", "b").marker("new", "b") == ReadMarker(2, 6)


def test_what_was_kept_without_an_epoch_counts() -> None:
    assert ReadState(3, 4).marker("a", "b") == ReadMarker(3, 4)


def test_a_state_that_has_it_already_is_the_same() -> None:
    state = ReadState().read_up_to(ReadMarker(5, 6), "a", "b").without("me", "a", "x", 3, {"x": 3})
    assert state.read_up_to(ReadMarker(4, 6), "a", "b") is state
    assert state.without("me", "a", "x", 3, {"x": 3}) is state


def test_a_dismissal_hides_what_was_seen_in_its_own_log_only() -> None:
    state = ReadState().without("all", "b", "x", 3, {"x": 3})
    assert state.hides("all", "b", entry("x", 3))
    assert state.hides("all", "b", entry("x", 7, since=3)), "an update of what goes on"
    assert not state.hides("all", "b", entry("x", 4)), "a new one"
    assert not state.hides("me", "b", entry("x", 3))
    assert not state.hides("all", "b", entry("y", 3))
    assert not state.hides("all", "new", entry("x", 3)), "another log"


def test_what_was_dismissed_in_another_log_is_forgotten_with_the_next_and_what_was_read_stays_right() -> None:
    state = ReadState().read_up_to(ReadMarker(5, 6), "a", "b").without("me", "a", "x", 3, {"x": 3})
    state = state.without("me", "new", "y", 1, {"y": 1})
    assert (state.me_dismissed, state.marker("new", "b")) == ({"y": 1}, ReadMarker(0, 6))


def test_what_is_dismissed_is_kept_as_long_as_it_is_there_and_no_longer_than_there_is_room() -> None:
    state = ReadState(me_dismissed={f"gone{n}": n + 1 for n in range(MAX_DISMISSED - 1)})
    state = state.without("me", "a", "x", 9000, {"x": 9000, "gone1": 2, "gone2": 4})
    assert len(state.me_dismissed) == MAX_DISMISSED
    state = state.without("me", "a", "y", 9001, {"x": 9000, "y": 9001, "gone1": 2, "gone2": 4})
    assert state.me_dismissed == {"gone1": 2, "x": 9000, "y": 9001}


def test_ids_that_an_earlier_version_has_kept_hide_what_it_has_posted() -> None:
    state = msgspec.json.decode(b'{"me": 3, "me_epoch": "a", "dismissed": ["x", "x"]}', type=ReadState)
    assert state.hides("me", "a", entry("x", 9, updated=0))
    assert state.hides("all", "b", entry("x", 9, updated=0))
    assert not state.hides("me", "a", entry("x", 9))
    assert msgspec.json.decode(msgspec.json.encode(state), type=ReadState) == state


async def test_two_windows_at_once_lose_nothing() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock, counting_ids())
    storage.values = values = HookedValues(clock)
    values.before = lambda operation: turns(2)
    states = ReadStates(storage)

    async def dismiss(id: str) -> None:
        await states.change("alice", lambda state: state.without("me", "a", id, 1, {}))

    await asyncio.gather(*(dismiss(f"n{n}") for n in range(5)))
    assert sorted((await states.get("alice")).me_dismissed) == [f"n{n}" for n in range(5)]
    assert (await states.get("bob")).me_dismissed == {}
