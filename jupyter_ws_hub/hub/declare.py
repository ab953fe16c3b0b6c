"""What a service declares: its topics and methods, with payload types, permission, lane and retention.

The declarations are all that the hub knows of a service; validation, TypeScript types and documentation follow from
them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ..ports import Peer
from ..protocol.messages import Position
from ..storage.base import LogRetention

Permission: TypeAlias = tuple[str, str]
"""An action (read, write, execute) and a resource, as the server's authorizer is asked."""


class Lane(IntEnum):
    """How urgent a message is: control goes first, the others share by weight."""

    CONTROL = 0
    INTERACTIVE = 1
    NORMAL = 2
    BULK = 3


class Newest(NamedTuple):
    """One of the newest values that a service knows: as an event that was published then."""

    kind: str
    time_ms: int
    payload: msgspec.Struct


@dataclass(frozen=True)
class Latest:
    """Keep no log, only the newest event for each value of the payload's field `key`.

    An event whose field `gone` is true removes the value for its key.
    """

    key: str
    gone: str = "gone"
    values: Callable[[str], AsyncIterator[Newest]] | None = None
    """Gives a principal's newest values, for a topic of theirs: the hub keeps none, and asks when somebody begins."""


Retention: TypeAlias = LogRetention | Latest | None
"""A log that can be replayed, the latest values, or nothing."""

Snapshot: TypeAlias = Callable[[Peer, str, Position], Awaitable[msgspec.Struct]]
"""Gives what a subscriber needs when a replay cannot be complete: the state of the topic up to the position."""


@dataclass(frozen=True)
class Topic:
    """A topic, or a family of topics where the pattern's last segment is `*` (one segment, any name).

    A pattern that ends in `/me` names a different log for every principal.
    """

    pattern: str
    events: Mapping[str, type[msgspec.Struct]]
    """Event kinds and their payloads."""
    permission: Permission
    retain: Retention = None
    lane: Lane = Lane.NORMAL
    check: Callable[[Peer, str], Awaitable[None]] | None = None
    """Raises `not_found` for a topic of the family that does not exist, or that this peer may not know of."""
    watched: Callable[[str, bool], Awaitable[None]] | None = None
    """Awaited with a topic's name and True before its first subscriber is answered, which it may refuse by an error;
    and with False after the last one has left. Never twice at a time for one topic; may be cancelled."""
    snapshot: Snapshot | None = None
    snapshot_type: type[msgspec.Struct] | None = None
    """What `snapshot` gives, for the generated types."""

    def __post_init__(self) -> None:
        """Refuse what cannot be asked for: who follows a topic of all is not one principal."""
        if isinstance(self.retain, Latest) and self.retain.values is not None and not self.personal:
            raise ValueError(f"{self.pattern}: only a topic that is personal can have its values from its service")

    def matches(self, topic: str) -> bool:
        """Whether `topic` is this one, or one of this family."""
        if not self.pattern.endswith("/*"):
            return topic == self.pattern
        prefix, last = self.pattern[:-1], topic.rpartition("/")[2]
        return topic == prefix + last and last != ""

    @property
    def personal(self) -> bool:
        """Whether every principal has a log of their own."""
        return self.pattern.endswith("/me")

    def key(self, topic: str, principal: str | None) -> str:
        """The name under which the log is kept: the topic, and the principal where it is personal."""
        if not self.personal:
            return topic
        if principal is None:
            raise ValueError(f"topic {topic!r} is personal: name the principal")
        # No family of topics has a member with an empty segment, so none can share this log.
        return f"{topic}//{principal}"


@dataclass(frozen=True)
class Method:
    """A method of a service, ready to be called: `call(params, peer)` gives the result, or an iterator of its items."""

    name: str
    params: type[msgspec.Struct]
    result: Any
    """The type of the result; of one item where the reply is streamed."""
    permission: Permission
    call: Callable[[Any, Peer], Any]
    """Gives an awaitable of the result, or an asynchronous iterator where the reply is streamed."""
    lane: Lane = Lane.INTERACTIVE
    idempotent: bool = False
    """Running it twice does no more than running it once; only such a method is repeated by the client itself."""
    streamed: bool = False
    """The reply comes in items; `call` gives an asynchronous iterator. Only idempotent methods can be."""
    activity: bool = True
    """A call is something that a person did, and keeps the server from being stopped as idle."""
    document: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be kept: a streamed reply starts again after a reconnect."""
        if self.streamed and not self.idempotent:
            raise ValueError(f"{self.name}: a streamed method must be idempotent")
