"""The ports of storage: TopicLog for messages, KeyValue for small records, Storage for both and their end.

Adapters (memory.py, sqlite.py) promise the same; tests/storage/contract.py holds them to it. All times are handed in,
either as arguments or as a clock at construction. Nothing here knows topics' meanings or who reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

Clock = Callable[[], float]
"""Seconds since 1970-01-01 UTC."""

NewId = Callable[[], str]
"""Gives a random id, unique for all time."""


class Draft(msgspec.Struct, frozen=True):
    """A message that has no offset yet."""

    id: str
    kind: str
    time_ms: int
    data: bytes


class Record(msgspec.Struct, frozen=True):
    """A message at its place in a topic's log."""

    offset: int
    id: str
    kind: str
    time_ms: int
    data: bytes


class Head(msgspec.Struct, frozen=True):
    """What a log holds: the offsets `floor + 1` to `offset`, of the incarnation `epoch`.

    `id` and `floor_id` are the ids of the messages at `offset` and at `floor` ("" at 0): anchors of positions.
    """

    epoch: str
    offset: int
    id: str
    floor: int
    floor_id: str


class LogRetention(msgspec.Struct, frozen=True):
    """How much of a log is kept; what is beyond any of the three limits may be trimmed, oldest first."""

    count: int
    bytes: int
    age_s: float


class TopicLog(Protocol):
    """Logs of messages, one per topic, each with offsets 1, 2, 3 … without a hole.

    A log comes to be at its first use, with a random epoch. All methods raise `HubError` (`unavailable`,
    `no_space`, `busy`) when the store cannot serve.
    """

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """Add messages at the end, all or none; return when they are stored, with their records.

        A draft whose id the log has already is not added again: its record is the one that is there.
        """
        ...

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """The first `limit` messages that are kept with an offset above `after`, in order."""
        ...

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """The last `limit` messages below offset `before` (None: up to the end), in order."""
        ...

    async def head(self, topic: str) -> Head:
        """What the log holds now."""
        ...

    async def id_at(self, topic: str, offset: int) -> str | None:
        """The id of the message at `offset`, None if it is not kept."""
        ...

    async def trim(self, topic: str, retention: LogRetention, now_ms: int) -> int:
        """Remove what `retention` does not keep, oldest first; the number of messages removed."""
        ...

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a topic, on the event loop, when another process has added to its log."""
        ...


class Versioned(msgspec.Struct, frozen=True):
    """A value and the version it has: a number that no other state of this key ever has."""

    value: bytes
    version: int


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


class Storage(Protocol):
    """Both stores of one server, and what is wrong with them."""

    @property
    def log(self) -> TopicLog:
        """The messages."""
        ...

    @property
    def values(self) -> KeyValue:
        """The records."""
        ...

    @property
    def degraded(self) -> str | None:
        """Why less is kept than configured, as a sentence for a person; None when all is well."""
        ...

    def close(self) -> None:
        """Finish what is under way and let go of files and threads. Blocks for that long; idempotent."""
        ...


def check_log_arguments(after: int, limit: int) -> None:
    """Refuse what no log can answer; a bug of the caller."""
    if after < 0 or limit < 1:
        raise ValueError(f"offsets start at 0 and limits at 1, not {after} and {limit}")
