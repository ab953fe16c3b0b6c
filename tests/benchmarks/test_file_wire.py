"""The frames of the raw file client: what it sends wrongly, or takes for sent, a benchmark would report as speed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codec import CHUNK_HEADER, decode_chunk

from .file_wire import CHROMIUM_FRAGMENT_BYTES, KEY, Cycle, Heard, ServerFrames, fragments, masked


def client_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The first byte of each frame, and its payload unmasked byte by byte."""
    at = 0
    while at < len(data):
        first, length = data[at], data[at + 1]
        assert length & 0x80, "a client's frames are masked"
        size, at = length & 0x7F, at + 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at : at + width]), at + width
        key, at = data[at : at + 4], at + 4
        yield first, bytes(byte ^ key[i % 4] for i, byte in enumerate(data[at : at + size]))
        at += size
    assert at == len(data)


def messages(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    whole = b""
    for first, payload in client_frames(data):
        assert (first & 15) == (2 if whole == b"" else 0)
        whole += payload
        if first & 0x80:
            found.append(whole)
            whole = b""
    assert whole == b""
    return found


@given(st.binary(max_size=100))
def test_a_mask_is_that_of_the_key(data: bytes) -> None:
    assert masked(data) == bytes(byte ^ KEY[i % 4] for i, byte in enumerate(data))


@given(
    st.binary(min_size=1, max_size=700), st.integers(17, 200), st.sampled_from([0, 24, 100]), st.integers(0, 1 << 40)
)
def test_a_cycle_brings_every_byte_where_it_belongs(period: bytes, size: int, fragment: int, offset: int) -> None:
    cycle = Cycle(period, size, fragment)
    cycle.begin(7)
    cycle.begin(offset)
    piece = cycle.messages(0, len(period))
    assert piece.content_bytes == len(period)
    at, came = offset, b""
    for message in messages(bytes(piece.wire)):
        assert CHUNK_HEADER.size < len(message) <= size
        chunk = decode_chunk(message)
        assert chunk.byte_offset == at
        at += len(chunk.payload)
        came += chunk.payload
    assert came == period


@given(st.integers(17, 60), st.lists(st.integers(0, 300), max_size=8))
def test_no_message_goes_beyond_the_limit_and_none_is_left_out(size: int, limits: list[int]) -> None:
    period = bytes(range(250))
    cycle, at, came = Cycle(period, size), 0, b""
    for limit in [*limits, len(period)]:
        piece = cycle.messages(at, limit)
        assert piece.content_bytes == 0 or at + piece.content_bytes <= limit
        came += b"".join(decode_chunk(message).payload for message in messages(bytes(piece.wire)))
        at += piece.content_bytes
        assert at == len(came)
    assert came == period


def test_large_messages_are_cut_as_chromium_does() -> None:
    message = bytes(1 << 20)
    frames = list(client_frames(b"".join(fragments(message, CHROMIUM_FRAGMENT_BYTES))))
    assert [first for first, _ in frames] == [0x02, *[0x00] * 7, 0x80]
    assert {len(payload) for _, payload in frames[:-1]} == {131_000}


def server_frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    return (
        struct.pack(">BBH", first, 126, size) if size < 1 << 16 else struct.pack(">BBQ", first, 127, size)
    ) + payload


@given(
    st.lists(st.tuples(st.sampled_from([0x81, 0x82, 0x88]), st.sampled_from([0, 1, 125, 126, 300, 65535, 65536]))),
    st.lists(st.integers(0)),
)
def test_what_the_server_says_is_heard_however_it_is_cut(frames: list[tuple[int, int]], cuts: list[int]) -> None:
    sent = [(first & 15, bytes([number % 251]) * size) for number, (first, size) in enumerate(frames)]
    data = b"".join(server_frame(0x80 | opcode, payload) for opcode, payload in sent)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    walker, heard, part = ServerFrames(), [], b""
    for start, end in pairwise(at):
        for found in walker.feed(memoryview(data)[start:end]):
            part += found.data
            if found.last:
                heard.append((found.opcode, part))
                part = b""
    assert heard == sent


def test_the_parts_of_a_frame_come_as_they_arrive() -> None:
    walker, data = ServerFrames(), server_frame(0x82, b"abcdef")
    assert [bytes(part.data) for part in walker.feed(memoryview(data)[:4])] == [b"ab"]
    assert list(walker.feed(memoryview(data)[4:])) == [Heard(2, memoryview(b"cdef"), True)]
