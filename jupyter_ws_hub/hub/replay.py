"""One subscription of one connection: where it stands in the log, and how it gets from there to now.

The cursor is the offset put into the outbox last. A live subscription takes events as they are published; one that
lies behind (just subscribed, slow, or facing a gap) reads the log in pages until the cursor is at the head, and
becomes live in the same step of the event loop in which that is seen: no event can fall between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from ..protocol.codec import encode
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Lagging, Live, Position, Subscribed
from ..storage.base import Head, TopicLog
from .outbox import Outbox, OutboxFull
from .topics import TopicState

PAGE = 100
"""Messages read from the log at a time."""


def why_reset(since: Position, head: Head, anchor: str | None) -> str | None:
    """Say why a replay from `since` cannot be complete, None if it can.

    `anchor` is the id that the log has at `since.offset` (None: not kept). Reasons: `epoch`, the log is another one;
    `ahead`, the log has lost messages that the client saw; `trimmed`; `anchor`, the offset was handed out twice.
    """
    if since.epoch != head.epoch:
        return "epoch"
    if since.offset > head.offset:
        return "ahead"
    if since.offset < head.floor:
        return "trimmed"
    if since.offset == head.floor:
        anchor = head.floor_id
    return None if anchor == since.id else "anchor"


class Subscription:
    """A connection's view of a topic."""

    def __init__(
        self,
        state: TopicState,
        outbox: Outbox,
        log: TopicLog,
        on_reset: Callable[[Subscription, str], Awaitable[None]],
        on_failure: Callable[[HubError], None],
    ) -> None:
        """`on_reset` tells the client of a reset and sets the cursor anew; `on_failure` ends the connection."""
        self.state = state
        self.cursor = 0
        self._outbox = outbox
        self._log = log
        self._on_reset = on_reset
        self._on_failure = on_failure
        self.stopped = False
        self._live = False
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

    def start_unlogged(self, ref: int | None) -> None:
        """Begin with the latest values, on a topic without a log, and go on with what comes now."""
        if not self.stopped:
            self._send_snapshot(ref, None)
            self.put(encode(Live(self.state.name)))
            self._live = True

    def _send_snapshot(self, ref: int | None, reason: str | None) -> None:
        snapshot = msgspec.Raw(msgspec.json.encode(self.state.snapshot()))
        status: Literal["ok", "reset"] = "reset" if reason else "ok"
        self.put(encode(Subscribed(ref, self.state.name, status, reason=reason, snapshot=snapshot)))

    def stop(self) -> None:
        """Take no more events. Idempotent; a subscription that was stopped cannot start."""
        self.stopped = True
        self._live = False
        self.state.subscribers.discard(self)
        if self._replay is not None:
            self._replay.cancel()

    def offer(self, offset: int | None, envelope: bytes) -> None:
        """See Subscriber. What does not follow the cursor, or finds no room, is left to the log."""
        if not self._live:
            return
        if offset is None:
            self._offer_unlogged(envelope)
        elif offset > self.cursor:
            if offset == self.cursor + 1 and self._outbox.has_room():
                self.cursor = offset
                self.put(envelope)
            else:
                self.put(encode(Lagging(self.state.name)))
                self._begin_replay()

    def catch_up(self) -> None:
        """See Subscriber."""
        if self._live and self.cursor < self.state.head:
            self._begin_replay()

    def _offer_unlogged(self, envelope: bytes) -> None:
        """Without room, one snapshot of the latest values later stands for all events until then."""
        if self._replay is not None and not self._replay.done():
            return
        if self._outbox.has_room():
            self.put(envelope)
        else:
            self._replay = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        await self._outbox.room()
        self._send_snapshot(None, "lagging")

    def _begin_replay(self) -> None:
        self._live = False
        self._replay = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self.cursor < self.state.head:
                await self._outbox.room()
                await self._send_page()
            self._live = True
            self.put(encode(Live(self.state.name)))
        except HubError as error:
            self._on_failure(error)
        except Exception as bug:  # noqa: BLE001  without an end the subscriber would wait for ever
            failure = HubError(Code.INTERNAL, f"The topic {self.state.name} cannot be read any more.")
            failure.__cause__ = bug
            self._on_failure(failure)

    async def _send_page(self) -> None:
        records = await self._log.read(self.state.key, self.cursor, PAGE)
        if not records or records[0].offset != self.cursor + 1:
            await self._on_reset(self, "trimmed")
            return
        for record in records:
            await self._outbox.room()
            self.cursor = record.offset
            self.put(self.state.envelope(record))
