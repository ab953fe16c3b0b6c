"""The ports of storage: TopicLog (events), KeyValue (small records), Documents (what is searched); Storage for all.

Adapters (memory.py, sqlite, failover.py) promise the same; tests/storage/contract.py holds them to it. All times are
handed in, either as arguments or as a clock at construction. Nothing here knows topics' meanings or who reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError

Clock = Callable[[], float]
"""Seconds since 1970-01-01 UTC."""

NewId = Callable[[], str]
"""Gives a random id, unique for all time."""


class StorageFailure(HubError):
    """The store serves nobody any more until something is done about it: it is full, damaged, gone or not writable.

    A store that is only busy, or held by another program, is an ordinary `HubError` and no failure.
    """

    def __init__(self, code: Code, message: str, *, damaged: bool = False) -> None:
        """`damaged` means that what is stored cannot be trusted: it is to be set aside, not written to again."""
        super().__init__(code, message)
        self.damaged = damaged


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message that has no offset yet."""

    id: str
    kind: str
    time_ms: int
    data: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """A message at its place in a topic's log."""

    offset: int
    id: str
    kind: str
    time_ms: int
    data: bytes


class Head(msgspec.Struct, frozen=True, gc=False):
    """What a log holds: the offsets `floor + 1` to `offset`, of the incarnation `epoch`.

    `id` and `floor_id` are the ids of the messages at `offset` and at `floor` ("" at 0): anchors of positions.
    """

    epoch: str
    offset: int
    id: str
    floor: int
    floor_id: str


class LogRetention(msgspec.Struct, frozen=True):
    """How much of a log is kept; what is beyond any of the three limits may be trimmed, oldest first.

    A compacted message counts for `age_s` only. It also goes when a message after it is trimmed.
    """

    count: int
    bytes: int
    age_s: float


class TopicLog(Protocol):
    """Logs of messages, one per topic, each with offsets 1, 2, 3 … without a hole.

    A log comes to be at its first use, with a random epoch. All methods raise `HubError` (`unavailable`,
    `no_space`, `busy`) when the store cannot serve, `StorageFailure` when it will not by itself.
    What is read has holes where messages were compacted.
    """

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """Add messages at the end, all or none; return when they are stored, with their records.

        A draft whose id the log has already is not added again: its record is the one that is there; its data is
        empty if it was compacted.
        """
        ...

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """The first `limit` messages with data that are kept with an offset above `after`, in order."""
        ...

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """The last `limit` messages with data below offset `before` (None: up to the end), in order."""
        ...

    async def head(self, topic: str) -> Head:
        """What the log holds now."""
        ...

    async def id_at(self, topic: str, offset: int) -> str | None:
        """The id of the message at `offset`, compacted or not; None if it is not kept."""
        ...

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """Remove what `retention` does not keep, oldest first; the number of messages removed."""
        ...

    async def compact(self, topic: str, offsets: Iterable[int], epoch: str) -> int:
        """Remove the data of these messages; return of how many. Does nothing if the log has another epoch by now.

        Their offsets and ids stay, so that positions at them stay valid and their ids are not added again, but no
        read gives them. Offsets that are not kept or are compacted already are passed over.
        """
        ...

    async def topics(self) -> list[str]:
        """All topics that have a log, sorted."""
        ...

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a topic, on the event loop, when another process has added to its log."""
        ...


class Versioned(msgspec.Struct, frozen=True):
    """A value and the version it has: a number that no other state of this key ever has."""

    value: bytes
    version: int


class Stored(msgspec.Struct, frozen=True):
    """A value as it is moved from one store to another; `expires_s` is when it dies, by the clock, None: never."""

    value: bytes
    version: int
    expires_s: float | None


class VersionConflict(Exception):
    """The key was not in the version that the writer expected; `current` is its version now, 0 if absent."""

    def __init__(self, key: str, current: int) -> None:
        """Name the key and its version."""
        super().__init__(f"{key!r} is at version {current}")
        self.key = key
        self.current = current


class KeyValue(Protocol):
    """Small records with compare-and-set and a time to live. Expired keys are absent."""

    async def get(self, key: str) -> Versioned | None:
        """The value now."""
        ...

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """Set the value and give its new version.

        `expect` is the version it must have (0: absent; None: any), `ttl_s` its time to live (None: for ever).

        Raises:
            VersionConflict: it is in another version; nothing was changed.
        """
        ...

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Remove the key, say whether it was there; raises as `put`."""
        ...

    async def scan(self, prefix: str) -> dict[str, Versioned]:
        """All keys that start with `prefix`, sorted."""
        ...

    async def dump(self) -> dict[str, Stored]:
        """All values, to be loaded into another store; after what was asked for before."""
        ...

    async def load(self, values: Mapping[str, Stored], gone: Iterable[str] = ()) -> None:
        """Take values over with the versions that they have and remove what is `gone`; all or none.

        Versions given later are above all that were taken over.
        """
        ...


class Document(msgspec.Struct, frozen=True, gc=False):
    """A record that is kept until it is dropped, can be changed, and is found by its words.

    `seq` is its place in its collection: 1, 2, 3 … in the order in which they were added. `version` is 1 at first and
    one more after each change.
    """

    collection: str
    id: str
    seq: int
    version: int
    time_ms: int
    """When it was added; the writer's clock."""
    data: bytes


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A document that was found, and a piece of its text around what was looked for (plain, at most 200 characters)."""

    document: Document
    snippet: str


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """What has become of a document, with its text; or that a collection was dropped, where there is no document.

    `number` rises with each change of the store that tells it; 0 where nobody asks.
    """

    number: int
    collection: str
    document: Document | None
    text: str


class Documents(Protocol):
    """Records in collections, each with an id, in the order of their adding; what their texts say can be searched.

    Raises as TopicLog does. Collections come to be by what is added to them.
    """

    async def add(self, collection: str, id: str, time_ms: int, data: bytes, text: str) -> tuple[Document, bool]:
        """Add a document at the end of its collection; return when it is stored.

        Where the collection has this id already, nothing is changed, and that one is given; the flag says whether it
        was added. `text` is what can be searched; "" for nothing.
        """
        ...

    async def change(self, collection: str, id: str, data: bytes, text: str, *, expect: int) -> Document:
        """Replace the data and the text of a document that has version `expect`; it has the next one then.

        Raises:
            VersionConflict: it is in another version, 0 if there is none.
        """
        ...

    async def get(self, collection: str, id: str) -> Document | None:
        """A document by its id."""
        ...

    async def page_back(self, collection: str, before: int | None, limit: int) -> list[Document]:
        """The last `limit` documents with a place below `before` (None: up to the end), in order."""
        ...

    async def page(self, collection: str, after: int, limit: int) -> list[Document]:
        """The first `limit` documents with a place above `after`, in order."""
        ...

    async def ends(self, collections: Collection[str]) -> dict[str, int]:
        """The place of the last document of each of these collections; 0 where there is none."""
        ...

    async def search(self, words: Sequence[str], collections: Collection[str], limit: int, skip: int = 0) -> list[Hit]:
        """Documents of these collections in which all words stand (or what begins with the last one), newest first.

        Newest: added last. Letters count without their case and accents. What separates letters and digits separates
        words: a word with such in it is looked for as several in a row, and one of nothing else is passed over. The
        first `skip` of what is found are left out.
        """
        ...

    async def drop(self, collection: str) -> int:
        """Remove a collection with all that it has; the number of documents removed. At once for all who ask."""
        ...

    async def collections(self) -> list[str]:
        """All collections that have documents, sorted."""
        ...

    async def load(self, gathered: Sequence[Gathered]) -> None:
        """Take over what was gathered in another store, in that order; all or none up to the next drop.

        A document whose id the collection does not have goes to its end, with its version. Of one that it has in
        another state, the one with the higher version stays, the given one if they are equal; the version is a new one.
        """
        ...


class GatheringDocuments(Documents, Protocol):
    """Documents that note what becomes of them, to be moved into another store."""

    async def gathered(self, after: int, limit: int) -> list[Gathered]:
        """The first `limit` changes with a number above `after`, in order; of each document only the last."""
        ...


class Storage(Protocol):
    """The stores of one server, and what is wrong with them."""

    @property
    def log(self) -> TopicLog:
        """The messages."""
        ...

    @property
    def values(self) -> KeyValue:
        """The records."""
        ...

    @property
    def documents(self) -> Documents:
        """The records that can be searched."""
        ...

    @property
    def degraded(self) -> str | None:
        """Why less is kept than configured, as a sentence for a person; None when all is well."""
        ...

    def on_switched(self, listener: Callable[[], None]) -> None:
        """Call `listener`, on the event loop, when the logs have become others: all epochs and heads are new."""
        ...

    async def upkeep(self) -> None:
        """Let go of values that have expired and of space that nothing uses; to be called every few minutes.

        It goes in slices, so that other work gets its turn. Raises as TopicLog does.
        """
        ...

    def close(self) -> None:
        """Finish what is under way and let go of files and threads. Blocks for that long; idempotent."""
        ...


class Spare(Storage, Protocol):
    """A storage that can stand in for another one, to which is moved what it has gathered."""

    @property
    def documents(self) -> GatheringDocuments:
        """The records that can be searched."""
        ...


def check_log_arguments(after: int, limit: int) -> None:
    """Refuse what no log can answer; a bug of the caller."""
    if after < 0 or limit < 1:
        raise ValueError(f"offsets start at 0 and limits at 1, not {after} and {limit}")
