"""Topics at run time: who is subscribed, how far the log has come, what the latest values are; and publishing.

An event is encoded once for all its subscribers, and what was stored together is delivered together. Durable topics are
announced only after the log has the event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from ..ports import Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Event
from ..storage.base import Draft, Head, LogRetention, Record, TopicLog
from .chores import Chores
from .declare import Lane, Latest
from .followers import Followers
from .publisher import Publisher
from .router import Router
from .topic_state import AT_A_TIME, Subscriber, TopicState

MAX_EVENT_BYTES: Final = 512 * 1024
"""The largest payload of an event: what is larger belongs into a file."""

MAX_BULK_EVENT_BYTES: Final = 31 * 1024
"""The largest payload in the bulk lane, so that its envelope fits into a frame's share of bulk."""

BREATHE_EVERY: Final = 64
"""Publishing to a topic without a log never waits; this often it lets the others work."""

FOREIGN_PAGE = 500
RETRY_S = 1.0
STOP_S = 1.0


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
        self._publishers: dict[str, Publisher] = {}
        self._shouts = 0
        self.followers = Followers(runtime.logger)
        self._rechecks = Chores(self._not_rechecked)

    def start(self) -> None:
        """Listen to what other servers add to the same log; on the event loop."""
        self._log.on_foreign(self._on_foreign)

    def state(self, topic: str, principal: str) -> TopicState:
        """The state of a topic as `principal` sees it; made if there is none."""
        spec = self._router.topic(topic)
        key = spec.key(topic, principal)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = TopicState(key, topic, spec, principal if spec.personal else None)
        return state

    def release(self, state: TopicState) -> None:
        """Forget a topic that nobody listens to and that has no values of its own."""
        if not state.is_needed:
            self._states.pop(state.key, None)

    async def publish(
        self, topic: str, kind: str, payload: msgspec.Struct, *, principal: str | None = None, id: str | None = None
    ) -> int | None:
        """Publish an event; return its offset, None where the topic keeps no log.

        `principal` names whose `…/me` topic it is; `id` makes a repeated publish count once. Events of one topic keep
        the order in which they were published; those that come together are stored together.

        Raises:
            HubError: the topic is unknown, the event is too big, or the log cannot take it now.
            TypeError: the payload is not what the topic declares for `kind`; a bug of the service.
        """
        spec = self._router.topic(topic)
        if type(payload) is not spec.events.get(kind):
            raise TypeError(f"{topic!r} has no event {kind!r} with a {type(payload).__name__}")
        key = spec.key(topic, principal)
        data = msgspec.json.encode(payload)
        limit = MAX_BULK_EVENT_BYTES if spec.lane is Lane.BULK else MAX_EVENT_BYTES
        if len(data) > limit:
            raise HubError(Code.TOO_BIG, f"An event of {topic} has at most {limit} bytes, this one {len(data)}.")
        now_ms = self._runtime.now_ms()
        draft = Draft(id or self._event_id(now_ms), kind, now_ms, data)
        if isinstance(spec.retain, LogRetention):
            return await self._publisher(key, spec.retain).publish(draft)
        event = Event(topic, None, draft.id, kind, draft.time_ms, msgspec.Raw(data))
        if isinstance(spec.retain, Latest) and (spec.retain.values is None or key in self._states):
            self.state(topic, principal or "").keep(spec.retain, event, payload)
        if (state := self._states.get(key)) is not None and state.subscribers:
            state.shout(event)
        self._shouts += 1
        if self._shouts % BREATHE_EVERY == 0:
            await asyncio.sleep(0)
        return None

    def _event_id(self, now_ms: int) -> str:
        """A random id that begins with the time, so that ids of one moment lie beside each other in an index."""
        return f"{now_ms:012x}{self._runtime.new_id()[:20]}"

    async def trim_all(self) -> None:
        """Let go of what no retention keeps, also in topics that nothing is published to any more."""
        for key in await self._log.topics():
            try:
                spec = self._router.topic(key.partition("//")[0])
            except HubError:
                continue  # its service is gone, and may come back
            if isinstance(spec.retain, LogRetention):
                await self._log.trim(key, spec.retain, self._runtime.now_ms())

    def _publisher(self, key: str, retention: LogRetention) -> Publisher:
        publisher = self._publishers.get(key)
        if publisher is None:
            publisher = Publisher(key, retention, self._log, self._runtime, self._stored, self._publishers.pop)
            self._publishers[key] = publisher
        return publisher

    def _stored(self, key: str, records: Sequence[Record]) -> None:
        state = self._states.get(key)
        if state is not None:
            state.announce(records)

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
                    state.announce(records)
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

    def recheck(self, topic: str) -> None:
        """Have the permissions of all who follow a topic asked again, at once; who may not any more is told.

        Nobody gets an event that is published after this was called before it is known that they may; who may loses
        none. On the event loop.
        """
        states = [state for state in self._states.values() if state.name == topic]
        subscribers = [subscriber for state in states for subscriber in state.subscribers]
        for subscriber in subscribers:
            subscriber.hold()
        if subscribers:
            self._rechecks.start(self._recheck(subscribers))

    async def _recheck(self, subscribers: Sequence[Subscriber]) -> None:
        for number, subscriber in enumerate(subscribers, 1):
            subscriber.recheck()
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _not_rechecked(self, error: BaseException) -> None:
        self._runtime.logger.error("Who follows a topic could not be asked again", exc_info=error)

    def renew(self) -> None:
        """The store is another one now, with other logs: every subscriber of a log is reset."""
        for state in list(self._states.values()):
            if isinstance(state.spec.retain, LogRetention):
                state.renew()

    async def stop(self) -> None:
        """End what is under way; what is being stored is."""
        await self.followers.stop()
        for task in self._rechecks.tasks:
            task.cancel()
        storing = [publisher.task for publisher in self._publishers.values() if publisher.task is not None]
        if storing:
            await asyncio.wait(storing, timeout=STOP_S)
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
