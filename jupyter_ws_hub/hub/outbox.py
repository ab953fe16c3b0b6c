"""The bounded send queue of one connection: four lanes of encoded envelopes, packed into frames.

Control goes first; the other lanes share by weight (start-time fair queueing, Goyal, Vin and Cheng 1996): each lane has
a tag that grows by the bytes it sent over its weight, and the lane with the smallest tag is next. A lane that was idle
begins at the others' tag, so what a person waits for is in the next frame, and no lane starves. It knows no socket: the
writer takes a frame, sends it, and only then takes the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from ..protocol.codec import OUTBOUND_FRAME_BYTES, join_frame
from .declare import Lane

WEIGHTS: Final = {Lane.INTERACTIVE: 8, Lane.NORMAL: 4, Lane.BULK: 1}
BULK_FRAME_BYTES: Final = 32 * 1024
"""At most this much bulk goes into one frame, unless one envelope alone is larger."""

_BRACKETS: Final = 1
"""A frame's brackets and commas are one byte more than one per envelope."""


class OutboxFull(Exception):
    """Even what must not be dropped does not fit any more: the peer does not read."""


class Outbox:
    """Envelopes on their way out. `put` never waits; senders of much ask for `room` first."""

    def __init__(self, max_bytes: int) -> None:
        """Hold `max_bytes` of normal and bulk data, and as much again of control and interactive messages."""
        self._lanes: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._tags = dict.fromkeys(WEIGHTS, 0.0)
        self._now = 0.0
        self._max_bytes = max_bytes
        self._data_bytes = 0
        self._urgent_bytes = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = False

    @property
    def queued_bytes(self) -> int:
        """How much waits in all lanes."""
        return self._data_bytes + self._urgent_bytes

    def has_room(self) -> bool:
        """Whether normal and bulk data may be put in without waiting."""
        return self._data_bytes < self._max_bytes

    async def room(self) -> None:
        """Wait until `has_room`, or until the outbox is closed."""
        while not (self.has_room() or self._closed):
            self._drained.clear()
            await self._drained.wait()

    def fits(self, size: int) -> bool:
        """Whether an urgent envelope of so many bytes may be put in now."""
        return self._urgent_bytes + size <= self._max_bytes

    async def urgent_room(self, size: int) -> None:
        """Wait until an urgent envelope of so many bytes `fits`, or until the outbox is closed."""
        while not (self.fits(size) or self._closed):
            self._drained.clear()
            await self._drained.wait()

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
            if self._data_bytes + size > 2 * self._max_bytes:
                raise OutboxFull
            self._data_bytes += size
        if lane in WEIGHTS and not self._lanes[lane]:
            self._tags[lane] = max(self._tags[lane], self._now)
        self._lanes[lane].append(envelope)
        self._filled.set()

    def close(self, last: bytes | None = None) -> None:
        """Take nothing more; `take` still gives what is queued as control and `last`, then None."""
        if self._closed:
            return
        self._closed = True
        for lane in WEIGHTS:
            self._lanes[lane].clear()
        if last is not None:
            self._lanes[Lane.CONTROL].append(last)
        self._data_bytes = 0
        self._urgent_bytes = sum(map(len, self._lanes[Lane.CONTROL]))
        self._filled.set()
        self._drained.set()

    async def take(self) -> bytes | None:
        """Wait for something to send and give it as one frame; None after `close`, when all is sent."""
        while True:
            frame = self._pack()
            if frame:
                self._drained.set()
                return join_frame(frame)
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()

    def _pack(self) -> list[bytes]:
        frame: list[bytes] = []
        budget = OUTBOUND_FRAME_BYTES - _BRACKETS
        bulk = 0
        while (lane := self._next_lane(bulk)) is not None:
            size = len(self._lanes[lane][0])
            if frame and size + 1 > budget:
                break
            budget -= size + 1
            if lane is Lane.BULK:
                bulk += size
            frame.append(self._pop(lane))
        return frame

    def _next_lane(self, bulk: int) -> Lane | None:
        """The lane whose turn it is, None if none has anything for this frame; `bulk` bytes of it are bulk already."""
        if self._lanes[Lane.CONTROL]:
            return Lane.CONTROL
        waiting = [lane for lane in WEIGHTS if self._lanes[lane]]
        if bulk and Lane.BULK in waiting and bulk + len(self._lanes[Lane.BULK][0]) > BULK_FRAME_BYTES:
            waiting.remove(Lane.BULK)
        return min(waiting, key=lambda lane: (self._tags[lane], lane), default=None)

    def _pop(self, lane: Lane) -> bytes:
        envelope = self._lanes[lane].popleft()
        size = len(envelope)
        if lane in WEIGHTS:
            self._now = max(self._now, self._tags[lane])
            self._tags[lane] += size / WEIGHTS[lane]
        if lane <= Lane.INTERACTIVE:
            self._urgent_bytes -= size
        else:
            self._data_bytes -= size
        return envelope
