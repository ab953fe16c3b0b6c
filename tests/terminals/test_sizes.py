"""A terminal is as small as those need it who really look at it."""

from __future__ import annotations

from jupyter_ws_hub.terminals.sizes import ACTIVE_S, Extent, Vote, smallest

NOW_S = 10_000.0


def vote(rows: int, columns: int, *, visible: bool = True, idle_s: float = 0) -> Vote:
    return Vote(Extent(rows, columns, columns * 10, rows * 20), visible, NOW_S - idle_s)


def test_the_smallest_in_each_direction() -> None:
    assert smallest([vote(24, 80), vote(30, 60)], NOW_S) == Extent(24, 60, 600, 480)
    assert smallest([vote(24, 80)], NOW_S) == Extent(24, 80, 800, 480)


def test_pixels_that_are_not_known_do_not_count() -> None:
    assert smallest([Vote(Extent(24, 80)), vote(30, 90)], NOW_S) == Extent(24, 80, 900, 600)
    assert smallest([Vote(Extent(24, 80))], NOW_S) == Extent(24, 80, 0, 0)


def test_who_is_hidden_does_not_count() -> None:
    assert smallest([vote(10, 10, visible=False), vote(24, 80)], NOW_S) == Extent(24, 80, 800, 480)
    assert smallest([vote(10, 10, visible=False)], NOW_S) is None


def test_who_has_forgotten_the_tab_does_not_count_beside_who_has_not() -> None:
    forgotten = vote(10, 10, idle_s=ACTIVE_S)
    assert smallest([forgotten, vote(24, 80, idle_s=ACTIVE_S - 1)], NOW_S) == Extent(24, 80, 800, 480)
    assert smallest([forgotten, vote(24, 80, idle_s=2 * ACTIVE_S)], NOW_S) == Extent(10, 10, 100, 200)
    assert smallest([forgotten, Vote(Extent(24, 80))], NOW_S) == Extent(24, 80)


def test_who_has_no_size_says_nothing() -> None:
    assert smallest([Vote(Extent(0, 80)), Vote(Extent(24, 0)), vote(30, 90)], NOW_S) == Extent(30, 90, 900, 600)
    assert smallest([], NOW_S) is None
