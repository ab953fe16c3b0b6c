"""How often somebody may do something: steadily so often, at once about as much as in half a minute."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.chat.rates import SWEEP_AT, Rate
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import FakeClock


def taken(rate: Rate, user: str = "alice", tries: int = 1000) -> int:
    """How many are taken before one is refused."""
    for number in range(tries):
        try:
            rate.take(user)
        except HubError:
            return number
    return tries


def test_half_a_minutes_worth_may_come_at_once_and_then_at_the_steady_pace() -> None:
    clock = FakeClock()
    rate = Rate(60, "messages", clock)
    assert taken(rate) == 30
    for _ in range(10):
        clock.advance(1)
        assert taken(rate) == 1
    clock.advance(1000)
    assert taken(rate) == 30


def test_who_is_refused_is_told_when_there_is_room() -> None:
    clock = FakeClock()
    rate = Rate(120, "messages", clock)
    taken(rate)
    with pytest.raises(HubError) as caught:
        rate.take("alice")
    assert caught.value.code is Code.RATE_LIMITED and caught.value.retry_after_ms == 500
    clock.advance(0.5)
    rate.take("alice")


def test_each_user_has_a_limit_of_their_own() -> None:
    rate = Rate(60, "messages", FakeClock())
    assert taken(rate, "alice") == taken(rate, "bob") == 30


def test_even_the_smallest_rate_lets_one_through() -> None:
    assert taken(Rate(0.01, "messages", FakeClock())) == 1


def test_no_limit_is_none() -> None:
    assert taken(Rate(0, "messages", FakeClock())) == 1000


def test_users_who_rest_are_forgotten() -> None:
    clock = FakeClock()
    rate = Rate(60, "messages", clock)
    for number in range(3 * SWEEP_AT):
        rate.take(f"u{number}")
        clock.advance(0.1)
    assert len(rate._used_up_s) <= SWEEP_AT + 1
