"""What all transfers share: a budget that is given back, and a rate that is kept."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.transfers.budget import MIN_TURN_BYTES, Pace, WindowBudget
from tests.support.fakes import FakeClock


def test_a_budget_gives_what_it_has_and_takes_it_back() -> None:
    budget = WindowBudget(10)
    assert [budget.take(wanted) for wanted in (4, 4, 4, 4)] == [4, 4, 2, 0]
    budget.give_back(3)
    assert (budget.take(5), budget.free_bytes) == (3, 0)


def moved_in(pace: Pace, clock: FakeClock, users: list[str], seconds: float, piece: int) -> dict[str, int]:
    """How much each user moves who always waits as told, and has always more."""
    end_s, free_s, moved = clock.now_s + seconds, dict.fromkeys(users, clock.now_s), dict.fromkeys(users, 0)
    while (next_s := min(free_s.values())) < end_s:
        clock.now_s = max(clock.now_s, next_s)
        user = min(free_s, key=free_s.__getitem__)
        moved[user] += piece
        free_s[user] = clock.now_s + pace.delay_s(user.split("#")[0], piece)
    return moved


@pytest.mark.parametrize("piece", [1000, 65_536, 2_000_000])
def test_a_rate_is_kept_whatever_the_pieces(piece: int) -> None:
    clock = FakeClock()
    moved = moved_in(Pace(1_000_000, clock), clock, ["alice"], 60, piece)
    assert 60_000_000 <= moved["alice"] <= 60_000_000 + piece


def test_the_rate_is_that_of_all_transfers_of_one_user_and_of_nobody_else() -> None:
    clock = FakeClock()
    moved = moved_in(Pace(1_000_000, clock), clock, ["alice#1", "alice#2", "bob"], 60, 100_000)
    assert moved["bob"] == pytest.approx(60_000_000, rel=0.01)
    assert moved["alice#1"] + moved["alice#2"] == pytest.approx(60_000_000, rel=0.01)
    assert min(moved["alice#1"], moved["alice#2"]) > 20_000_000


def test_whoever_was_quiet_has_saved_nothing_up() -> None:
    clock = FakeClock()
    pace = Pace(1000, clock)
    pace.delay_s("alice", 1000)
    clock.advance(3600)
    assert [pace.delay_s("alice", 1000), pace.delay_s("alice", 1000)] == [1, 2]


def test_without_a_limit_nobody_waits() -> None:
    assert Pace(0, FakeClock()).delay_s("alice", 10**12) == 0


@pytest.mark.parametrize(("rate", "expected"), [(0, 10**9), (1, MIN_TURN_BYTES), (1_000_000, 250_000), (10**12, 10**9)])
def test_what_is_moved_at_once_is_bounded_by_the_rate(rate: int, expected: int) -> None:
    assert Pace(rate, FakeClock()).turn_bytes(10**9) == expected
