"""One subscription of one connection: where it stands in the log, and how it gets from there to now.

The cursor is the offset up to which the client was served. A live subscription takes events as they are published;
one that lies behind (just subscribed, slow, or facing a gap) reads the log in pages until the cursor is at the head,
and becomes live in the same step of the event loop in which that is seen: no event can fall between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from ..protocol.codec import encode
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Lagging, Live, Position, PositionMoved, Subscribed
from ..storage.base import Head, Record, TopicLog
from .outbox import Outbox, OutboxFull
from .topic_state import PIECE_BYTES, Batch, LatestValue, TopicState

PAGE = 16
MAX_PAGE = 512
"""Messages read from the log at a time: at first, and at most."""

PAGE_BYTES = 128 * 1024

KEPT_BYTES = 256 * 1024
"""So much is kept for a client that is held, of what no log keeps; for more than that a snapshot stands."""

ENVELOPE_BYTES = 200
"""About what an envelope adds to its data."""


def why_reset(since: Position, head: Head, anchor: str | None, max_replay: int) -> str | None:
    """Say why a replay from `since` cannot be complete, None if it can.

    `anchor` is the id that the log has at `since.offset` (None: not kept). Reasons: `epoch`, the log is another one;
    `ahead`, the log has lost messages that the client saw; `trimmed`; `too_far`, more than `max_replay` messages
    behind; `anchor`, the offset was handed out twice.
    """
    if since.epoch != head.epoch:
        return "epoch"
    if since.offset > head.offset:
        return "ahead"
    if since.offset < head.floor:
        return "trimmed"
    if head.offset - since.offset > max_replay:
        return "too_far"
    if since.offset == head.floor:
        anchor = head.floor_id
    if anchor is None:
        return "trimmed"  # since the head was looked at
    return None if anchor == since.id else "anchor"


def cut(records: Sequence[Record], piece_bytes: int) -> Iterator[Sequence[Record]]:
    """Cut records into runs whose envelopes have at most about `piece_bytes` together, or are one."""
    start = size = 0
    for end, record in enumerate(records):
        more = len(record.data) + ENVELOPE_BYTES
        if end > start and size + more > piece_bytes:
            yield records[start:end]
            start, size = end, 0
        size += more
    if records:
        yield records[start:]


class Subscription:
    """A connection's view of a topic."""

    def __init__(
        self,
        state: TopicState,
        outbox: Outbox,
        log: TopicLog,
        on_reset: Callable[[Subscription, str], Awaitable[None]],
        on_failure: Callable[[HubError], None],
        on_recheck: Callable[[Subscription], None],
    ) -> None:
        """`on_reset` tells the client of a reset and sets the cursor anew; `on_failure` ends the connection.

        `on_recheck` begins to ask whether the client may still follow, and then calls `release` or `stop`.
        """
        self.state = state
        self.cursor = 0
        self._outbox = outbox
        self._log = log
        self._on_reset = on_reset
        self._on_failure = on_failure
        self._on_recheck = on_recheck
        self._free = asyncio.Event()
        self._free.set()
        self.unasked = False
        """Whether it was held since it was last begun to be asked whether the client may follow."""
        self._kept: list[Batch] = []
        """What has come without a log while it was held."""
        self._kept_bytes = 0
        self.stopped = False
        self._live = False
        self._renewed = False
        self._seen_batch = 0
        self._page = PAGE
        self._piece_bytes = min(PIECE_BYTES, outbox.piece_bytes)
        self._replay: asyncio.Task[None] | None = None
        # From the beginning, so that the topic is not forgotten while the subscription is being answered.
        state.subscribers.add(self)

    def put(self, envelope: bytes) -> None:
        """Send an envelope in the topic's lane, so that it keeps its place among the events."""
        try:
            self._outbox.put(self.state.spec.lane, envelope)
        except OutboxFull:
            self._on_failure(HubError(Code.SLOW_CONSUMER, "The connection does not take what it is sent."))

    def start(self, cursor: int) -> None:
        """Begin after `cursor`: replay if the topic is further, else live at once."""
        if not self.stopped:
            self.cursor = cursor
            self._begin_replay()

    async def start_unlogged(self, ref: int | None) -> None:
        """Begin with the latest values, on a topic without a log, and go on with what comes now.

        Raises:
            HubError: as the service says that is asked for the values.
        """
        async with self.state.looked_up() as snapshot:
            await self.free()
            if not self.stopped:
                self._send_snapshot(ref, None, snapshot())
                self.put(encode(Live(self.state.name)))
                self._live = True

    def _send_snapshot(self, ref: int | None, reason: str | None, values: Sequence[LatestValue]) -> None:
        """Send the values of now; what was gathered until then is in them, and not to come again."""
        self.state.flush()
        self._seen_batch = self.state.batches
        snapshot = msgspec.Raw(msgspec.json.encode(values))
        status: Literal["ok", "reset"] = "reset" if reason else "ok"
        self.put(encode(Subscribed(ref, self.state.name, status, reason=reason, snapshot=snapshot)))

    def hold(self) -> None:
        """See Subscriber."""
        self.unasked = True
        self._free.clear()

    def recheck(self) -> None:
        """See Subscriber."""
        if not self.stopped:
            self._on_recheck(self)

    def release(self) -> None:
        """The client may still follow: it gets what came meanwhile, from the log where there is one."""
        self._free.set()
        kept, self._kept = self._kept, []
        too_much, self._kept_bytes = self._kept_bytes > KEPT_BYTES, 0
        if self.stopped:
            return
        if too_much:
            self._replay = asyncio.create_task(self._refresh())
        for batch in kept:
            self._offer_unlogged(batch)
        self.catch_up()

    async def free(self) -> None:
        """Wait until it is not held; what is put in the same step of the event loop is put with permission."""
        await self._free.wait()

    async def _room(self) -> None:
        """Wait until something may be sent, in this step of the event loop."""
        await self._outbox.room()
        while not self._free.is_set():
            await self._free.wait()
            await self._outbox.room()

    def stop(self) -> None:
        """Take no more events. Idempotent; a subscription that was stopped cannot start."""
        self.stopped = True
        self._live = False
        self.state.subscribers.discard(self)
        if self._replay is not None:
            self._replay.cancel()

    def offer(self, batch: Batch) -> None:
        """See Subscriber. What does not follow the cursor, or finds no room, is left to the log."""
        if not self._live:
            return
        if batch.first is None or batch.last is None:
            self._offer_unlogged(batch)
        elif not self._free.is_set():
            pass  # the log gives it later
        elif batch.last > self.cursor:
            if batch.first == self.cursor + 1 and self._outbox.has_room(batch.size):
                self.cursor = batch.last
                self._put_all(batch)
            else:
                self.put(encode(Lagging(self.state.name)))
                self._begin_replay()

    def _put_all(self, batch: Batch) -> None:
        for piece in batch.pieces:
            self.put(piece)

    def catch_up(self) -> None:
        """See Subscriber."""
        if self._live and self._free.is_set() and self.cursor < self.state.head:
            self._begin_replay()

    def renew(self) -> None:
        """See Subscriber. One that is not live notices when it is: a reset counts from then."""
        self._renewed = True
        if self._live:
            self._begin_replay()

    def _offer_unlogged(self, batch: Batch) -> None:
        """Without room, one snapshot of the latest values later stands for all events until then."""
        if batch.number <= self._seen_batch or (self._replay is not None and not self._replay.done()):
            return
        if not self._free.is_set():
            self._keep(batch)
        elif self._outbox.has_room():
            self._put_all(batch)
        else:
            self._replay = asyncio.create_task(self._refresh())

    def _keep(self, batch: Batch) -> None:
        self._kept_bytes += batch.size
        if self._kept_bytes <= KEPT_BYTES:
            self._kept.append(batch)
        else:
            self._kept.clear()

    async def _refresh(self) -> None:
        async with self._failing():
            await self._room()
            async with self.state.looked_up() as snapshot:
                await self._room()
                self._send_snapshot(None, "lagging", snapshot())

    def _begin_replay(self) -> None:
        self._live = False
        self._replay = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._failing():
            while self._renewed or self.cursor < self.state.head:
                await self._room()
                if self._renewed:
                    self._renewed = False
                    await self._on_reset(self, "epoch")
                else:
                    await self._send_page()
            self.state.flush()  # the others take what this one has from the log
            self._live = True
            self.put(encode(Live(self.state.name)))

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[None]:
        """What fails ends the connection."""
        try:
            yield
        except HubError as error:
            self._on_failure(error)
        except Exception as bug:  # noqa: BLE001  without an end the subscriber would wait for ever
            failure = HubError(Code.INTERNAL, f"The topic {self.state.name} cannot be read any more.")
            failure.__cause__ = bug
            self._on_failure(failure)

    async def _send_page(self) -> None:
        """Send what follows the cursor, in steps that leave the event loop free."""
        records = await self._log.read(self.state.key, self.cursor, self._page)
        self._adapt(sum(len(record.data) for record in records))
        if (not records or records[0].offset != self.cursor + 1) and not await self._cross(records):
            return
        for piece in cut(records, self._piece_bytes):
            await self._room()
            if self._renewed:
                return
            self.put(b",".join(self._envelopes(piece)))
            await asyncio.sleep(0)

    def _adapt(self, page_bytes: int) -> None:
        """Read more at a time where messages are small, less where they are large: a page has to fit into memory."""
        if page_bytes < PAGE_BYTES:
            self._page = min(2 * self._page, MAX_PAGE)
        else:
            self._page = max(self._page // 4, 1)

    def _envelopes(self, records: Sequence[Record]) -> Iterator[bytes]:
        """Encode what comes next; where messages were compacted away, the next one says after which it comes."""
        for record in records:
            prev = None if record.offset == self.cursor + 1 else self.cursor
            yield self.state.envelope(record, prev)
            self.cursor = record.offset

    async def _cross(self, records: Sequence[Record]) -> bool:
        """What follows the cursor is not there: compacted away, or trimmed, a reset. Whether `records` follow."""
        head = await self._log.head(self.state.key)
        if not head.floor <= self.cursor <= head.offset or (not records and self.cursor == head.offset):
            self.state.head = min(self.state.head, head.offset)
            await self._on_reset(self, "trimmed")
            return False
        if not records:
            position = Position(head.epoch, head.offset, head.id)
            self.put(encode(PositionMoved(self.state.name, position, self.cursor)))
            self.cursor = head.offset
        return bool(records)
