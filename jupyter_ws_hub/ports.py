"""What every layer from the hub up is handed: who a peer is and what it may do, time, ids, whom to tell of activity."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger
from typing import Protocol

import msgspec

from .protocol.codes import Code
from .protocol.errors import HubError


@dataclass(frozen=True)
class Peer:
    """The authenticated user of a connection.

    `principal` owns sessions, operations and `…/me` topics; it is empty, never for a connection, where a program that
    only posts notifications has no user. `username` and `display_name` are who is asking.
    `authorize` asks the server's authorizer about an action on a resource.
    """

    principal: str
    username: str
    display_name: str
    authorize: Callable[[str, str], Awaitable[bool]]
    client: str = ""
    """Which of the user's clients asks: its session on /ws, the same over all its connections; empty elsewhere."""

    async def require(self, action: str, resource: str, what: str) -> None:
        """Raise `forbidden` unless the peer may do `action` on `resource`; `what` names it for a person."""
        if not await self.authorize(action, resource):
            raise HubError(Code.FORBIDDEN, f"{self.username} may not use {what}: it needs {action!r} on {resource!r}.")


@dataclass(frozen=True)
class Runtime:
    """Time, ids and a log, handed to everything that needs them."""

    clock: Callable[[], float]
    """Seconds since 1970-01-01 UTC."""
    monotonic: Callable[[], float]
    """Seconds of a clock that never jumps."""
    new_id: Callable[[], str]
    """A random id of 128 bits."""
    logger: Logger
    active: Callable[[], None]
    """Tell the server that a person did something, so that it is not stopped as idle."""
    jitter: Callable[[], float] = random.random
    """A random share between 0 and 1, so that many do not do the same at the same time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return int(self.clock() * 1000)


class Publish(Protocol):
    """Publishes an event, as `hub.topics.Topics.publish` says: told to others only after the topic's log has it."""

    async def __call__(
        self, topic: str, kind: str, payload: msgspec.Struct, *, principal: str | None = None, id: str | None = None
    ) -> int | None:
        """Give the event's offset, None where the topic keeps no log."""
        ...
