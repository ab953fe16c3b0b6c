"""Never more than a burst and the rate's share of any span; whoever is refused is told exactly when to come again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.rates import MAX_KEYS, TOLERANCE_S, KeyedRate, Rate, TokenBucket, rate_limited, retry_after_ms

from .support.fakes import FakeClock

RATES = st.builds(Rate, st.floats(0.01, 10_000), st.integers(1, 1_000))
STEPS = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=60)
START_S = 1e6


@given(RATES, STEPS)
def test_no_span_of_time_gives_more_than_the_burst_and_the_rate_s_share(
    rate: Rate, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, START_S)
    now_s, taken = START_S, []
    for pause_s, n in steps:
        now_s += pause_s
        if bucket.take(now_s, n) == 0:
            taken.append((now_s, n))
    for first, (begin_s, _) in enumerate(taken):
        total = 0
        for end_s, n in taken[first:]:
            total += n
            allowed = rate.burst + rate.per_s * (end_s - begin_s + TOLERANCE_S)
            assert total <= allowed * (1 + 1e-9)


@given(RATES, STEPS)
def test_after_the_time_that_is_told_it_is_there_and_a_millisecond_before_it_is_not(
    rate: Rate, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, START_S)
    now_s = START_S
    for pause_s, n in steps:
        now_s += pause_s
        n = min(n, int(rate.burst))
        wait_s = bucket.take(now_s, n)
        if wait_s:
            wait_ms = retry_after_ms(wait_s)
            assert wait_ms is not None and 0 < wait_ms <= math.ceil(n / rate.per_s * 1000)
            assert bucket.take(now_s + (wait_ms - 1) / 1000 - TOLERANCE_S, n) > 0
            now_s += wait_ms / 1000
            assert bucket.take(now_s, n) == 0


@given(RATES)
def test_a_rest_fills_the_bucket_to_its_burst_and_no_further(rate: Rate) -> None:
    bucket, burst = TokenBucket(rate, 0), int(rate.burst)
    for now_s in (0, burst / rate.per_s + 1, 1e9):
        assert [bucket.take(now_s) for _ in range(burst)] == [0.0] * burst
        assert bucket.take(now_s) > 0
        assert bucket.full_at_s() == pytest.approx(now_s + burst / rate.per_s)


def test_the_seconds_to_wait_are_told_exactly() -> None:
    bucket = TokenBucket(Rate(4, 2), 10)
    assert bucket.take(10, 2) == 0
    assert bucket.take(10) == bucket.wait_s(10) == 0.25
    assert bucket.take(10.125) == 0.125
    assert bucket.wait_s(10.25) == bucket.take(10.25) == 0
    assert bucket.take(10.25, 2) == 0.5


def test_more_than_the_burst_is_never_there_and_takes_nothing() -> None:
    bucket = TokenBucket(Rate(1000, 5), 0)
    assert bucket.take(1e6, 6) == math.inf
    assert bucket.take(1e6, 5) == 0
    assert retry_after_ms(math.inf) is None


@pytest.mark.parametrize("rate", [Rate(), Rate(0, 5), Rate(5, 0), Rate.per_minute(0)])
def test_nothing_is_no_limit(rate: Rate) -> None:
    bucket, keyed = TokenBucket(rate, 0), KeyedRate(rate, "things", FakeClock())
    assert {bucket.take(0, 1000) for _ in range(1000)} == {0.0}
    assert {keyed.take("alice", 1000) for _ in range(1000)} == {0.0}
    assert not keyed._buckets


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(Rate(1, 1), 100)
    assert bucket.take(100) == 0
    assert bucket.take(50) == 1
    assert bucket.take(100.5) == 0.5


@pytest.mark.parametrize("rate", [Rate(-1, 1), Rate(1, -1), Rate(math.nan, 1), Rate(1, math.nan), Rate(math.inf, 1)])
def test_a_limit_is_a_number_from_0_on(rate: Rate) -> None:
    with pytest.raises(ValueError, match="bucket"):
        TokenBucket(rate, 0)


def taken(keyed: KeyedRate, key: str = "alice", tries: int = 1000) -> int:
    """How many are taken before one is refused."""
    for number in range(tries):
        try:
            keyed.require(key)
        except HubError:
            return number
    return tries


def test_half_a_minutes_worth_may_come_at_once_and_then_at_the_steady_pace() -> None:
    clock = FakeClock()
    keyed = KeyedRate(Rate.per_minute(60), "messages", clock)
    assert taken(keyed) == 30
    for _ in range(10):
        clock.advance(1)
        assert taken(keyed) == 1
    clock.advance(1000)
    assert taken(keyed) == 30


def test_even_the_smallest_rate_lets_one_through() -> None:
    assert taken(KeyedRate(Rate.per_minute(0.01), "messages", FakeClock())) == 1


def test_who_is_refused_is_told_when_there_is_room() -> None:
    clock = FakeClock()
    keyed = KeyedRate(Rate.per_minute(120), "messages", clock)
    taken(keyed)
    with pytest.raises(HubError, match="Too many messages") as caught:
        keyed.require("alice")
    assert caught.value.code is Code.RATE_LIMITED and caught.value.retry_after_ms == 500
    assert keyed.wait_s("alice") == 0.5 and keyed.wait_s("bob") == 0
    clock.advance(0.5)
    keyed.require("alice")


def test_a_refusal_may_say_to_come_later_than_needed_and_promises_nothing_that_never_is() -> None:
    assert [rate_limited("Wait.", wait_s, 100).retry_after_ms for wait_s in (0.05, 0.2, math.inf)] == [100, 200, None]


def test_each_key_has_a_limit_of_its_own() -> None:
    keyed = KeyedRate(Rate.per_minute(60), "messages", FakeClock())
    assert taken(keyed, "alice") == taken(keyed, "bob") == 30


def test_who_rests_is_forgotten_and_who_has_taken_much_is_not() -> None:
    clock = FakeClock()
    keyed = KeyedRate(Rate.per_minute(60), "messages", clock)
    taken(keyed, "greedy")
    for number in range(MAX_KEYS // 2):
        keyed.require(f"early{number}")
    clock.advance(2)
    for number in range(MAX_KEYS):
        keyed.require(f"late{number}")
        assert len(keyed._buckets) <= MAX_KEYS
    assert not any(key.startswith("early") for key in keyed._buckets)
    assert taken(keyed, "greedy") == 2


@given(st.lists(st.tuples(st.integers(0, 2 * MAX_KEYS), st.floats(0, 0.1)), max_size=300))
def test_it_never_grows_without_a_bound_and_no_key_gets_more_while_all_fit(steps: list[tuple[int, float]]) -> None:
    clock, rate = FakeClock(), Rate(1, 3)
    keyed = KeyedRate(rate, "messages", clock)
    begin_s, taken_by = clock(), dict[int, int]()
    for user, pause_s in steps:
        clock.advance(pause_s)
        taken_by[user] = taken_by.get(user, 0) + (keyed.take(str(user)) == 0)
        assert taken_by[user] <= rate.burst + rate.per_s * (clock() - begin_s) + 1e-5
        assert len(keyed._buckets) <= MAX_KEYS
