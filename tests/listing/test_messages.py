"""Frames between server and helper survive any split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.listing.messages import FailedBody, Frame, Kind, Unpacker, pack

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=50)))


@given(FRAMES, st.integers(1, 20))
def test_frames_come_whole_in_their_order_however_they_are_cut(frames: list[Frame], size: int) -> None:
    data = b"".join(pack(*frame) for frame in frames)
    unpacker = Unpacker()
    got = [frame for at in range(0, len(data), size) for frame in unpacker.feed(data[at : at + size])]
    assert got == frames


def test_a_body_is_json() -> None:
    (frame,) = Unpacker().feed(pack(Kind.FAILED, 3, FailedBody(2)))
    assert frame == Frame(Kind.FAILED, 3, b'{"errno":2}')
