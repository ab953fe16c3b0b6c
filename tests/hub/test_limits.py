"""What one connection may ask for: a rate for each kind of method; many refusals are abuse."""

from __future__ import annotations

from heapq import heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.hub.limits import ABUSE_WINDOW_S, MIN_RETRY_MS, LimitSettings, RequestLimits
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.rates import Rate

SMALL = LimitSettings(reads=Rate(10, 5), writes=Rate(1, 2), others=Rate(0.1, 1), messages=Rate(10, 20), max_refused=3)


def allowed(limits: RequestLimits, action: str, now_s: float, tries: int = 50) -> int:
    return sum(limits.check(action, now_s) is None for _ in range(tries))


def test_each_kind_of_method_has_a_bucket_of_its_own() -> None:
    limits = RequestLimits(SMALL, 0)
    assert allowed(limits, "read", 0) == 5
    assert allowed(limits, "write", 0) == 2
    assert allowed(limits, "execute", 0) == 1
    assert allowed(limits, "anything", 0) == 0
    assert allowed(limits, "read", 0.2) == 2


def test_a_refusal_says_when_to_come_back() -> None:
    limits = RequestLimits(SMALL, 0)
    assert allowed(limits, "execute", 0, 1) == 1
    refused = limits.check("execute", 0)
    assert refused is not None
    assert refused.code is Code.RATE_LIMITED
    assert int(refused.code) == 4004
    assert refused.info.retryable
    assert refused.retry_after_ms == 10_000
    allowed(limits, "read", 0)
    soon = limits.check("read", 0)
    assert soon is not None
    assert soon.retry_after_ms == MIN_RETRY_MS


def test_what_can_never_be_is_not_promised_for_later() -> None:
    limits = RequestLimits(LimitSettings(reads=Rate(10, 0.5)), 0)
    refused = limits.check("read", 0)
    assert refused is not None
    assert refused.retry_after_ms is None


def test_many_refusals_within_ten_seconds_are_abuse() -> None:
    limits = RequestLimits(SMALL, 0)
    assert allowed(limits, "write", 0, 2 + 3) == 2
    assert not limits.abusive(0)
    limits.check("write", 0.5)
    assert limits.abusive(0.5)
    assert limits.abusive(ABUSE_WINDOW_S - 0.001)
    assert not limits.abusive(ABUSE_WINDOW_S)


@given(st.lists(st.floats(0, 4), max_size=60), st.integers(1, 5))
def test_abuse_is_more_refusals_than_allowed_in_the_last_ten_seconds(pauses: list[float], max_refused: int) -> None:
    limits = RequestLimits(LimitSettings(others=Rate(1e-9, 1), max_refused=max_refused), 0)
    limits.check("execute", 0)
    now_s, refused_s = 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        assert limits.check("execute", now_s) is not None
        refused_s.append(now_s)
        recent = [when_s for when_s in refused_s if now_s - when_s < ABUSE_WINDOW_S]
        assert limits.abusive(now_s) is (len(recent) > max_refused)


def test_where_no_number_is_set_nothing_is_abuse() -> None:
    limits = RequestLimits(LimitSettings(writes=Rate(1, 1), max_refused=0), 0)
    allowed(limits, "write", 0, 10_000)
    assert not limits.abusive(0)


def test_messages_of_any_kind_count_and_only_those_above_the_rate_are_held_against_the_client() -> None:
    limits = RequestLimits(SMALL, 0)
    limits.received(0, 20)
    limits.received(1, 10)
    assert not limits.abusive(1)
    assert limits.check("read", 1) is None
    limits.received(1, 3)
    assert not limits.abusive(1)
    limits.received(1)
    assert limits.abusive(1)


def test_a_client_that_asks_at_full_speed_and_waits_when_told_is_never_abusive() -> None:
    limits, served, end_s = RequestLimits(LimitSettings(), 0), 0, 30.0
    ready_s = [0.0] * 64  # requests that may be under way: when each is free for the next one
    while (now_s := heappop(ready_s)) < end_s:
        refused = limits.check("read", now_s)
        assert not limits.abusive(now_s)
        served += refused is None
        heappush(ready_s, now_s + (0.002 if refused is None else (refused.retry_after_ms or 0) / 1000))
    assert served > 10_000 + 2_000 * (end_s - 2)


def test_all_limits_can_be_switched_off() -> None:
    off = Rate()
    limits = RequestLimits(LimitSettings(messages=off, reads=off, writes=off, others=off), 0)
    limits.received(0, 10_000)
    assert [allowed(limits, action, 0, 1000) for action in ("read", "write", "execute")] == [1000] * 3
    assert not limits.abusive(0)
