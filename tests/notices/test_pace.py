"""How often an update is told."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.notices.pace import LEAST_S, MOST_S, Pace


@pytest.mark.parametrize(
    ("began_s", "told_s", "goes_on", "expected"),
    [
        (100, 100, True, LEAST_S),
        (100, 100, False, LEAST_S),
        (99.9, 99.9, False, LEAST_S - 0.1),
        (0, 99, True, 0),
        (0, 99.5, True, 0.5),
        (0, 99.5, False, 0),
        (-86400, 100, True, MOST_S),
        (-86400, 100, False, LEAST_S),
    ],
)
def test_an_update_waits_longer_the_longer_it_goes_on_but_never_long_for_an_end(
    began_s: float, told_s: float, goes_on: bool, expected: float
) -> None:
    assert Pace(began_s, told_s).wait_s(100, goes_on=goes_on) == pytest.approx(expected)


def test_a_day_of_progress_is_no_more_than_some_thousand_updates() -> None:
    now_s, updates, pace = 0.0, 0, Pace(0, 0)
    while now_s < 86400:
        now_s += max(pace.wait_s(now_s, goes_on=True), 0.01)
        pace, updates = Pace(0, now_s), updates + 1
    assert updates < 20_000
