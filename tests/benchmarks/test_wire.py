"""The counting of the raw client, with any cut of the stream: what it miscounts, a benchmark would report."""

from __future__ import annotations

import socket
import struct
import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from .wire import BlockingClient, FrameCounter, MarkerCounter, Target, hub_frame


def server_frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x81, size]) + payload
    return (struct.pack(">BBH", 0x81, 126, size) if size < 1 << 16 else struct.pack(">BBQ", 0x81, 127, size)) + payload


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(at)]


@given(st.lists(st.sampled_from([0, 1, 125, 126, 300, 65535, 65536, 70000]), max_size=6), st.lists(st.integers(0)))
def test_frames_are_counted_however_the_stream_is_cut(sizes: list[int], cuts: list[int]) -> None:
    counter = FrameCounter()
    for piece in pieces(b"".join(server_frame(bytes(size)) for size in sizes), cuts):
        counter.feed(piece)
    assert counter.frames == len(sizes)


@given(st.lists(st.sampled_from([b'"type":"event"', b'"type"', b":", b'"event"', b"x"])), st.lists(st.integers(0)))
def test_markers_are_counted_however_the_stream_is_cut(words: list[bytes], cuts: list[int]) -> None:
    data = b"".join(words)
    counter = MarkerCounter(b'"type":"event"')
    for piece in pieces(data, cuts):
        counter.feed(piece)
    assert counter.count == data.count(b'"type":"event"')


def test_a_client_frame_is_masked_with_zeros() -> None:
    assert hub_frame([b"{}", b"{}"]) == b"\x81\x87\x00\x00\x00\x00[{},{}]"


def serve_a_streamed_reply(listener: socket.socket, seen: list[bytes]) -> None:
    """One client: a large frame after its request, the reply only when some of that was acknowledged."""
    connection, _ = listener.accept()
    with connection:
        heard = b""

        def wait_for(marker: bytes, times: int = 1) -> None:
            nonlocal heard
            while heard.count(marker) < times:
                heard += connection.recv(65536) or marker

        wait_for(b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 101 \r\n\r\n")
        wait_for(b'"hello"')
        connection.sendall(server_frame(b'[{"type":"welcome"}]'))
        wait_for(b'"request"')
        connection.sendall(server_frame(b'[{"type":"item","ref":3,"data":"%s"}]' % bytes(70_000)))
        wait_for(b'{"type":"ack"', 2)  # the first one came with the request
        connection.sendall(server_frame(b'[{"type":"reply","ref":3,"result":null,"error":null}]'))
        seen.append(heard)


def test_a_streamed_reply_is_acknowledged_while_it_comes() -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve_a_streamed_reply, args=(listener, seen), daemon=True)
        server.start()
        with BlockingClient(Target(listener.getsockname()[1])) as client:
            assert client.call(3, "files.list").startswith(b"null")
        server.join(10)
    assert seen
