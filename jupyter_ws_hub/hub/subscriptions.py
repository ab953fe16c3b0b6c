"""The topics that one connection follows: begun, replaced and ended, each subscription answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ..ports import Peer
from ..protocol.codec import encode
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import NULL, Position, Subscribed
from ..storage.base import LogRetention
from .chores import Chores
from .commons import Commons
from .declare import Topic
from .outbox import Outbox
from .replay import Subscription, why_reset

Refuse = Callable[[int | None, HubError], None]
"""Answers a subscription by an error."""


class Subscriptions:
    """One connection's subscriptions by topic; their number is bounded."""

    def __init__(
        self, commons: Commons, peer: Peer, outbox: Outbox, *, refuse: Refuse, fail: Callable[[HubError], None]
    ) -> None:
        """`refuse` tells the client of an error, `fail` ends the connection."""
        self._peer = peer
        self._outbox = outbox
        self._router = commons.router
        self._topics = commons.topics
        self._log = commons.log
        self._runtime = commons.runtime
        self._limit = commons.settings.max_topics
        self._max_replay = commons.settings.max_replay
        self._refuse = refuse
        self._fail = fail
        self._by_topic: dict[str, Subscription] = {}
        self._asking: dict[str, tuple[int | None, asyncio.Task[None]]] = {}
        """Subscriptions that wait for their answer: at most one per topic."""
        self._rechecking: set[Subscription] = set()
        """Those whose permission is being asked again."""
        self._chores = Chores(self._not_asked)

    def begin(self, ref: int | None, topic: str, since: Position | str) -> None:
        """Follow a topic; replaces a subscription of the same topic. The answer comes later."""
        try:
            if topic not in self._by_topic and len(self._by_topic) >= self._limit:
                raise HubError(Code.BUSY, f"A connection takes at most {self._limit} topics.")
            state = self._topics.state(topic, self._peer.principal)
        except HubError as error:
            self._refuse_topic(ref, topic, error)
            return
        subscription = Subscription(state, self._outbox, self._log, self._reset, self._failed, self._begin_recheck)
        self.end(topic)
        self._by_topic[topic] = subscription
        task = asyncio.create_task(self._answer(ref, topic, since, subscription))
        self._asking[topic] = (ref, task)

    def end(self, topic: str) -> None:
        """Follow a topic no longer; who waits for an answer is told."""
        ref = self._end(topic)
        if ref is not None:
            self._refuse(ref, HubError(Code.SUPERSEDED, f"The subscription of {topic} was replaced or ended."))

    def _end(self, topic: str) -> int | None:
        """Follow a topic no longer; the `ref` that waits for an answer, None if none does."""
        subscription = self._by_topic.pop(topic, None)
        if subscription is None:
            return None
        subscription.stop()
        self._topics.followers.leave(subscription.state.spec, topic, subscription)
        self._topics.release(subscription.state)
        ref, task = self._asking.pop(topic, (None, None))
        if task is not None:
            task.cancel()
        return ref

    def close(self) -> None:
        """The connection is over. Nobody is refused anything: the client asks again on its next one."""
        for topic in list(self._by_topic):
            self._end(topic)
        for task in self._chores.tasks:
            task.cancel()

    async def recheck(self) -> None:
        """Ask for the permissions of all topics again; what is not allowed any more ends, and the client is told."""
        for topic, subscription in list(self._by_topic.items()):
            if topic in self._asking:
                continue
            try:
                await self._allowed(subscription.state.spec, topic)
            except HubError as error:
                if self._by_topic.get(topic) is subscription:
                    self.end(topic)
                    self._refuse_topic(None, topic, error)

    def _begin_recheck(self, subscription: Subscription) -> None:
        """Ask again for one topic, at once."""
        if subscription.unasked and subscription not in self._rechecking:
            self._rechecking.add(subscription)
            self._chores.start(self._recheck(subscription))

    async def _recheck(self, subscription: Subscription) -> None:
        """Let a subscription that is held go on, or end it; if it is still being answered, that is its answer.

        If it is held again meanwhile, what is being asked may not have seen why.
        """
        topic, denied = subscription.state.name, None
        try:
            while subscription.unasked and not subscription.stopped:
                subscription.unasked = False
                await self._allowed(subscription.state.spec, topic)
        except HubError as error:
            denied = error
        except Exception as bug:  # noqa: BLE001  who may follow is not known, so nobody may
            denied = self._bug(topic, bug)
        finally:
            self._rechecking.discard(subscription)
        if denied is None:
            subscription.release()
        elif self._by_topic.get(topic) is subscription:
            self._refuse_topic(self._end(topic), topic, denied)

    def _not_asked(self, error: BaseException) -> None:
        self._runtime.logger.error("A subscription that was to be asked for again failed", exc_info=error)

    async def _answer(self, ref: int | None, topic: str, since: Position | str, subscription: Subscription) -> None:
        try:
            await self._start(ref, topic, since, subscription)
            self._asking.pop(topic, None)
            return
        except HubError as told:
            error = told
        except Exception as bug:  # noqa: BLE001  a service's bug must not leave the client without an answer
            error = self._bug(topic, bug)
        self._asking.pop(topic, None)
        self.end(topic)
        self._refuse_topic(ref, topic, error)

    def _failed(self, error: HubError) -> None:
        """A subscription cannot go on: the connection ends, and the client comes back."""
        if error.__cause__ is not None:
            self._runtime.logger.error("%s", error.message, exc_info=error.__cause__)
        self._fail(error)

    def _bug(self, topic: str, bug: Exception) -> HubError:
        self._runtime.logger.error("The topic %s cannot be followed", topic, exc_info=bug)
        return HubError(Code.INTERNAL, f"The topic {topic} cannot be followed; the server's log says why.")

    def _refuse_topic(self, ref: int | None, topic: str, error: HubError) -> None:
        if ref is None:
            error = HubError(error.code, error.message, details={"topic": topic})
        self._refuse(ref, error)

    async def _allowed(self, spec: Topic, topic: str) -> None:
        await self._peer.require(*spec.permission, f"the topic {topic}")
        if spec.check is not None:
            await spec.check(self._peer, topic)

    async def _start(self, ref: int | None, topic: str, since: Position | str, subscription: Subscription) -> None:
        spec = self._router.topic(topic)
        await self._allowed(spec, topic)
        await self._topics.followers.enter(spec, topic, subscription)
        if isinstance(spec.retain, LogRetention):
            await self._start_logged(ref, subscription, since)
        else:
            await subscription.start_unlogged(ref)

    async def _start_logged(self, ref: int | None, subscription: Subscription, since: Position | str) -> None:
        state = subscription.state
        head = await self._topics.head(state)
        top = Position(head.epoch, head.offset, head.id)
        start = Position(head.epoch, head.floor, head.floor_id) if since == "earliest" else top
        if isinstance(since, Position):
            kept = head.floor < since.offset <= head.offset
            anchor = await self._log.id_at(state.key, since.offset) if kept else None
            reason = why_reset(since, head, anchor, self._max_replay)
            if reason is not None:
                await self._reset(subscription, reason, ref)
                subscription.start(subscription.cursor)
                return
            start = since
        await subscription.free()
        if not subscription.stopped:
            subscription.put(encode(Subscribed(ref, state.name, position=start, head=head.offset)))
            subscription.start(start.offset)

    async def _reset(self, subscription: Subscription, reason: str, ref: int | None = None) -> None:
        """Tell the client that its replay cannot be complete, with a snapshot; go on after the head."""
        state = subscription.state
        head = await self._topics.head(state)
        top = Position(head.epoch, head.offset, head.id)
        snapshot = NULL
        if state.spec.snapshot is not None:
            try:
                snapshot = msgspec.Raw(msgspec.json.encode(await state.spec.snapshot(self._peer, state.name, top)))
            except HubError:
                raise
            except Exception as bug:
                raise self._bug(state.name, bug) from bug
        await subscription.free()
        if not subscription.stopped:
            subscription.cursor = top.offset
            subscription.put(encode(Subscribed(ref, state.name, "reset", top, top.offset, reason, snapshot)))
