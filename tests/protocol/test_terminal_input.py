"""Input on its way: numbered, bounded, held back, and never lost or doubled but where the text says so."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.terminal import MAX_DATA_BYTES
from jupyter_ws_hub.protocol.terminal_input import BOUND_BYTES, RESERVE_BYTES, InputQueue


def joined(limit: int, *, keys: bool = True) -> InputQueue:
    queue = InputQueue(keys=keys)
    queue.resume(0, limit, fresh=True)
    return queue


def test_nothing_goes_before_the_limit_is_known() -> None:
    queue = InputQueue()
    assert queue.feed(b"abc") == 3
    assert queue.take() == []
    queue.resume(0, 100, fresh=True)
    assert queue.take() == [b"abc"]


def test_a_paste_goes_in_frames_up_to_the_limit() -> None:
    queue = joined(150_000, keys=False)
    queue.feed(bytes(200_000))
    assert [len(payload) for payload in queue.take()] == [MAX_DATA_BYTES, MAX_DATA_BYTES, 150_000 - 2 * MAX_DATA_BYTES]
    queue.acknowledge(100_000, 300_000)
    assert sum(len(payload) for payload in queue.take()) == 50_000


def test_the_limit_may_be_below_what_was_sent() -> None:
    queue = joined(200)
    queue.feed(b"x" * 50)
    queue.take()
    queue.resume(10, 20, fresh=False)
    assert b"".join(queue.take()) == b""
    queue.acknowledge(10, 200)
    assert b"".join(queue.take()) == b"x" * 40


def test_what_is_kept_is_bounded() -> None:
    queue = joined(200)
    assert queue.feed(bytes(BOUND_BYTES + 5)) == BOUND_BYTES
    assert queue.feed(b"x") == 0
    queue.take()
    queue.acknowledge(50, 200)
    assert queue.feed(bytes(100)) == 50


def test_a_signal_has_a_frame_of_its_own_also_when_it_is_sent_again() -> None:
    queue = joined(100)
    for key in (b"ab", b"\x03", b"c", b"\x1a", b"\x1c", b"d"):
        queue.feed(key)
    frames = [b"ab", b"\x03", b"c", b"\x1a", b"\x1c", b"d"]
    assert queue.take() == frames
    queue.resume(1, 100, fresh=False)
    assert queue.take() == [b"b", *frames[1:]]
    queue.resume(4, 100, fresh=False)
    assert queue.take() == frames[3:]


def test_a_signal_inside_a_paste_is_not_alone() -> None:
    queue = joined(100)
    queue.feed(b"a\x03b")
    assert queue.take() == [b"a\x03b"]


def test_a_signal_drops_what_the_limit_holds_back_and_has_room() -> None:
    queue = joined(100)
    queue.feed(b"x" * 500)
    assert b"".join(queue.take()) == b"x" * (100 - RESERVE_BYTES)
    queue.feed(b"\x03")
    queue.feed(b"later")
    assert queue.take() == [b"\x03"]
    queue.acknowledge(101 - RESERVE_BYTES, 200)
    assert queue.take() == [b"later"]


def test_a_signal_drops_nothing_that_the_limit_lets_through() -> None:
    queue = joined(100)
    queue.feed(b"abc")
    queue.feed(b"\x03")
    assert queue.take() == [b"abc", b"\x03"]


def test_signals_beyond_the_reserve_take_the_place_of_one_another() -> None:
    queue = joined(RESERVE_BYTES)
    for _ in range(3 * RESERVE_BYTES):
        queue.feed(b"\x03")
        queue.take()
        assert queue.end >= queue.sent, "what was sent has its number for good"
    assert queue.sent == RESERVE_BYTES and queue.end == RESERVE_BYTES + 1


def test_a_file_has_no_signals() -> None:
    queue = joined(100, keys=False)
    for byte in (b"a", b"\x03", b"b"):
        queue.feed(byte)
    assert queue.take() == [b"a\x03b"]


def test_a_server_that_has_forgotten_the_client_gets_only_what_was_never_sent() -> None:
    queue = joined(100)
    queue.feed(b"sent")
    queue.take()
    queue.feed(b" and not sent")
    queue.feed(b"\x03")
    assert queue.resume(4, 100, fresh=True) == 4
    assert queue.take() == [b" and not sent", b"\x03"]
    assert (queue.accepted, queue.sent) == (4, 18)


@pytest.mark.parametrize("accepted", [1, 7])
def test_a_server_cannot_go_on_where_nothing_was_sent_or_kept(accepted: int) -> None:
    queue = joined(100)
    queue.feed(b"abcdef")
    queue.take()
    queue.acknowledge(2, 100)
    with pytest.raises(RemoteProtocolError) as caught:
        queue.resume(accepted, 100, fresh=False)
    assert caught.value.code is Code.BAD_FRAME


def test_a_server_cannot_acknowledge_what_was_not_sent() -> None:
    queue = joined(100)
    queue.feed(b"ab")
    with pytest.raises(RemoteProtocolError):
        queue.acknowledge(1, 100)


def test_an_old_acknowledgement_does_no_harm() -> None:
    queue = joined(100)
    queue.feed(b"abc")
    queue.take()
    assert queue.acknowledge(3, 200)
    assert not queue.acknowledge(1, 100)
    assert (queue.accepted, queue.limit) == (3, 200)
