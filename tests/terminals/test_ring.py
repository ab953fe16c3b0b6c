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


@pytest.mark.parametrize(
    ("size", "begin"),
    [(99, 0), (19, 0), (18, 5), (14, 10), (13, 10), (9, 15), (5, 15), (4, 19), (0, 19)],
)
def test_the_last_lines_are_whole(size: int, begin: int) -> None:
    ring = ByteRing(100)
    ring.append(b"one.\ntwo.\nsix.\nend\n")
    assert ring.last_lines(size) == begin


def test_where_no_line_ends_any_byte_is_a_beginning() -> None:
    ring = ByteRing(8)
    ring.append(b"x" * 20)
    assert (ring.last_lines(5), ring.last_lines(99)) == (15, 12)
    ring.append(b"\n" + b"y" * 3)
    assert ring.last_lines(99) == 21


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
