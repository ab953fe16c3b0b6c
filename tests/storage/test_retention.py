"""What a retention does not keep is what the definition says, and no more is looked at than is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.storage.base import LogRetention
from jupyter_ws_hub.storage.retention import Surplus, Totals, surplus

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW_MS: Final = 100_000
SIZES_TIMES: Final = st.lists(st.tuples(st.none() | st.integers(0, 50), st.integers(0, NOW_MS)), max_size=30)

Messages = list[tuple[int | None, int]]


def totals_of(messages: Messages) -> Totals:
    """What a log knows whose messages were added one by one and some then compacted."""
    totals = Totals()
    for size, time_ms in messages:
        totals = totals.plus([(size or 0, time_ms)])
    return totals.minus(sum(size is None for size, _ in messages), 0)


@UNHURRIED
@given(SIZES_TIMES, st.integers(0, 40), st.integers(0, 500), st.integers(0, 90), st.integers(1, 30))
def test_what_is_kept_is_the_longest_end_within_all_limits(
    messages: Messages, count: int, total: int, age_s: int, enough: int
) -> None:
    retention = LogRetention(count, total, age_s)
    found = surplus(messages, totals_of(messages), retention, NOW_MS)

    def fits(kept: Messages) -> bool:
        young = all(time_ms >= NOW_MS - age_s * 1000 for _, time_ms in kept)
        sizes = [size for size, _ in kept if size is not None]
        return len(sizes) <= count and sum(sizes) <= total and young

    assert fits(messages[found.number :])
    assert found.number == 0 or not fits(messages[found.number - 1 :])
    sizes = [size for size, _ in messages[: found.number] if size is not None]
    assert (found.kept, found.bytes) == (len(sizes), sum(sizes))
    part = surplus(messages, totals_of(messages), retention, NOW_MS, enough)
    assert part.number == found.number or enough <= part.number < found.number


def test_added_at_once_or_one_by_one_is_the_same() -> None:
    sizes_times = [(3, 50), (4, 10), (0, 90), (5, 60)]
    assert Totals().plus(sizes_times) == totals_of([*sizes_times]) == Totals(4, 12, 90, 40)


@pytest.mark.parametrize(
    ("retention", "looked_at"),
    [(LogRetention(1000, 10**9, 1e9), 1), (LogRetention(990, 10**9, 1e9), 11), (LogRetention(1000, 9_900, 1e9), 11)],
)
def test_no_more_is_looked_at_than_goes(retention: LogRetention, looked_at: int) -> None:
    seen = 0

    def oldest_first() -> Iterator[tuple[int, int]]:
        nonlocal seen
        for time_ms in range(1000):
            seen += 1
            yield 10, time_ms

    totals = Totals().plus((10, time_ms) for time_ms in range(1000))
    assert surplus(oldest_first(), totals, retention, 1000).number == looked_at - 1
    assert seen == looked_at


def test_an_empty_log_has_nothing_to_give() -> None:
    assert surplus([], Totals(), LogRetention(0, 0, 0), NOW_MS) == Surplus()
