"""One topic's life on this server: who is subscribed, how far its log has come, what its latest values are.

An event is encoded once for all its subscribers, and what comes soon after an event is offered together: a round
through all of them costs what it costs, however many events it carries.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

from ..protocol.codec import encode
from ..protocol.messages import Event
from ..storage.base import Record
from .declare import Latest, Topic

PIECE_BYTES: Final = 16 * 1024
"""Envelopes of one batch are joined up to this size: small enough that frames are filled well."""

ROUND_S: Final = 20e-6
"""For each subscriber so much time lies between the beginnings of two rounds, about what its share of one costs."""

FEW: Final = 8
"""So many subscribers are told of each event at once."""

AT_A_TIME: Final = 16
"""Subscribers that are served in one turn of the event loop: about half a millisecond."""

MAX_GATHER_S: Final = 0.01
MAX_GATHERED: Final = 250
"""What is gathered is offered after so long, or when it is so many events, at the latest."""


class LatestValue(msgspec.Struct, frozen=True):
    """One of the values that a `latest` topic's snapshot lists."""

    kind: str
    time: int
    data: msgspec.Raw


NOTHING: Final[Mapping[str, LatestValue]] = MappingProxyType({})


def _key_of(retain: Latest, kind: str, payload: msgspec.Struct) -> str:
    return f"{kind}/{getattr(payload, retain.key)}"


class Batch(NamedTuple):
    """Encoded events that belong together: `pieces` are envelopes joined by commas.

    `first` and `last` are the offsets of a run without a hole; both are None where the topic keeps no log.
    """

    first: int | None
    last: int | None
    pieces: Sequence[bytes]
    size: int
    """Bytes of all pieces."""
    number: int
    """Counts the batches of a topic."""


def join_pieces(envelopes: Iterable[bytes], piece_bytes: int = PIECE_BYTES) -> list[bytes]:
    """Join envelopes to pieces of at most `piece_bytes`; one that alone is larger stays alone."""
    pieces: list[bytes] = []
    group: list[bytes] = []
    size = 0
    for envelope in envelopes:
        if group and size + len(envelope) > piece_bytes:
            pieces.append(b",".join(group))
            group, size = [], 0
        group.append(envelope)
        size += len(envelope) + 1
    if group:
        pieces.append(b",".join(group))
    return pieces


class Subscriber(Protocol):
    """Somebody who is told of a topic's events."""

    def offer(self, batch: Batch) -> None:
        """Take events or not; must neither wait nor raise."""
        ...

    def catch_up(self) -> None:
        """The log has more than what was offered: read it."""
        ...

    def renew(self) -> None:
        """The log is another one now: tell the client of a reset."""
        ...

    def hold(self) -> None:
        """Give the client nothing more until it is known by `recheck` whether it may still follow."""
        ...

    def recheck(self) -> None:
        """Begin to ask whether the client may still follow; after `hold`."""
        ...


class TopicState:
    """One topic's life on this server; `head` is the newest offset this server has heard of."""

    def __init__(self, key: str, name: str, spec: Topic, principal: str | None = None) -> None:
        """`key` names the log, `name` is what stands on the wire; `principal` is whose a personal topic is."""
        self.key = key
        self.name = name
        self.spec = spec
        self._principal = principal
        self.head = 0
        self.subscribers: set[Subscriber] = set()
        self._latest: dict[str, LatestValue | None] = {}
        """The newest values by key, None for what is gone; where the service has them only those of while it is asked.
        """
        self._asking = 0
        self._gathered: list[bytes] = []
        self._first = 0
        """The offset of the first event that was gathered; 0 if none was, or the topic keeps no log."""
        self._offered_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.batches = 0
        self._rounds: deque[tuple[Batch, list[Subscriber]]] = deque()
        """Batches on their way, with the subscribers that they have not reached."""

    # Latest values

    @property
    def is_needed(self) -> bool:
        """Whether somebody follows it, or it has values that nobody else has."""
        return bool(self.subscribers or (self._latest and not self._is_asked))

    def keep(self, retain: Latest, event: Event, payload: msgspec.Struct) -> None:
        """Keep an event as the newest of its key, unless the service can be asked for it."""
        key = _key_of(retain, event.kind, payload)
        if retain.values is not None and not self._asking:
            return
        if not getattr(payload, retain.gone, False):
            self._latest[key] = LatestValue(event.kind, event.time, event.data)
        elif retain.values is not None:
            self._latest[key] = None  # the service may just have said that it is there
        else:
            self._latest.pop(key, None)

    @asynccontextmanager
    async def looked_up(self) -> AsyncIterator[Callable[[], list[LatestValue]]]:
        """What gives the latest values as they are when it is called, in the order of their keys.

        Where the service has them they are those of when it was asked, with what was published since.

        Raises:
            HubError: as the service says.
        """
        self._asking += 1
        try:
            found = await self._ask()
            yield lambda: self.snapshot(found)
        finally:
            self._asking -= 1
            if self._is_asked and not self._asking:
                self._latest.clear()

    @property
    def _is_asked(self) -> bool:
        return isinstance(self.spec.retain, Latest) and self.spec.retain.values is not None

    async def _ask(self) -> dict[str, LatestValue]:
        retain, found = self.spec.retain, dict[str, LatestValue]()
        if isinstance(retain, Latest) and retain.values is not None and self._principal is not None:
            async for kind, time_ms, payload in retain.values(self._principal):
                data = msgspec.Raw(msgspec.json.encode(payload))
                found[_key_of(retain, kind, payload)] = LatestValue(kind, time_ms, data)
        return found

    def snapshot(self, found: Mapping[str, LatestValue] = NOTHING) -> list[LatestValue]:
        """The latest values, in the order of their keys; `found` is what the service has said."""
        values = {**found, **self._latest}
        return [value for key in sorted(values) if (value := values[key]) is not None]

    # Events

    def envelope(self, record: Record, prev: int | None = None) -> bytes:
        """A logged message as it goes on the wire; `prev` where messages before it are left out."""
        data = msgspec.Raw(record.data)
        return encode(Event(self.name, record.offset, record.id, record.kind, record.time_ms, data, prev))

    def announce(self, records: Sequence[Record]) -> None:
        """Offer what the log has got to all subscribers, unless they were told before; soon, if not now."""
        new = [record for record in records if record.offset > self.head]
        if not new:
            return
        is_run = len(new) == new[-1].offset - new[0].offset + 1
        if not is_run or (self._first and new[0].offset != self._first + len(self._gathered)):
            # There is a hole, which the log knows about.
            self.flush()
            self.head = new[-1].offset
            for subscriber in tuple(self.subscribers):
                subscriber.catch_up()
            return
        self._first = self._first or new[0].offset
        self.head = new[-1].offset
        self._gather(map(self.envelope, new))

    def shout(self, event: Event) -> None:
        """Offer an event that no log keeps."""
        self._gather([encode(event)])

    def _gather(self, envelopes: Iterable[bytes]) -> None:
        self._gathered.extend(envelopes)
        if not self._rounds:
            self._plan()

    def _plan(self) -> None:
        """Let the next round begin when it is time; while one is under way, what comes is gathered."""
        loop = asyncio.get_running_loop()
        gather_s = min((len(self.subscribers) - FEW) * ROUND_S, MAX_GATHER_S)
        wait_s = self._offered_s + gather_s - loop.time()
        if gather_s <= 0 or wait_s <= 0 or len(self._gathered) >= MAX_GATHERED:
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_later(wait_s, self.flush)

    def flush(self) -> None:
        """Offer what was gathered, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._gathered:
            return
        first = self._first or None
        pieces = join_pieces(self._gathered)
        self.batches += 1
        last = first and first + len(self._gathered) - 1
        batch = Batch(first, last, pieces, sum(map(len, pieces)), self.batches)
        self._gathered, self._first = [], 0
        self._offered_s = asyncio.get_running_loop().time()
        self._rounds.append((batch, list(self.subscribers)))
        if len(self._rounds) == 1:
            self._go_round()

    def _go_round(self) -> None:
        """Offer to some subscribers in this turn of the loop, to others in the next: each has a frame to write."""
        batch, subscribers = self._rounds[0]
        for subscriber in subscribers[-AT_A_TIME:]:
            subscriber.offer(batch)
        del subscribers[-AT_A_TIME:]
        if not subscribers:
            self._rounds.popleft()
        if self._rounds:
            asyncio.get_running_loop().call_soon(self._go_round)
        elif self._gathered:
            self._plan()

    def renew(self) -> None:
        """The log is another one now: what was gathered of the old one is nothing any more."""
        self._gathered, self._first, self.head = [], 0, 0
        for _, subscribers in self._rounds:
            subscribers.clear()
        for subscriber in tuple(self.subscribers):
            subscriber.renew()
