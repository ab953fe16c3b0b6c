"""The board of notifications: posted, updated at a pace that people can follow, listed, read, dismissed, expired.

It asks nobody for permission; who calls has done so. Every server on the same storage shows the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import msgspec

from ..ports import Publish, Runtime
from ..storage.base import LogRetention, Storage
from .notification import Dismissed, Notification, NotifyParams, ReadMarker, check
from .pace import MOST_S, Pace
from .reading import ReadState, ReadStates
from .shelf import Entry, Shelf, is_over
from .update import follow, goes_on, is_going, is_repeat

MyTopic = Literal["notifications/me", "notifications/all"]
ME: Final = "notifications/me"
ALL: Final = "notifications/all"
RETENTION: Final = LogRetention(count=1000, bytes=4 * 1024 * 1024, age_s=30 * 86400)
MAX_SHELVES: Final = 64
TIDY_AT: Final = 20
"""So many superseded versions are let go of at a time."""


class Posted(msgspec.Struct, frozen=True):
    """A notification that was posted, and where it stands."""

    topic: str
    offset: int
    id: str


class Listed(msgspec.Struct, frozen=True):
    """A notification in a user's list."""

    topic: str
    offset: int
    read: bool
    notification: Notification


class Notifications(msgspec.Struct, frozen=True):
    """A user's notifications and everybody's, oldest first, and how many of all are unread."""

    items: list[Listed]
    unread: int
    marker: ReadMarker = ReadMarker()
    """How far the user has read."""
    dismissed: list[Dismissed] = []
    """What the user has dismissed while it is under way: updates of it come, and are not to be shown."""


class _Spot(NamedTuple):
    """Where a notification is, or is to be."""

    shelf: Shelf
    topic: str
    principal: str
    id: str

    @property
    def key(self) -> tuple[str, str]:
        """It is this one in no other log."""
        return self.shelf.key, self.id


@dataclass
class _Held:
    """An update that waits until it may be told; a newer one takes its place."""

    spot: _Spot
    params: NotifyParams
    sender: str


def _to(topic: str | None) -> Literal["me", "all"]:
    """For whom a topic is."""
    return "me" if topic == ME else "all"


class Board:
    """All notifications of one server."""

    def __init__(self, storage: Storage, publish: Publish, runtime: Runtime) -> None:
        """Keep them in `storage`, tell of them by `publish`."""
        self._storage, self._publish, self._runtime = storage, publish, runtime
        self._states = ReadStates(storage)
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._paces: dict[tuple[str, str], Pace] = {}
        self._held: dict[tuple[str, str], _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Updates that wait to be told."""
        return len(self._held)

    def _shelf(self, topic: str, principal: str) -> Shelf:
        key = f"{ME}//{principal}" if topic == ME else topic
        shelf = self._shelves.get(key)
        if shelf is None:
            waiting = {key for key, _ in self._held}
            idle = [other for other, its in self._shelves.items() if not its.lock.locked() and other not in waiting]
            for other in idle[: max(0, len(self._shelves) - MAX_SHELVES + 1)]:
                del self._shelves[other]
            shelf = self._shelves[key] = Shelf(key, self._storage)
        self._shelves.move_to_end(key)
        return shelf

    async def post(self, params: NotifyParams, principal: str, sender: str) -> Posted:
        """Tell `principal`, or everybody. An update of what was told just now waits for its turn, and is told then.

        Raises:
            HubError: it may not be posted, or cannot be stored.
        """
        check(params)
        topic = ME if params.to == "me" else ALL
        if params.id is None:
            return await self._tell(topic, principal, self._first(params, self._runtime.new_id(), sender))
        spot = _Spot(self._shelf(topic, principal), topic, principal, params.id)
        async with spot.shelf.lock:
            held = self._held.get(spot.key)
            if held is None:
                return await self._put(spot, params, sender)
            held.params, held.sender = params, sender
            entry = spot.shelf.entries.get(params.id)
            return Posted(topic, 0 if entry is None else entry.offset, params.id)

    async def _put(self, spot: _Spot, params: NotifyParams, sender: str, *, now: bool = False) -> Posted:
        """Tell of it, or let it wait (never if `now`); the shelf is locked."""
        await spot.shelf.refresh()
        entry = spot.shelf.entries.get(spot.id)
        now_s, pace = self._runtime.monotonic(), self._paces.get(spot.key)
        notification = self._first(params, spot.id, sender)
        if entry is not None:
            if is_repeat(notification, entry.notification) and not await self._comes_back(spot, entry):
                return Posted(spot.topic, entry.offset, spot.id)
            notification = follow(notification, entry)
            going = notification.since > 0 and goes_on(notification, entry.notification)
            wait_s = pace.wait_s(now_s, goes_on=going) if pace else 0
            if wait_s > 0 and not now:
                self._hold(_Held(spot, params, sender), wait_s)
                return Posted(spot.topic, entry.offset, spot.id)
        posted = await self._tell(spot.topic, spot.principal, notification)
        is_new = notification.since == 0
        self._paces[spot.key] = Pace(now_s if pace is None or is_new else pace.began_s, now_s)
        await spot.shelf.refresh()
        await spot.shelf.tidy(TIDY_AT)
        return posted

    async def _comes_back(self, spot: _Spot, entry: Entry) -> bool:
        """Whether it has ended and was dismissed by whom it is for: the same again is news to them."""
        if is_going(entry.notification):
            return False
        state = await self._states.get(spot.principal)
        return state.hides(_to(spot.topic), spot.shelf.epoch, entry)

    def _hold(self, held: _Held, wait_s: float) -> None:
        self._held[held.spot.key] = held
        task = asyncio.create_task(self._later(held, wait_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, held: _Held, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self._tell_held(held)

    async def _tell_held(self, held: _Held) -> None:
        """Tell of an update whose time has come, as it is by now."""
        async with held.spot.shelf.lock:
            if self._held.pop(held.spot.key, None) is None:
                return
            try:
                await self._put(held.spot, held.params, held.sender, now=True)
            except Exception as error:
                self._runtime.logger.error("An update of a notification is lost.", exc_info=error)

    def _first(self, params: NotifyParams, id: str, sender: str) -> Notification:
        now_ms = self._runtime.now_ms()
        return Notification(
            id=id,
            level=params.level,
            title=params.title,
            message=params.message,
            sender=sender,
            time=now_ms,
            source=params.source,
            actions=params.actions,
            progress=params.progress,
            expires=None if params.expires_in_ms is None else now_ms + params.expires_in_ms,
            updated=now_ms,
        )

    async def _tell(self, topic: str, principal: str, notification: Notification) -> Posted:
        offset = await self._publish(topic, "notification", notification, principal=principal)
        assert offset is not None
        return Posted(topic, offset, notification.id)

    async def newest(self, principal: str, limit: int) -> Notifications:
        """The newest, oldest first; not what has expired or was dismissed by this user."""
        mine, everybody = self._shelf(ME, principal), self._shelf(ALL, principal)
        for shelf in (mine, everybody):
            async with shelf.lock:
                await shelf.refresh()
        state = await self._states.get(principal)
        marker = state.marker(mine.epoch, everybody.epoch)
        items = [*self._items(ME, mine, marker.me, state), *self._items(ALL, everybody, marker.all, state)]
        items.sort(key=lambda item: (item.notification.time, item.topic, item.offset))
        dismissed = [*self._dismissed(ME, mine, state), *self._dismissed(ALL, everybody, state)]
        return Notifications(items[-limit:], sum(not item.read for item in items), marker, dismissed)

    def _items(self, topic: str, shelf: Shelf, read_up_to: int, state: ReadState) -> list[Listed]:
        now_ms, to = self._runtime.now_ms(), _to(topic)
        return [
            Listed(topic, entry.offset, entry.counts_at <= read_up_to, entry.notification)
            for entry in shelf.entries.values()
            if not is_over(entry.notification, now_ms) and not state.hides(to, shelf.epoch, entry)
        ]

    def _dismissed(self, topic: MyTopic, shelf: Shelf, state: ReadState) -> list[Dismissed]:
        now_ms, to = self._runtime.now_ms(), _to(topic)
        going = (one for one in shelf.entries.values() if is_going(one.notification))
        return [
            Dismissed(entry.notification.id, topic, entry.counts_at)
            for entry in going
            if not is_over(entry.notification, now_ms) and state.hides(to, shelf.epoch, entry)
        ]

    async def read(self, principal: str, marker: ReadMarker) -> ReadMarker:
        """Mark as read up to these offsets; never goes back, and not beyond what there is."""
        mine = await self._storage.log.head(f"{ME}//{principal}")
        everybody = await self._storage.log.head(ALL)
        marker = ReadMarker(min(marker.me, mine.offset), min(marker.all, everybody.offset))
        epochs = mine.epoch, everybody.epoch
        state, moved = await self._states.change(principal, lambda state: state.read_up_to(marker, *epochs))
        marker = state.marker(*epochs)
        if moved:
            await self._publish(ME, "read", marker, principal=principal)
        return marker

    async def dismiss(self, principal: str, id: str, topic: MyTopic | None = None, offset: int = 0) -> None:
        """Show what was posted as `id` up to `offset` of a topic to this user no more, until there is news of it.

        Without a topic in both, without an offset what is there now; nothing happens where it is not there.
        """
        both: tuple[MyTopic, ...] = (ME, ALL)
        for one in both if topic is None else (topic,):
            shelf = self._shelf(one, principal)
            async with shelf.lock:
                await shelf.refresh()
                epoch, there = shelf.epoch, {name: entry.counts_at for name, entry in shelf.entries.items()}
            seen = there.get(id, 0)
            if seen and (offset == 0 or seen <= offset):
                await self._dismiss(principal, Dismissed(id, one, seen), epoch, there)

    async def _dismiss(self, principal: str, dismissed: Dismissed, epoch: str, there: Mapping[str, int]) -> None:
        to = _to(dismissed.topic)

        def change(state: ReadState) -> ReadState:
            return state.without(to, epoch, dismissed.id, dismissed.offset, there)

        _, is_new = await self._states.change(principal, change)
        if is_new:
            await self._publish(ME, "dismissed", dismissed, principal=principal)

    async def sweep(self, *, everything: bool) -> None:
        """Remove from the logs what has expired and what newer versions have replaced.

        To be called every minute; with `everything`, which reads the logs of all users, now and then.
        """
        logs = await self._storage.log.topics() if everything else list(self._shelves)
        for key in logs:
            if key != ALL and not key.startswith(f"{ME}//"):
                continue
            shelf = self._shelves.get(key) or Shelf(key, self._storage)
            async with shelf.lock:
                await shelf.refresh()
                shelf.expire(self._runtime.now_ms())
                await shelf.tidy()
        old_s = self._runtime.monotonic() - MOST_S
        self._paces = {one: pace for one, pace in self._paces.items() if pace.told_s > old_s or one in self._held}

    async def stop(self) -> None:
        """Tell of what waits to be told, now."""
        for held in list(self._held.values()):
            await self._tell_held(held)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
