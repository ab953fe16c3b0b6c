"""What a user has read and dismissed."""

from __future__ import annotations

import asyncio

from jupyter_ws_hub.notices.notification import ReadMarker
from jupyter_ws_hub.notices.reading import MAX_DISMISSED, ReadState, ReadStates
from jupyter_ws_hub.storage.memory import MemoryStorage

from ..support.fakes import FakeClock, HookedValues, counting_ids, turns


def test_what_was_read_of_another_log_is_not_read_of_this_one() -> None:
    state = ReadState().read_up_to(ReadMarker(5, 6), "a", "b")
    assert state.marker("a", "b") == ReadMarker(5, 6)
    assert state.marker("new", "b") == ReadMarker(0, 6)
    assert state.marker("a", "new") == ReadMarker(5, 0)
    assert state.read_up_to(ReadMarker(2, 2), "new", "b").marker("new", "b") == ReadMarker(2, 6)


def test_what_was_kept_without_an_epoch_counts() -> None:
    assert ReadState(3, 4).marker("a", "b") == ReadMarker(3, 4)


def test_a_state_that_has_it_already_is_the_same() -> None:
    state = ReadState().read_up_to(ReadMarker(5, 6), "a", "b").without("x", {"x"})
    assert state.read_up_to(ReadMarker(4, 6), "a", "b") is state
    assert state.without("x", {"x"}) is state


def test_what_is_dismissed_is_kept_as_long_as_it_is_there_and_no_longer_than_there_is_room() -> None:
    state = ReadState(dismissed=[f"gone{n}" for n in range(MAX_DISMISSED)])
    state = state.without("x", {"x"})
    assert state.dismissed == ["x"]


async def test_two_windows_at_once_lose_nothing() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock, counting_ids())
    storage.values = values = HookedValues(clock)
    values.before = lambda operation: turns(2)
    states = ReadStates(storage)

    async def dismiss(id: str) -> None:
        await states.change("alice", lambda state: state.without(id, ()))

    await asyncio.gather(*(dismiss(f"n{n}") for n in range(5)))
    assert sorted((await states.get("alice")).dismissed) == [f"n{n}" for n in range(5)]
    assert (await states.get("bob")).dismissed == []
