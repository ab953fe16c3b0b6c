"""One client's connection, seen from the hub: messages in, frames out, until one side ends it.

A handler feeds it frames and time and writes what `frame` gives; it never waits for a service while it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..ports import Peer
from ..protocol.codec import Malformed, encode
from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.messages import (
    NULL,
    Ack,
    Bye,
    Cancel,
    ClientMessage,
    Hello,
    Ping,
    Pong,
    Reply,
    Request,
    Subscribe,
    Unsubscribe,
)
from ..protocol.session import PingDue, ServerSession
from .answers import error_reply
from .chores import Chores
from .commons import Commons
from .declare import Lane
from .limits import RequestLimits
from .outbox import Outbox, OutboxFull
from .session import HubSession
from .subscriptions import Subscriptions

ASLEEP_S = 3.0
"""Ticks that come this late mean that this side was asleep and could not listen."""


class HubConnection:
    """A connection from its first frame to its close code."""

    def __init__(
        self,
        commons: Commons,
        peer: Peer,
        on_ready: Callable[[], None],
        on_closed: Callable[[HubConnection], None],
    ) -> None:
        """`on_ready` is called when `frame` may have something to give, `on_closed` once the socket is gone."""
        self.peer = peer
        self.close_code: int = NORMAL_CLOSURE
        self.close_reason = ""
        self._settings = commons.settings
        self._runtime = commons.runtime
        self._sessions = commons.sessions
        self._router = commons.router
        self._on_closed = on_closed
        now_s = self._runtime.monotonic()
        self._machine = ServerSession(
            self._settings.timing, now_s, self._settings.max_frame_bytes, self._runtime.jitter()
        )
        self._limits = RequestLimits(self._settings.limits, now_s)
        self._outbox = Outbox(self._settings.outbox_bytes, self._runtime.monotonic, on_ready)
        self._session: HubSession | None = None
        self._subscriptions = Subscriptions(
            commons,
            peer,
            self._outbox,
            refuse=lambda ref, error: self.send(Lane.CONTROL, error_reply(ref, error)),
            fail=self.fail,
        )
        self._chores = Chores(self._failed)
        self._opening: list[ClientMessage | Malformed] | None = None
        """What has come while the session is looked for."""
        self._ticked_s = now_s
        self._closing_since_s = float("inf")

    def closing_s(self, now_s: float) -> float:
        """How long ago the end began; negative while it has not."""
        return now_s - self._closing_since_s

    @property
    def _closing(self) -> bool:
        return self._closing_since_s < float("inf")

    @property
    def round_trip_s(self) -> float | None:
        """What the last ping took, None before the first."""
        return self._machine.round_trip_s

    def frame(self) -> bytes | None:
        """The next frame to write, to be asked when the one before is written; None if there is none now."""
        return self._outbox.frame()

    @property
    def is_over(self) -> bool:
        """Whether all is written and the socket is to be closed with `close_code`."""
        return self._outbox.is_done

    def receive(self, frame: str | bytes) -> None:
        """Take a frame from the client. Never waits; a frame that breaks the protocol ends the connection."""
        if self._closing:
            return
        now_s = self._runtime.monotonic()
        try:
            messages = self._machine.receive(frame, now_s)
            self._limits.received(now_s, len(messages))
            for message in messages:
                if self._opening is None:
                    self._handle(message)
                else:
                    self._hold(self._opening, message)
        except RemoteProtocolError as error:
            self.fail(error)
        if self._session is not None:
            self._session.go()
        if self._limits.abusive(now_s):
            self.fail(HubError(Code.RATE_LIMITED, "This connection goes on asking for too much.", retry_after_ms=5000))

    def tick(self) -> None:
        """Let time pass: to be called about once a second."""
        now_s = self._runtime.monotonic()
        asleep_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self._closing:
            return
        if asleep_s > max(ASLEEP_S, self._settings.timing.heartbeat_grace_s / 2):
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

    def fits(self, lane: Lane, size: int) -> bool:
        """See Line."""
        return self._outbox.fits(size) if lane <= Lane.INTERACTIVE else self._outbox.has_room()

    async def room(self, lane: Lane, size: int) -> None:
        """See Line."""
        if lane <= Lane.INTERACTIVE:
            await self._outbox.urgent_room(size)
        elif lane is Lane.BULK:
            await self._outbox.bulk_room()
        else:
            await self._outbox.room()

    def taken_bytes(self, lane: Lane) -> int:
        """See Line."""
        return self._outbox.taken_bytes(lane)

    def reply(self, lane: Lane, envelope: bytes) -> None:
        """Queue a reply, now or when there is room; what may wait is bounded by the requests."""
        if lane > Lane.INTERACTIVE or self._outbox.fits(len(envelope)):
            self.send(lane, envelope)
        else:
            self._chores.start(self._reply_later(lane, envelope))

    async def _reply_later(self, lane: Lane, envelope: bytes) -> None:
        await self._outbox.urgent_room(len(envelope))
        self.send(lane, envelope)

    def _failed(self, bug: BaseException) -> None:
        self._runtime.logger.error("Something on a connection failed", exc_info=bug)

    def fail(self, error: HubError) -> None:
        """End the connection for a reason of the code table; the client is told before the close frame."""
        self._end(int(error.code), error.message, error.retry_after_ms)

    def _end(self, code: int, reason: str, retry_after_ms: int | None = None) -> None:
        if self._closing:
            return
        self.close_code, self.close_reason = code, reason
        self._let_go()
        self._outbox.close(encode(Bye(code, reason, retry_after_ms)))

    def closed(self) -> None:
        """The socket is gone. Idempotent."""
        self._let_go()
        self._outbox.close()
        self._on_closed(self)

    def _let_go(self) -> None:
        if self._closing:
            return
        self._closing_since_s = self._runtime.monotonic()
        self._machine.close()
        self._subscriptions.close()
        for task in self._chores.tasks:
            task.cancel()
        if self._session is not None:
            self._sessions.release(self._session, self)

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
                    self._sessions.end(self._session)
                self._end(NORMAL_CLOSURE, "bye")
            case Ack():
                self._acknowledge(message)
            case Subscribe():
                self._subscriptions.begin(message.ref, message.topic, message.since)
            case Unsubscribe():
                self._subscriptions.end(message.topic)
                self.send(Lane.CONTROL, encode(Reply(message.ref, result=NULL)))
            case Request():
                self._request(message)
            case Cancel(ref=ref):
                if self._session is not None:
                    self._session.cancel(ref)
            case _:
                pass

    def _request(self, request: Request) -> None:
        session = self._session
        if session is None:
            return
        method = self._router.methods.get(request.method)
        if not session.knows(request.ref):
            refusal = self._limits.check(method.permission[0] if method else "", self._runtime.monotonic())
            if refusal is not None:
                self.send(Lane.CONTROL, error_reply(request.ref, refusal))
                return
            if method is not None and method.activity:
                self._runtime.active()
        session.start(request, self.peer)

    def _acknowledge(self, ack: Ack) -> None:
        self._outbox.acknowledge(ack.frames)
        if self._session is not None:
            self._session.acknowledge(ack.done, ack.also)

    def _open(self, hello: Hello) -> None:
        if self._sessions.must_restore(hello):
            self._opening = []
            self._chores.start(self._restore(hello))
        else:
            self._welcome(hello)

    async def _restore(self, hello: Hello) -> None:
        await self._sessions.restore(hello, self.peer)
        held, self._opening = self._opening or [], None
        self._welcome(hello)
        try:
            for message in held:
                if not self._closing:
                    self._handle(message)
        except RemoteProtocolError as error:
            self.fail(error)
        if self._session is not None:
            self._session.go()

    def _hold(self, held: list[ClientMessage | Malformed], message: ClientMessage | Malformed) -> None:
        if len(held) >= self._settings.max_requests:
            raise RemoteProtocolError(Code.BAD_FRAME, "Too much has come before welcome was said.")
        held.append(message)

    def _welcome(self, hello: Hello) -> None:
        try:
            self._session, welcome = self._sessions.open(hello, self)
        except HubError as error:
            self.fail(error)
            return
        self.peer = replace(self.peer, client=self._session.id)
        self.send(Lane.CONTROL, encode(welcome))
        for topic, position in hello.positions.items():
            self._subscriptions.begin(None, topic, position or "latest")

    async def recheck(self) -> None:
        """Ask for the permissions of all topics again: what is not allowed any more is not sent any more."""
        await self._subscriptions.recheck()
