"""How much may be under way: bounded on a slow line, not held back on a fast one, whatever the client acknowledges."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.hub.window import MAX_WINDOW_BYTES, MIN_WINDOW_BYTES, QUEUE_S, SendWindow
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError

FRAME = 16_000


class Path:
    """A line with a rate and a round trip: frames queue, and are acknowledged when they have come through."""

    def __init__(self, rate: float, round_trip_s: float) -> None:
        self.now_s = 100.0
        self.window = SendWindow(self.now_s)
        self.rate, self.round_trip_s = rate, round_trip_s
        self.free_s = self.now_s
        self.acks: deque[float] = deque()
        self.delays: list[float] = []
        self.acked = self.under_way = 0

    def run(self, seconds: float) -> int:
        """Send all the window lets through for so long; how many bytes came through."""
        end_s, before = self.now_s + seconds, self.acked
        while self.now_s < end_s:
            while self.window.room_bytes > 0:
                self.window.sent(FRAME, self.now_s)
                self.free_s = max(self.free_s, self.now_s) + FRAME / self.rate
                self.delays.append(self.free_s - self.now_s)
                self.acks.append(self.free_s + self.round_trip_s)
            self.now_s = self.acks.popleft()
            self.acked += 1
            self.window.acknowledge(self.acked, self.now_s)
        return (self.acked - before) * FRAME


@pytest.mark.parametrize("round_trip_s", [0.0005, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("rate", [1e6, 1e7, 5e7])
def test_the_line_is_used_and_its_queue_stays_short(rate: float, round_trip_s: float) -> None:
    path = Path(rate, round_trip_s)
    path.run(5)
    path.delays.clear()
    carried = path.run(5)
    possible = min(rate, MAX_WINDOW_BYTES / (round_trip_s + 0.001))
    assert carried >= 0.8 * 5 * possible
    assert max(path.delays) <= max(2 * QUEUE_S + round_trip_s / 2, 2 * (MIN_WINDOW_BYTES + FRAME) / rate)


def test_a_line_that_becomes_slow_is_believed_soon() -> None:
    path = Path(5e7, 0.02)
    path.run(2)
    path.rate = 1e6
    path.run(10)
    path.delays.clear()
    path.run(3)
    assert max(path.delays) <= 2 * (MIN_WINDOW_BYTES + FRAME) / path.rate


def test_without_an_acknowledgement_only_the_smallest_window_goes_out() -> None:
    window = SendWindow(0.0)
    sent = 0
    while window.room_bytes > 0:
        window.sent(FRAME, 0.0)
        sent += FRAME
    assert MIN_WINDOW_BYTES <= sent < MIN_WINDOW_BYTES + FRAME


def test_frames_without_data_need_no_window() -> None:
    window = SendWindow(0.0)
    for _ in range(10_000):
        window.sent(0, 0.0)
    assert window.room_bytes == MIN_WINDOW_BYTES


@pytest.mark.parametrize("frames", [3, 1 << 62])
def test_a_client_cannot_acknowledge_what_was_never_sent(frames: int) -> None:
    window = SendWindow(0.0)
    window.sent(1, 0.0)
    window.sent(1, 0.0)
    with pytest.raises(RemoteProtocolError) as caught:
        window.acknowledge(frames, 0.0)
    assert caught.value.code is Code.BAD_FRAME


@given(st.lists(st.tuples(st.integers(0, 70_000), st.integers(-3, 400), st.floats(0, 2)), max_size=60))
def test_repeated_late_and_backward_acknowledgements_do_no_harm(steps: list[tuple[int, int, float]]) -> None:
    window, sent, acked, now_s = SendWindow(0.0), [], 0, 0.0
    for data_bytes, frames, passes_s in steps:
        now_s += passes_s
        window.sent(data_bytes, now_s)
        sent.append(data_bytes)
        told = min(frames, len(sent))
        assert window.acknowledge(told, now_s) is (told > acked)
        acked = max(acked, told)
        assert MIN_WINDOW_BYTES <= window.size_bytes <= MAX_WINDOW_BYTES
        assert window.room_bytes == window.size_bytes - sum(sent[acked:])
