"""The outcomes that wait for their client: all of them, until it has them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Lane
from jupyter_ws_hub.hub.outcomes import Outcomes

LANE = Lane.INTERACTIVE


def test_they_are_full_by_count_and_by_bytes_and_still_lose_nothing() -> None:
    few, small = Outcomes(2, 1000), Outcomes(1000, 10)
    for ref in (1, 2):
        assert not few.is_full and not small.is_full
        few.put(ref, LANE, b"x")
        small.put(ref, LANE, b"x" * 5)
    assert few.is_full and small.is_full
    few.put(3, LANE, b"late")
    assert [few.get(ref) is not None for ref in (1, 2, 3)] == [True] * 3


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.lists(st.integers(-1, 25), max_size=4))))
def test_exactly_what_is_settled_is_forgotten(steps: list[tuple[int, int, list[int]]]) -> None:
    outcomes = Outcomes(1 << 30, 1 << 30)
    model: dict[int, bytes] = {}
    for ref, done, also in steps:
        if ref > outcomes.done_ref and ref not in model:
            outcomes.put(ref, LANE, model.setdefault(ref, b"x" * ref))
        forgotten = outcomes.settle(done, also)
        expected = {one for one in model if one <= outcomes.done_ref or one in also}
        assert (set(forgotten), len(forgotten)) == (expected, len(expected))
        for one in expected:
            del model[one]
        assert {one for one in range(30) if outcomes.get(one)} == set(model)
        assert outcomes._bytes == sum(map(len, model.values()))


def test_what_is_settled_never_becomes_less() -> None:
    outcomes = Outcomes(9, 99)
    outcomes.settle(7)
    outcomes.settle(3)
    assert outcomes.done_ref == 7
