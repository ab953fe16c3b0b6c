"""One client's connection, seen from the hub: messages in, frames out, until one side ends it.

A handler feeds it frames and time and writes what `next_frame` gives; it never waits for a service while it reads.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ..ports import Peer
from ..protocol.codec import Malformed, encode
from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.messages import (
    Ack,
    Bye,
    Cancel,
    ClientMessage,
    Hello,
    Ping,
    Pong,
    Position,
    Reply,
    Request,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from ..protocol.session import PingDue, ServerSession
from ..storage.base import LogRetention
from .declare import Lane
from .outbox import Outbox, OutboxFull
from .replay import Subscription, why_reset
from .session import HubSession, error_reply

if TYPE_CHECKING:
    from .hub import Hub


class HubConnection:
    """A connection from its first frame to its close code."""

    def __init__(self, hub: Hub, peer: Peer) -> None:
        """Belongs to `hub` from now until `closed` is called."""
        self.peer = peer
        self.close_code: int = NORMAL_CLOSURE
        self.close_reason = ""
        self._hub = hub
        self._runtime = hub.runtime
        now_s = self._runtime.monotonic()
        self._machine = ServerSession(hub.settings.timing, now_s, hub.settings.max_frame_bytes)
        self._outbox = Outbox(hub.settings.outbox_bytes)
        self._session: HubSession | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._pending: set[asyncio.Task[None]] = set()
        self._ticked_s = now_s
        self._closing = False
        self._closing_since_s = float("inf")

    def closing_s(self, now_s: float) -> float:
        """How long ago the end began; negative while it has not."""
        return now_s - self._closing_since_s

    @property
    def round_trip_s(self) -> float | None:
        """What the last ping took, None before the first."""
        return self._machine.round_trip_s

    async def next_frame(self) -> bytes | None:
        """The next frame to write; None when the connection is to be closed with `close_code`."""
        return await self._outbox.take()

    def receive(self, frame: str | bytes) -> None:
        """Take a frame from the client. Never waits; a frame that breaks the protocol ends the connection."""
        if self._closing:
            return
        try:
            for message in self._machine.receive(frame, self._runtime.monotonic()):
                self._handle(message)
        except RemoteProtocolError as error:
            self.fail(error)

    def tick(self) -> None:
        """Let time pass: to be called about once a second."""
        now_s = self._runtime.monotonic()
        asleep_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self._closing:
            return
        if asleep_s > self._hub.settings.timing.heartbeat_grace_s / 2:
            self._machine.excuse(now_s)
        verdict = self._machine.tick(now_s)
        if isinstance(verdict, HubError):
            self.fail(verdict)
        elif isinstance(verdict, PingDue):
            self.send(Lane.CONTROL, encode(Ping(verdict.t)))

    def send(self, lane: Lane, envelope: bytes) -> None:
        """Queue an envelope; a peer that does not read is closed as a slow consumer."""
        try:
            self._outbox.put(lane, envelope)
        except OutboxFull:
            self.fail(HubError(Code.SLOW_CONSUMER, "The connection does not take what it is sent."))

    def fail(self, error: HubError) -> None:
        """End the connection for a reason of the code table; the client is told before the close frame."""
        self._end(int(error.code), error.message, error.retry_after_ms)

    def _end(self, code: int, reason: str, retry_after_ms: int | None = None) -> None:
        if self._closing:
            return
        self._closing = True
        self._closing_since_s = self._runtime.monotonic()
        self.close_code, self.close_reason = code, reason
        self._machine.close()
        self._detach()
        self._outbox.close(encode(Bye(code, reason, retry_after_ms)))

    def closed(self) -> None:
        """The socket is gone. Idempotent."""
        self._closing = True
        self._machine.close()
        self._detach()
        self._outbox.close()
        self._hub.forget(self)

    def _detach(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.stop()
            self._hub.topics.release(subscription.state)
        self._subscriptions.clear()
        for task in self._pending:
            task.cancel()
        if self._session is not None:
            self._session.detach(self.send, self._runtime.monotonic())

    def _handle(self, message: ClientMessage | Malformed) -> None:
        if self._session is not None:
            self._session.confirm()
        match message:
            case Malformed(ref=ref, error=error):
                self.send(Lane.CONTROL, error_reply(ref, error))
            case Hello():
                self._open(message)
            case Ping(t=t):
                self.send(Lane.CONTROL, encode(Pong(t)))
            case Bye():
                if self._session is not None:
                    self._hub.end_session(self._session)
                self._end(NORMAL_CLOSURE, "bye")
            case Subscribe():
                self._later(self._subscribe(message.ref, message.topic, message.since))
            case Unsubscribe():
                self._unsubscribe(message)
            case Request() | Cancel() | Ack():
                self._about_requests(message)
            case _:
                pass

    def _about_requests(self, message: Request | Cancel | Ack) -> None:
        session = self._session
        if session is None:
            return
        if isinstance(message, Request):
            self._runtime.active()
            session.start(message, self.peer)
        elif isinstance(message, Cancel):
            session.cancel(message.ref)
        else:
            session.acknowledge(message.done)

    def _open(self, hello: Hello) -> None:
        self._session, welcome = self._hub.open_session(self, hello)
        self._session.attach(self.send)
        self.send(Lane.CONTROL, encode(welcome))
        for topic, position in hello.positions.items():
            self._later(self._subscribe(None, topic, position or "latest"))

    def _later(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        subscription = self._subscriptions.pop(message.topic, None)
        if subscription is not None:
            subscription.stop()
            self._hub.topics.release(subscription.state)
        self.send(Lane.CONTROL, encode(Reply(message.ref, result=msgspec.Raw(b"null"))))

    async def _subscribe(self, ref: int | None, topic: str, since: Position | str) -> None:
        try:
            await self._subscribe_or_raise(ref, topic, since)
        except HubError as error:
            if ref is None:
                error = HubError(error.code, error.message, details={"topic": topic})
            self.send(Lane.CONTROL, error_reply(ref, error))

    async def _subscribe_or_raise(self, ref: int | None, topic: str, since: Position | str) -> None:
        limit = self._hub.settings.max_topics
        if topic not in self._subscriptions and len(self._subscriptions) >= limit:
            raise HubError(Code.BUSY, f"A connection takes at most {limit} topics.")
        spec = self._hub.router.topic(topic)
        await self.peer.require(*spec.permission, f"the topic {topic}")
        if spec.check is not None:
            await spec.check(topic)
        state = self._hub.topics.state(topic, self.peer.principal)
        subscription = Subscription(state, self._outbox, self._hub.log, self._reset, self.fail)
        old = self._subscriptions.get(topic)
        if old is not None:
            old.stop()
        self._subscriptions[topic] = subscription
        if not isinstance(spec.retain, LogRetention):
            subscription.start_unlogged(ref)
            return
        await self._start_logged(ref, subscription, since)

    async def _start_logged(self, ref: int | None, subscription: Subscription, since: Position | str) -> None:
        state = subscription.state
        head = await self._hub.topics.head(state)
        top = Position(head.epoch, head.offset, head.id)
        if isinstance(since, Position):
            anchor = await self._hub.log.id_at(state.key, since.offset) if since.offset > head.floor else None
            reason = why_reset(since, head, anchor)
            if reason is not None:
                await self._reset(subscription, reason, ref)
                subscription.start(subscription.cursor)
                return
            start = since
        else:
            start = Position(head.epoch, head.floor, head.floor_id) if since == "earliest" else top
        subscription.put(encode(Subscribed(ref, state.name, position=start, head=head.offset)))
        subscription.start(start.offset)

    async def _reset(self, subscription: Subscription, reason: str, ref: int | None = None) -> None:
        """Tell the client that its replay cannot be complete, with a snapshot; go on after the head."""
        state = subscription.state
        head = await self._hub.topics.head(state)
        top = Position(head.epoch, head.offset, head.id)
        snapshot = None
        if state.spec.snapshot is not None:
            content = await state.spec.snapshot(self.peer, state.name, top)
            snapshot = msgspec.Raw(msgspec.json.encode(content))
        subscription.cursor = top.offset
        subscription.put(encode(Subscribed(ref, state.name, "reset", top, top.offset, reason, snapshot)))
