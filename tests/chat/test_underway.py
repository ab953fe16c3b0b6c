"""Servers of one storage know whose answers are under way, and can have them ended."""

from __future__ import annotations

import asyncio

from jupyter_ws_hub.chat.underway import CLAIM_S, KEPT_S, PREFIX, Underway, UnderwayNotes
from tests.support.fakes import FakeClock, HookedValues


async def begin(notes: UnderwayNotes, id: str = "a") -> None:
    claim = await notes.claim("lab", id, "alice")
    assert claim is not None
    await notes.confirm("lab", id, "alice", claim)


async def test_what_is_under_way_is_known_until_it_is_released() -> None:
    values = HookedValues(FakeClock())
    notes, elsewhere = UnderwayNotes(values), UnderwayNotes(values)
    assert await elsewhere.get("lab", "a") is None
    await begin(notes)
    assert await elsewhere.get("lab", "a") == Underway("alice")
    assert await notes.to_stop() == []
    await elsewhere.ask_to_stop("lab", "a")
    await elsewhere.ask_to_stop("lab", "a")
    assert await notes.to_stop() == [("lab", "a")]
    await notes.release("lab", "a")
    assert await notes.to_stop() == []


async def test_to_stop_what_has_ended_leaves_nothing_behind() -> None:
    values = HookedValues(FakeClock())
    notes = UnderwayNotes(values)
    await begin(notes)

    async def ended(operation: str) -> None:
        if operation == "put":
            values.before = HookedValues(FakeClock()).before
            await notes.release("lab", "a")

    values.before = ended
    await notes.ask_to_stop("lab", "a")
    assert await values.scan("") == {}


async def test_an_id_may_hold_anything_and_many_may_ask_at_once() -> None:
    notes = UnderwayNotes(HookedValues(FakeClock()))
    for id in ("a/b", "ü 😀", "x" * 64):
        await begin(notes, id)
        await asyncio.gather(*(notes.ask_to_stop("lab", id) for _ in range(5)))
    assert sorted(await notes.to_stop()) == sorted([("lab", "a/b"), ("lab", "ü 😀"), ("lab", "x" * 64)])


async def test_what_a_server_that_died_left_goes_by_itself() -> None:
    clock = FakeClock()
    values = HookedValues(clock)
    notes = UnderwayNotes(values)
    await begin(notes)
    clock.advance(KEPT_S - 1)
    assert await values.scan(PREFIX)
    clock.advance(2)
    assert await values.scan(PREFIX) == {}
    assert await notes.claim("lab", "b", "alice")
    clock.advance(CLAIM_S + 1)
    assert await notes.claim("lab", "b", "bob")


async def test_one_server_has_it_and_a_wish_to_end_it_outlives_its_beginning() -> None:
    values = HookedValues(FakeClock())
    notes = UnderwayNotes(values)
    claims = await asyncio.gather(*(notes.claim("lab", "a", "alice") for _ in range(5)))
    (claim,) = [claim for claim in claims if claim is not None]
    await notes.ask_to_stop("lab", "a")
    await notes.confirm("lab", "a", "alice", claim)
    assert await notes.to_stop() == [("lab", "a")]
