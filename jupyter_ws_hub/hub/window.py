"""The send window of one connection: how much normal and bulk data may be under way that the client has not consumed.

Kernel and proxy buffers would otherwise take megabytes, and an urgent message would wait behind them. The window is
what the path carries in its round trip, a quarter of it and 10 ms more: the rate is measured as in BBR (Cardwell et
al. 2016, delivery rate and smallest round trip), so that little queues and a fast line is not held back. It knows no
clock: times are arguments.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from ..protocol.codes import Code
from ..protocol.errors import RemoteProtocolError

MIN_WINDOW_BYTES: Final = 64 * 1024
MAX_WINDOW_BYTES: Final = 8 * 1024 * 1024
QUEUE_S: Final = 0.01
"""How long what the window lets through may queue on its way."""

GAIN: Final = 1.25
"""More than a round trip, so that the window grows until the path is full, also where 10 ms are little."""

RATE_DECAY: Final = 0.95
"""The measured rate forgets so much per acknowledgement: a line that has become slower is believed soon."""


class _Frame(NamedTuple):
    data_bytes: int
    sent_s: float
    consumed_before: int
    consumed_before_s: float


class SendWindow:
    """Counts frames out and acknowledged."""

    def __init__(self, now_s: float) -> None:
        """Nothing was sent yet."""
        self._unacked: deque[_Frame] = deque()
        self._acked_frames = 0
        self._under_way_bytes = 0
        self._consumed_bytes = 0
        self._consumed_s = now_s
        self._rate = 0.0
        self._round_trip_s = float("inf")

    @property
    def size_bytes(self) -> int:
        """How much may be under way now."""
        if not self._rate:
            return MIN_WINDOW_BYTES
        wanted = self._rate * (QUEUE_S + GAIN * self._round_trip_s)
        return int(min(max(wanted, MIN_WINDOW_BYTES), MAX_WINDOW_BYTES))

    @property
    def room_bytes(self) -> int:
        """How much more may go out before the client has consumed some; one envelope may go beyond."""
        return self.size_bytes - self._under_way_bytes

    def sent(self, data_bytes: int, now_s: float) -> None:
        """A frame has gone out, with so many bytes of normal and bulk data."""
        if not self._under_way_bytes:
            self._consumed_s = now_s  # an idle line says nothing about its rate
        self._under_way_bytes += data_bytes
        self._unacked.append(_Frame(data_bytes, now_s, self._consumed_bytes, self._consumed_s))

    def acknowledge(self, frames: int, now_s: float) -> bool:
        """The client has consumed the first `frames` frames; whether that is news. A late one is harmless.

        Raises:
            RemoteProtocolError: so many were never sent.
        """
        if frames > self._acked_frames + len(self._unacked):
            raise RemoteProtocolError(
                Code.BAD_FRAME,
                f"{frames} frames were acknowledged; {self._acked_frames + len(self._unacked)} were sent.",
            )
        news = frames > self._acked_frames
        last = None
        while self._acked_frames < frames:
            last = self._unacked.popleft()
            self._acked_frames += 1
            self._under_way_bytes -= last.data_bytes
            self._consumed_bytes += last.data_bytes
        if last is not None and last.data_bytes:
            self._measure(last, now_s)
        return news

    def _measure(self, frame: _Frame, now_s: float) -> None:
        took_s = max(now_s - frame.consumed_before_s, 1e-6)
        sample = (self._consumed_bytes - frame.consumed_before) / took_s
        self._rate = max(sample, self._rate * RATE_DECAY)
        self._round_trip_s = min(now_s - frame.sent_s, self._round_trip_s)
        self._consumed_s = now_s
