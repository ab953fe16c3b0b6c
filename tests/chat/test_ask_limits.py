"""No more than the limits allow, for each user and for all; what is refused says when to come again, and counts not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.chat.ask_limits import WINDOW_S, AskLimits
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError


def refusal(limits: AskLimits, principal: str, now_s: float, number: int = 1) -> HubError:
    with pytest.raises(HubError) as refused:
        limits.check(principal, number, now_s)
    assert refused.value.code is Code.RATE_LIMITED
    assert refused.value.retry_after_ms
    return refused.value


def test_a_user_has_so_many_at_a_time_and_others_have_theirs() -> None:
    limits = AskLimits(10, 2, 0)
    limits.begin("alice", 0)
    limits.begin("alice", 0)
    assert "2 answers under way" in refusal(limits, "alice", 0).message
    limits.check("bob", 2, 0)
    refusal(limits, "bob", 0, number=3)
    limits.end("alice")
    limits.begin("alice", 0)
    assert limits.running == 2


def test_a_server_has_so_many_at_a_time_with_those_that_do_not_end() -> None:
    limits = AskLimits(3, 0, 0)
    limits.begin("alice", 0)
    limits.begin("bob", 0)
    limits.check("carol", 1, 0)
    limits.linger(1)
    assert "busy" in refusal(limits, "carol", 0).message
    limits.linger(-1)
    limits.check("carol", 1, 0)


def test_after_a_minute_one_may_ask_again() -> None:
    limits = AskLimits(0, 0, 2)
    limits.begin("alice", 0)
    limits.end("alice")
    limits.begin("alice", 10)
    limits.end("alice")
    assert refusal(limits, "alice", 15).retry_after_ms == 45_000
    limits.check("bob", 1, 15)
    limits.begin("alice", 60)
    assert refusal(limits, "alice", 60).retry_after_ms == 10_000


def test_more_at_once_than_a_minute_allows_come_through_when_nothing_else_does() -> None:
    AskLimits(0, 0, 0.5).check("alice", 1, 0)


def test_who_does_not_ask_is_forgotten() -> None:
    limits = AskLimits(0, 0, 5)
    for n in range(1000):
        limits.begin(f"user{n}", 0)
        limits.end(f"user{n}")
    limits.sweep(WINDOW_S)
    assert not limits._asked_s
    assert not limits._running


@given(st.lists(st.floats(0, 20), max_size=60), st.integers(1, 5))
def test_no_minute_has_more_than_allowed_and_the_hint_is_right(pauses_s: list[float], per_minute: int) -> None:
    limits, now_s, taken_s = AskLimits(0, 0, per_minute), 0.0, list[float]()
    for pause_s in pauses_s:
        now_s += pause_s
        try:
            limits.begin("alice", now_s)
            taken_s.append(now_s)
        except HubError as refused:
            assert refused.retry_after_ms
            limits.check("alice", 1, now_s + refused.retry_after_ms / 1000)
    assert all(later - earlier >= WINDOW_S for earlier, later in zip(taken_s, taken_s[per_minute:], strict=False))
