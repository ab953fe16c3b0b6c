"""Topics at run time: who is subscribed, how far the log has come, what the latest values are; and publishing.

An event is encoded once for all its subscribers. Durable topics are announced only after the log has the event.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from ..ports import Runtime
from ..protocol.codec import encode
from ..protocol.errors import HubError
from ..protocol.messages import Event
from ..storage.base import Draft, Head, LogRetention, Record, TopicLog
from .declare import Latest, Topic
from .router import Router

TRIM_EVERY = 64
"""A log is trimmed at every offset that this divides, not at each message."""

FOREIGN_PAGE = 200
RETRY_S = 1.0
STOP_S = 1.0


class LatestValue(msgspec.Struct, frozen=True):
    """One of the values that a `latest` topic's snapshot lists."""

    kind: str
    time: int
    data: msgspec.Raw


class Subscriber(Protocol):
    """Somebody who is told of a topic's events."""

    def offer(self, offset: int | None, envelope: bytes) -> None:
        """Take an event or not; must neither wait nor raise."""
        ...

    def catch_up(self) -> None:
        """The log has more than what was offered: read it."""
        ...


class TopicState:
    """One topic's life on this server; `head` is the newest offset this server has heard of."""

    def __init__(self, key: str, name: str, spec: Topic) -> None:
        """`key` names the log, `name` is what stands on the wire."""
        self.key = key
        self.name = name
        self.spec = spec
        self.head = 0
        self.subscribers: set[Subscriber] = set()
        self.latest: dict[str, LatestValue] = {}

    def snapshot(self) -> list[LatestValue]:
        """The latest values, in the order of their keys."""
        return [self.latest[key] for key in sorted(self.latest)]

    def envelope(self, record: Record) -> bytes:
        """A logged message as it goes on the wire."""
        data = msgspec.Raw(record.data)
        return encode(Event(self.name, record.offset, record.id, record.kind, record.time_ms, data))

    def deliver(self, offset: int | None, envelope: bytes) -> None:
        """Offer an event to all subscribers."""
        if offset is not None:
            self.head = max(self.head, offset)
        for subscriber in tuple(self.subscribers):
            subscriber.offer(offset, envelope)


class Topics:
    """All topics of one server."""

    def __init__(self, router: Router, log: TopicLog, runtime: Runtime) -> None:
        """Read declarations from the router, keep logs in `log`."""
        self._router = router
        self._log = log
        self._runtime = runtime
        self._states: dict[str, TopicState] = {}
        self._foreign: set[str] = set()
        self._follower: asyncio.Task[None] | None = None
        self._appending: set[asyncio.Task[int]] = set()

    def start(self) -> None:
        """Listen to what other servers add to the same log; on the event loop."""
        self._log.on_foreign(self._on_foreign)

    def state(self, topic: str, principal: str) -> TopicState:
        """The state of a topic as `principal` sees it; made if there is none."""
        spec = self._router.topic(topic)
        return self._state(spec.key(topic, principal), topic, spec)

    def _state(self, key: str, topic: str, spec: Topic) -> TopicState:
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = TopicState(key, topic, spec)
        return state

    def release(self, state: TopicState) -> None:
        """Forget a topic that nobody listens to and that has no values of its own."""
        if not state.subscribers and not state.latest:
            self._states.pop(state.key, None)

    async def publish(
        self, topic: str, kind: str, payload: msgspec.Struct, *, principal: str | None = None, id: str | None = None
    ) -> int | None:
        """Publish an event; return its offset, None where the topic keeps no log.

        `principal` names whose `…/me` topic it is; `id` makes a repeated publish count once.

        Raises:
            HubError: the topic is unknown, or the log cannot take the event now.
            TypeError: the payload is not what the topic declares for `kind`; a bug of the service.
        """
        spec = self._router.topic(topic)
        if type(payload) is not spec.events.get(kind):
            raise TypeError(f"{topic!r} has no event {kind!r} with a {type(payload).__name__}")
        key = spec.key(topic, principal)
        data = msgspec.json.encode(payload)
        draft = Draft(id or self._runtime.new_id(), kind, self._runtime.now_ms(), data)
        if isinstance(spec.retain, LogRetention):
            # What the log has must be announced, also if whoever publishes does not wait for it.
            task = asyncio.create_task(self._append(key, draft, spec.retain))
            self._appending.add(task)
            task.add_done_callback(self._appended)
            return await asyncio.shield(task)
        if isinstance(spec.retain, Latest):
            self._keep_latest(self._state(key, topic, spec), spec.retain, payload, draft)
        state = self._states.get(key)
        if state is not None and state.subscribers:
            event = Event(topic, None, draft.id, kind, draft.time_ms, msgspec.Raw(data))
            state.deliver(None, encode(event))
        return None

    def _appended(self, task: asyncio.Task[int]) -> None:
        self._appending.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._runtime.logger.debug("An event could not be stored: %s", error)

    async def _append(self, key: str, draft: Draft, retention: LogRetention) -> int:
        (record,) = await self._log.append(key, [draft])
        state = self._states.get(key)
        if state is not None:
            state.deliver(record.offset, state.envelope(record))
        if record.offset % TRIM_EVERY == 0:
            await self._log.trim(key, retention, self._runtime.now_ms())
        return record.offset

    def _keep_latest(self, state: TopicState, retain: Latest, payload: msgspec.Struct, draft: Draft) -> None:
        key = f"{draft.kind}/{getattr(payload, retain.key)}"
        if getattr(payload, retain.gone, False):
            state.latest.pop(key, None)
        else:
            state.latest[key] = LatestValue(draft.kind, draft.time_ms, msgspec.Raw(draft.data))

    def _on_foreign(self, key: str) -> None:
        if key not in self._states:
            return
        self._foreign.add(key)
        if self._follower is None or self._follower.done():
            self._follower = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Deliver what other servers have put into the logs; a subscriber that sees a gap reads the log itself."""
        while self._foreign:
            state = self._states.get(self._foreign.pop())
            if state is None:
                continue
            try:
                while records := await self._log.read(state.key, state.head, FOREIGN_PAGE):
                    for record in records:
                        state.deliver(record.offset, state.envelope(record))
            except HubError as error:
                self._runtime.logger.warning("%s: what another server wrote cannot be read: %s", state.key, error)
                asyncio.get_running_loop().call_later(RETRY_S, self._on_foreign, state.key)

    async def head(self, state: TopicState) -> Head:
        """What the log of a topic holds now; the state learns of it, and so do its subscribers."""
        head = await self._log.head(state.key)
        if head.offset > state.head:
            state.head = head.offset
            for subscriber in tuple(state.subscribers):
                subscriber.catch_up()
        return head

    async def stop(self) -> None:
        """End what is under way; what is being stored is."""
        if self._appending:
            await asyncio.wait(set(self._appending), timeout=STOP_S)
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
