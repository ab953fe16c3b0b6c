"""A ring gives back exactly the last bytes, wherever they were split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.terminals.ring import ByteRing


@given(st.integers(1, 40), st.lists(st.binary(max_size=60), max_size=30), st.data())
def test_it_is_the_end_of_all_that_was_appended(capacity: int, pieces: list[bytes], data: st.DataObject) -> None:
    ring = ByteRing(capacity)
    whole = b""
    for piece in pieces:
        ring.append(piece)
        whole += piece
        assert ring.head == len(whole)
        assert ring.start == max(0, len(whole) - capacity)
        assert ring.read(ring.start, capacity) == whole[ring.start :]
        begin = data.draw(st.integers(ring.start, ring.head))
        size = data.draw(st.integers(0, capacity + 5))
        assert ring.read(begin, size) == whole[begin : begin + size]
        found = ring.find(b"a", begin, ring.head)
        assert found == (whole.index(b"a", begin) if b"a" in whole[begin:] else None)


def test_what_is_gone_or_has_not_come_is_not_given() -> None:
    ring = ByteRing(4)
    ring.append(b"abcdef")
    assert ring.read(2, 99) == b"cdef"
    with pytest.raises(IndexError):
        ring.read(1, 1)
    with pytest.raises(IndexError):
        ring.read(7, 1)
    with pytest.raises(ValueError, match="at least one"):
        ByteRing(0)
