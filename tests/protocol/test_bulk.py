"""Data frames that are laid out in a buffer: what a client's WebSocket library takes from it, for every size."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.bulk import BUFFER_BYTES, READ_BYTES, WHOLE_BYTES, lay_out
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_FRAME_BYTES, MAX_CHUNK_PAYLOAD_BYTES, decode_chunk
from tests.support.frames import frames_in


@example(size=0, offset=0)
@example(size=READ_BYTES, offset=2**63)
@given(
    size=st.one_of(
        st.sampled_from([1, 109, 110, MAX_CHUNK_PAYLOAD_BYTES - 1, MAX_CHUNK_PAYLOAD_BYTES, READ_BYTES - 1]),
        st.integers(0, READ_BYTES),
    ),
    offset=st.integers(0, 2**63),
)
def test_a_client_takes_exactly_the_bytes_at_their_places(size: int, offset: int) -> None:
    buffer = memoryview(bytearray(b"\xee" * BUFFER_BYTES))
    payloads, frames = lay_out(buffer, offset, size)
    assert sum(map(len, payloads)) == size
    for number, payload in enumerate(payloads):
        payload[:] = bytes([number + 1]) * len(payload)
    found = [decode_chunk(frame) for frame in frames_in(bytes(frames))]
    at = offset
    for number, chunk in enumerate(found):
        assert chunk.byte_offset == at
        assert chunk.payload == bytes([number + 1]) * len(chunk.payload)
        at += len(chunk.payload)
    assert at == offset + size
    assert all(len(chunk.payload) == MAX_CHUNK_PAYLOAD_BYTES for chunk in found[:-1])


def test_a_whole_frame_is_as_long_as_told_and_is_never_split_by_browsers() -> None:
    _, frames = lay_out(memoryview(bytearray(BUFFER_BYTES)), 0, MAX_CHUNK_PAYLOAD_BYTES)
    assert len(frames) == WHOLE_BYTES
    (frame,) = frames_in(bytes(frames))
    assert len(frame) == MAX_CHUNK_FRAME_BYTES == 65_536


@pytest.mark.parametrize("size", [-1, READ_BYTES + 1])
def test_more_than_the_buffer_has_room_for_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="room"):
        lay_out(memoryview(bytearray(BUFFER_BYTES)), 0, size)
