"""The bounded send queue of one connection: four lanes of encoded envelopes, packed into frames.

Control goes first; the other lanes share a frame by weight (deficit round robin, Shreedhar and Varghese 1995), so that
bulk never starves and never holds up what a person waits for by more than one frame. It knows no socket: the writer
takes a frame, sends it, and only then takes the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from ..protocol.codec import OUTBOUND_FRAME_BYTES, join_frame
from .declare import Lane

WEIGHTS: Final = {Lane.INTERACTIVE: 8, Lane.NORMAL: 4, Lane.BULK: 1}
QUANTUM_BYTES: Final = 2 * 1024
BULK_FRAME_BYTES: Final = 32 * 1024
"""At most this much bulk goes into one frame."""


class OutboxFull(Exception):
    """Even what must not be dropped does not fit any more: the peer does not read."""


class Outbox:
    """Envelopes on their way out. `put` never waits; senders of much ask for `room` first."""

    def __init__(self, max_bytes: int) -> None:
        """Hold `max_bytes` of normal and bulk data, and as much again of control and interactive messages."""
        self._lanes: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._deficits = dict.fromkeys(WEIGHTS, 0)
        self._max_bytes = max_bytes
        self._data_bytes = 0
        self._urgent_bytes = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
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

    def put(self, lane: Lane, envelope: bytes) -> None:
        """Add an envelope at the end of its lane; dropped if the outbox is closed.

        Raises:
            OutboxFull: the lane's limit is reached; the connection has to end.
        """
        if self._closed:
            return
        size = len(envelope)
        if lane <= Lane.INTERACTIVE:
            if self._urgent_bytes + size > self._max_bytes:
                raise OutboxFull
            self._urgent_bytes += size
        else:
            if self._data_bytes + size > 2 * self._max_bytes:
                raise OutboxFull
            self._data_bytes += size
        self._lanes[lane].append(envelope)
        self._filled.set()

    def close(self, last: bytes | None = None) -> None:
        """Take nothing more; `take` still gives what is queued as control and `last`, then None."""
        if self._closed:
            return
        self._closed = True
        if last is not None:
            self._lanes[Lane.CONTROL].append(last)
        for lane in WEIGHTS:
            self._lanes[lane].clear()
        self._data_bytes = 0
        self._urgent_bytes = sum(map(len, self._lanes[Lane.CONTROL]))
        self._filled.set()
        self._drained.set()

    async def take(self) -> bytes | None:
        """Wait for something to send and give it as one frame; None after `close`, when all is sent."""
        while True:
            frame = self._pack()
            if frame:
                return join_frame(frame)
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()

    def _pack(self) -> list[bytes]:
        frame: list[bytes] = []
        budget = self._fill(frame, Lane.CONTROL, OUTBOUND_FRAME_BYTES)
        bulk_budget = BULK_FRAME_BYTES
        while budget > 0 and any(self._lanes[lane] for lane in WEIGHTS):
            for lane, weight in WEIGHTS.items():
                queue = self._lanes[lane]
                if not queue:
                    self._deficits[lane] = 0
                    continue
                self._deficits[lane] += weight * QUANTUM_BYTES
                while queue and self._deficits[lane] >= len(queue[0]):
                    size = len(queue[0])
                    share = min(budget, bulk_budget) if lane is Lane.BULK else budget
                    if frame and size > share:
                        return self._done(frame)
                    self._deficits[lane] -= size
                    budget -= size
                    bulk_budget -= size if lane is Lane.BULK else 0
                    frame.append(self._pop(lane))
        return self._done(frame)

    def _fill(self, frame: list[bytes], lane: Lane, budget: int) -> int:
        queue = self._lanes[lane]
        while queue and (not frame or len(queue[0]) <= budget):
            budget -= len(queue[0])
            frame.append(self._pop(lane))
        return budget

    def _pop(self, lane: Lane) -> bytes:
        envelope = self._lanes[lane].popleft()
        if lane <= Lane.INTERACTIVE:
            self._urgent_bytes -= len(envelope)
        else:
            self._data_bytes -= len(envelope)
        return envelope

    def _done(self, frame: list[bytes]) -> list[bytes]:
        if self.has_room():
            self._drained.set()
        return frame
