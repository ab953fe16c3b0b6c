"""The clients of terminals, however the stream is cut: what they miscount, a benchmark would report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import terminal

from .terminal_wire import BINARY, WHOLE_BYTES, BinarySpeaker, Frame, FrameWalker, Speaker, TtydSpeaker, speaker
from .test_wire import pieces, server_frame
from .wire import client_frame

WELCOME = terminal.Welcome("0" * 32, start=7, head=7, accepted=3, input_limit=5, rows=24, columns=80, window=80)


def binary_frame(frame: terminal.ServerFrame) -> bytes:
    return server_frame(terminal.encode(frame))


@given(st.lists(st.sampled_from([0, 1, 125, 126, 1024, 1025, 65536, 70000]), max_size=6), st.lists(st.integers(0)))
def test_frames_are_found_however_the_stream_is_cut(sizes: list[int], cuts: list[int]) -> None:
    walker, found = FrameWalker(), list[Frame]()
    for piece in pieces(b"".join(server_frame(bytes(size)) for size in sizes), cuts):
        found += walker.feed(piece)
    assert [frame.size for frame in found] == sizes
    assert all(len(frame.payload) == frame.size for frame in found if frame.size <= WHOLE_BYTES)


def test_output_is_counted_and_acknowledged_after_an_eighth_of_the_window() -> None:
    client = BinarySpeaker()
    client.feed(binary_frame(WELCOME))
    assert client.feed(binary_frame(terminal.Data(b"x" * 9))) == b""
    assert client.feed(binary_frame(terminal.Data(b"y"))) == client_frame(BINARY, terminal.encode(terminal.Ack(17)))
    assert (client.output_bytes, client.last, client.settle()) == (10, b"y", b"")


def test_input_keeps_to_the_limit() -> None:
    client = BinarySpeaker()
    assert client.type(b"a") == b""
    assert client.feed(binary_frame(WELCOME)) == client_frame(BINARY, terminal.DATA + b"a")
    assert client.type(b"bcd") == client_frame(BINARY, terminal.DATA + b"b")
    assert client.feed(binary_frame(terminal.InputAck(5, 9))) == client_frame(BINARY, terminal.DATA + b"cd")


def test_each_dialect_has_its_output() -> None:
    for client, payload in ((speaker("json"), b'["stdout", "k"]'), (speaker("ttyd"), b"0k")):
        client.feed(server_frame(payload))
        assert (client.output_bytes, client.last, client.frames) == (1, b"k", 1)


def test_what_is_no_output_is_not_counted() -> None:
    for client, payload in ((Speaker(), b'["setup", {}]'), (TtydSpeaker(), b"1title")):
        client.feed(server_frame(payload))
        assert (client.output_bytes, client.ended) == (0, False)


def test_the_end_is_seen() -> None:
    client = BinarySpeaker()
    client.feed(binary_frame(terminal.Exit(0, 0, 0)))
    other = Speaker()
    other.feed(server_frame(b'["disconnect", 1]'))
    assert (client.ended, other.ended) == (True, True)
