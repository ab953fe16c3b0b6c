"""The bounded send queue of one connection: four lanes of encoded envelopes, packed into frames.

Control goes first; the other lanes share by weight (start-time fair queueing, Goyal, Vin and Cheng 1996): each lane has
a tag that grows by the bytes it sent over its weight, and the lane with the smallest tag is next. A lane that was idle
begins at the others' tag, so what a person waits for is in the next frame, and no lane starves. Normal and bulk data
also need an open send window. It knows no socket: the writer takes a frame, sends it, and only then takes the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from ..protocol.codec import OUTBOUND_FRAME_BYTES, join_frame
from .declare import Lane
from .window import SendWindow

WEIGHTS: Final = {Lane.INTERACTIVE: 8, Lane.NORMAL: 4, Lane.BULK: 1}
BULK_FRAME_BYTES: Final = 32 * 1024
"""At most this much bulk goes into one frame, unless one envelope alone is larger."""

BULK_PART: Final = 8
"""Bulk may have this part of what normal and bulk data together may have waiting."""

_BRACKETS: Final = 1
"""A frame's brackets and commas are one byte more than one per envelope."""

_DATA: Final = (Lane.NORMAL, Lane.BULK)


class OutboxFull(Exception):
    """Even what must not be dropped does not fit any more: the peer does not read."""


class Outbox:
    """Envelopes on their way out. `put` never waits; senders of much ask for `room` first.

    What is put in may also be several envelopes joined by commas, up to the size of a frame: they are taken as one.
    """

    def __init__(self, max_bytes: int, monotonic: Callable[[], float], on_ready: Callable[[], None]) -> None:
        """Hold at most `max_bytes`: half for control and interactive messages, half for normal and bulk data.

        `on_ready` is called whenever `frame` may have something to give.
        """
        self._lanes: dict[Lane, deque[bytes]] = {}
        self._tags = dict.fromkeys(WEIGHTS, 0.0)
        self._taken = dict.fromkeys(Lane, 0)
        self._now = 0.0
        self._monotonic = monotonic
        self._on_ready = on_ready
        self._half_bytes = max_bytes // 2
        self._data_bytes = 0
        self._bulk_bytes = 0
        self._urgent_bytes = 0
        self._window = SendWindow(monotonic())
        self._drained: asyncio.Event | None = None
        self._closed = False

    @property
    def queued_bytes(self) -> int:
        """How much waits in all lanes."""
        return self._data_bytes + self._urgent_bytes

    def taken_bytes(self, lane: Lane) -> int:
        """How many bytes of a lane have gone out so far; of normal and bulk data only if the client acknowledges."""
        return self._taken[lane]

    @property
    def is_done(self) -> bool:
        """Closed, and all that was to be sent was taken."""
        return self._closed and not self.queued_bytes

    @property
    def piece_bytes(self) -> int:
        """How large pieces of data should be at most, so that some find room."""
        return self._half_bytes // 4

    def has_room(self, size: int = 0) -> bool:
        """Whether normal and bulk data may be put in without waiting: half of their half is free, and `size` fits."""
        return 2 * self._data_bytes < self._half_bytes and self._data_bytes + size <= self._half_bytes

    def has_bulk_room(self) -> bool:
        """As `has_room` for bulk, which gets a small part: it would take the room of normal data, and so its share."""
        return BULK_PART * self._bulk_bytes < self._half_bytes and self.has_room()

    async def room(self) -> None:
        """Wait until `has_room`, or until the outbox is closed."""
        while not (self.has_room() or self._closed):
            await self._drain()

    async def bulk_room(self) -> None:
        """Wait until `has_bulk_room`, or until the outbox is closed."""
        while not (self.has_bulk_room() or self._closed):
            await self._drain()

    def fits(self, size: int) -> bool:
        """Whether an urgent envelope of so many bytes may be put in now."""
        return self._urgent_bytes + size <= self._half_bytes

    async def urgent_room(self, size: int) -> None:
        """Wait until an urgent envelope of so many bytes `fits`, or until the outbox is closed."""
        while not (self.fits(size) or self._closed):
            await self._drain()

    async def _drain(self) -> None:
        if self._drained is None:
            self._drained = asyncio.Event()
        await self._drained.wait()

    def _wake(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def put(self, lane: Lane, envelope: bytes) -> None:
        """Add an envelope at the end of its lane; dropped if the outbox is closed.

        Raises:
            OutboxFull: the lane's limit is reached; the connection has to end.
        """
        if self._closed:
            return
        size = len(envelope)
        if lane <= Lane.INTERACTIVE:
            if not self.fits(size):
                raise OutboxFull
            self._urgent_bytes += size
        else:
            if self._data_bytes + size > self._half_bytes:
                raise OutboxFull
            self._data_bytes += size
            self._bulk_bytes += size * (lane is Lane.BULK)
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = deque()
        if not queue and lane in WEIGHTS:
            self._tags[lane] = max(self._tags[lane], self._now)
        queue.append(envelope)
        self._on_ready()

    def acknowledge(self, frames: int) -> None:
        """The client has consumed the first `frames` frames.

        Raises:
            RemoteProtocolError: so many were never sent.
        """
        if self._window.acknowledge(frames, self._monotonic()) and self._data_bytes:
            self._on_ready()

    def close(self, last: bytes | None = None) -> None:
        """Take nothing more; `frame` still gives what is queued as control and `last`."""
        if self._closed:
            return
        self._closed = True
        for lane in WEIGHTS:
            self._lanes.pop(lane, None)
        if last is not None:
            self._lanes.setdefault(Lane.CONTROL, deque()).append(last)
        self._data_bytes = self._bulk_bytes = 0
        self._urgent_bytes = sum(map(len, self._lanes.get(Lane.CONTROL, ())))
        self._wake()
        self._on_ready()

    def frame(self) -> bytes | None:
        """The next frame to send, None if there is nothing to be sent now."""
        envelopes, data_bytes = self._pack()
        if not envelopes:
            return None
        self._window.sent(data_bytes, self._monotonic())
        self._wake()
        return join_frame(envelopes)

    def _pack(self) -> tuple[list[bytes], int]:
        envelopes: list[bytes] = []
        budget = OUTBOUND_FRAME_BYTES - _BRACKETS
        bulk = data = 0
        allowed = self._window.room_bytes
        while (lane := self._next_lane(bulk, data < allowed)) is not None:
            size = len(self._lanes[lane][0])
            if envelopes and size + 1 > budget:
                break
            budget -= size + 1
            if lane in _DATA:
                data += size
                bulk += size * (lane is Lane.BULK)
            envelopes.append(self._pop(lane))
        return envelopes, data

    def _next_lane(self, bulk: int, may_data: bool) -> Lane | None:
        """The lane whose turn it is, None if none has anything for this frame; `bulk` bytes of it are bulk already."""
        lanes = self._lanes
        if not lanes:
            return None
        if Lane.CONTROL in lanes:
            return Lane.CONTROL
        waiting = [lane for lane in lanes if may_data or lane not in _DATA]
        if bulk and Lane.BULK in waiting and bulk + len(lanes[Lane.BULK][0]) > BULK_FRAME_BYTES:
            waiting.remove(Lane.BULK)
        return min(waiting, key=lambda lane: (self._tags[lane], lane), default=None)

    def _pop(self, lane: Lane) -> bytes:
        queue = self._lanes[lane]
        envelope = queue.popleft()
        if not queue:
            del self._lanes[lane]
        size = len(envelope)
        if lane in WEIGHTS:
            self._now = max(self._now, self._tags[lane])
            self._tags[lane] += size / WEIGHTS[lane]
        self._taken[lane] += size
        if lane <= Lane.INTERACTIVE:
            self._urgent_bytes -= size
        else:
            self._data_bytes -= size
            self._bulk_bytes -= size * (lane is Lane.BULK)
        return envelope
