"""Verdicts and the table: a wrong one would be believed."""

from __future__ import annotations

import pytest

from .harness import Bar, Figure, percentile
from .report import table


@pytest.mark.parametrize(
    ("bar", "verdict"),
    [
        (None, ""),
        (Bar("≥", 30), "reached"),
        (Bar("≥", 31), "missed"),
        (Bar("≤", 29), "missed"),
        (Bar("≤", 1.5, "ratio"), "reached"),
        (Bar("≤", 1.4, "ratio"), "missed"),
        (Bar("≤", 10, "difference"), "reached"),
        (Bar("≤", 9, "difference"), "missed"),
    ],
)
def test_a_verdict_is_about_medians(bar: Bar | None, verdict: str) -> None:
    assert Figure("x", "s", [1000, 30, 0], "peer", [20, 0, 1000], bar).verdict == verdict


def test_a_peer_may_have_nothing() -> None:
    assert Figure("x", "s", [1], "peer", [0], Bar("≤", 0.5, "ratio")).verdict == "missed"
    assert "peer: 0 | inf" in table({"a": [Figure("x", "s", [1], "peer", [0])]}, {})


def test_the_table_has_failures_too() -> None:
    rows = table({"a": [Figure("x", "s", [3, 1, 2])]}, {"b": "it | broke"}).splitlines()[2:]
    assert rows == ["| a | x | 2 s (1 to 3) |  |  |  |  |", "| b | it / broke | | | | | failed |"]


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert [percentile([3, 1, 2], p) for p in (0, 50, 99, 100)] == [1, 2, 3, 3]
