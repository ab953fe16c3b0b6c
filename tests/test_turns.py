"""Many that have something to do share a turn of the loop; nobody is forgotten, and no failure stops the rest."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from jupyter_ws_hub import turns as module
from jupyter_ws_hub.turns import Turns

from .support.fakes import turns as pass_turns


async def test_what_is_due_is_done_in_the_next_turn_and_in_order() -> None:
    turns, done = Turns(), list[int]()
    for n in range(5):
        turns.add(partial(done.append, n))
    assert done == []
    await pass_turns(2)
    assert done == [0, 1, 2, 3, 4]


async def test_what_takes_too_long_lets_others_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now_s[0])
    turns, done = Turns(), list[str]()

    def work(name: str) -> None:
        now_s[0] += module.SHARE_S * 0.6
        done.append(name)
        asyncio.get_running_loop().call_soon(done.append, f"after {name}")

    for name in "abcde":
        turns.add(partial(work, name))
    await pass_turns(8)
    assert done == ["a", "b", "after a", "after b", "c", "d", "after c", "after d", "e", "after e"]


async def test_what_is_added_meanwhile_waits_for_the_next_turn() -> None:
    turns, rounds = Turns(), list[int]()

    def again() -> None:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            turns.add(again)

    turns.add(again)
    await pass_turns(2)
    assert len(rounds) < 3
    await pass_turns(6)
    assert rounds == [0, 1, 2]


async def test_a_failure_is_told_to_the_loop_and_stops_nobody_else() -> None:
    turns, done, told = Turns(), list[str](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    turns.add(lambda: done.append("before"))
    turns.add(lambda: [][0])
    turns.add(lambda: done.append("after"))
    await pass_turns(4)
    assert done == ["before", "after"] and told == ["list index out of range"]
