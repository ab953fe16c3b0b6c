"""The envelopes of `/ws`: every message type once, for both directions.

An envelope is a JSON object with a `type`; a frame is a JSON array of envelopes (see codec.py). `data`, `params` and
`result` belong to the services and stay undecoded here. Unknown fields are ignored; new fields need defaults.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from .errors import ErrorInfo

NULL: Final = msgspec.Raw(b"null")
"""An undecoded nothing."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place in a topic's log: everything up to and including `offset` has been seen.

    `epoch` names one incarnation of the log, `id` is the id of the message at `offset` ("" at offset 0): the anchor
    that shows when a store handed an offset out twice.
    """

    epoch: str
    offset: int
    id: str = ""


class ClientInfo(msgspec.Struct, frozen=True):
    """Who speaks: the client program's name and version, for logs and status."""

    name: str = ""
    version: str = ""


# Client to server


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """First message of a connection: a new session, or one to go on with."""

    client: ClientInfo = ClientInfo()
    session: str | None = None
    resume: str | None = None
    positions: dict[str, Position | None] = {}
    """Subscriptions to go on with: topic to the last position seen, null where the topic has none."""
    attempt: int = 0
    """Rises with each socket that the client opens: a hello that was overtaken by a later one is recognised."""


class Subscribe(msgspec.Struct, tag="subscribe", frozen=True, gc=False):
    """Ask for a topic's events, from a position, from the earliest kept, or from now on."""

    ref: int
    topic: str
    since: Position | Literal["earliest", "latest"] = "latest"


class Unsubscribe(msgspec.Struct, tag="unsubscribe", frozen=True):
    """No more events of this topic; answered by an empty reply."""

    ref: int
    topic: str


class Request(msgspec.Struct, tag="request", frozen=True, gc=False):
    """Call a method of a service; answered by exactly one final reply."""

    ref: int
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    timeout_ms: int | None = None


class Cancel(msgspec.Struct, tag="cancel", frozen=True, gc=False):
    """Stop a request that is under way; it is still answered, with `cancelled` or with its result."""

    ref: int


class Ack(msgspec.Struct, tag="ack", frozen=True, gc=False):
    """What the client has consumed: frames of this connection, and requests whose outcome it has.

    Frames and not bytes: the sender knows how large each was, and a browser sees texts, not their bytes.
    """

    frames: int = 0
    done: int = 0
    """Every request up to this `ref` is settled."""
    also: list[int] = []
    """Requests above `done` that are settled as well: one that takes long does not hold back the others."""


# Both directions


class Ping(msgspec.Struct, tag="ping", frozen=True, gc=False):
    """Are you there? `t` comes back in the pong."""

    t: float = 0


class Pong(msgspec.Struct, tag="pong", frozen=True, gc=False):
    """I am; `t` is the ping's."""

    t: float = 0


class Bye(msgspec.Struct, tag="bye", frozen=True):
    """The end on purpose. From the client: free the session. From the server: why, and when to come back."""

    code: int = 1000
    reason: str = ""
    retry_after_ms: int | None = None


# Server to client


class Heartbeat(msgspec.Struct, frozen=True):
    """The server pings every `interval_ms`; silence of interval and grace is death, on both sides."""

    interval_ms: int
    grace_ms: int


class Limits(msgspec.Struct, frozen=True):
    """What the server accepts on one connection."""

    frame_bytes: int
    requests_in_flight: int
    topics: int


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """The session is open; `resumed` says whether it is the one that was asked for."""

    session: str
    resume: str
    resumed: bool
    server: str
    principal: str
    heartbeat: Heartbeat
    limits: Limits


class Subscribed(msgspec.Struct, tag="subscribed", frozen=True):
    """Answer to `subscribe` (`ref`) or to a position in `hello` (`ref` null)."""

    ref: int | None
    topic: str
    status: Literal["ok", "reset"] = "ok"
    position: Position | None = None
    """Where the events that follow start: after the position asked for, or after the head on `latest`/`reset`."""
    head: int | None = None
    """The topic's newest offset; everything from `position` up to it is replay, then `live` is said."""
    reason: str | None = None
    snapshot: msgspec.Raw = NULL


class Event(msgspec.Struct, tag="event", frozen=True, gc=False, omit_defaults=True):
    """Something happened in a topic. `offset` is null where the topic has no log."""

    topic: str
    offset: int | None
    id: str
    kind: str
    time: int
    """Milliseconds since 1970-01-01 UTC, by the server's clock."""
    data: msgspec.Raw
    prev: int | None = None


class PositionMoved(msgspec.Struct, tag="position", frozen=True):
    """The subscriber's position moved over offsets that were not for it."""

    topic: str
    position: Position
    prev: int


class Live(msgspec.Struct, tag="live", frozen=True):
    """Replay of this topic is complete; what follows is new."""

    topic: str


class Lagging(msgspec.Struct, tag="lagging", frozen=True):
    """This topic is served from its log until the connection has caught up."""

    topic: str


class Reply(msgspec.Struct, tag="reply", frozen=True, gc=False, omit_defaults=True):
    """The one final answer to a request; `error` if it failed. `ref` is null for an envelope that had none."""

    ref: int | None
    result: msgspec.Raw = NULL
    error: ErrorInfo | None = None


class Item(msgspec.Struct, tag="item", frozen=True, gc=False):
    """Part `n` (0, 1, 2 …) of a streamed reply."""

    ref: int
    n: int
    data: msgspec.Raw


ClientMessage: TypeAlias = Hello | Subscribe | Unsubscribe | Request | Cancel | Ack | Ping | Pong | Bye
ServerMessage: TypeAlias = (
    Welcome | Subscribed | Event | PositionMoved | Live | Lagging | Reply | Item | Ping | Pong | Bye
)
