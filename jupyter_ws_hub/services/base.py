"""What a service is: one file with payload structs, topics and methods, that the hub serves.

A service gets all it needs of the platform from its context. Services do not know each other.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_type_hints

import msgspec

from ..chat.chat import Chat
from ..hub.declare import Lane, Method, Permission, Topic
from ..listing.helper import ListingHelper
from ..notices.settings import NoticeSettings
from ..ports import Peer, Publish, Runtime
from ..storage.base import Storage
from ..transfers.store import TransferStore
from .ports import Contents, Gauge, Platform, SocketCounts

F = TypeVar("F", bound=Callable[..., Awaitable[Any] | AsyncIterator[Any]])

State = Literal["ok", "degraded", "down"]


class Nothing(msgspec.Struct, frozen=True):
    """Parameters of a method that takes none."""


class Health(msgspec.Struct, frozen=True):
    """How a service is: ok, degraded or down, and why if it is not ok."""

    id: str
    state: State
    reason: str | None = None
    gone: bool = False


@dataclass(frozen=True)
class ServiceContext:
    """What a service may use."""

    publish: Publish
    storage: Storage
    runtime: Runtime
    contents: Contents
    platform: Platform
    transfers: TransferStore
    listings: ListingHelper
    chat: Chat
    notices: NoticeSettings
    max_reply_bytes: int
    """The largest answer of an idempotent method."""
    recheck: Callable[[str], None]
    """Have the permissions of all who follow a topic asked again, soon; who may not any more is told."""
    survey: Callable[[], Sequence[Health]]
    """How all services of this server are."""
    sockets: Callable[[], SocketCounts]
    """The connections that are open now."""
    gauge: Callable[[], Gauge]
    """A new gauge for what the server uses."""


@dataclass(frozen=True)
class _Declared:
    name: str
    permission: Permission
    lane: Lane | None
    idempotent: bool
    activity: bool


def method(
    name: str,
    *,
    permission: Permission,
    lane: Lane | None = None,
    idempotent: bool = False,
    activity: bool = True,
) -> Callable[[F], F]:
    """Serve requests for `name` with the decorated `async def (self, params, peer) -> result`.

    The types of `params` and of the result are its annotations: msgspec structs, or what msgspec can encode. An
    asynchronous generator (`-> AsyncIterator[item]`, with `yield`) streams its reply item by item, in the bulk lane
    unless `lane` says otherwise; it must be idempotent, and an item has at most 32 KiB. `activity=False` is for what
    pages ask by themselves: it does not keep an idle server alive.
    """

    def decorate(function: F) -> F:
        mark = _Declared(name, permission, lane, idempotent, activity)
        function.__hub_method__ = mark  # type: ignore[attr-defined]  # a mark
        return function

    return decorate


class Service:
    """Base class of all services; the class's docstring is its description."""

    name: ClassVar[str]
    topics: ClassVar[Sequence[Topic]] = ()

    context: ServiceContext

    def bind(self, context: ServiceContext) -> None:
        """Take the context; called once, before `start`."""
        self.context = context

    async def start(self) -> None:
        """Begin work; on the event loop. What it raises marks the service as down, others go on."""

    async def stop(self) -> None:
        """End all that was begun."""

    def health(self) -> Health:
        """How the service is now; cheap."""
        return Health(self.name, "ok")

    def all_topics(self) -> Sequence[Topic]:
        """The topics; to be overridden where they need the service itself (a snapshot)."""
        return self.topics

    def methods(self) -> Iterator[Method]:
        """The methods that are declared by `@method`, in the order of their names."""
        for _, function in inspect.getmembers(self, inspect.ismethod):
            declared: _Declared | None = getattr(function, "__hub_method__", None)
            if declared is None:
                continue
            streamed = inspect.isasyncgenfunction(function)
            hints = get_type_hints(function)
            result = hints.pop("return")
            if streamed:
                (result,) = get_args(result)[:1]
            hints.pop("peer", None)
            (params,) = hints.values()
            default = Lane.BULK if streamed else Lane.INTERACTIVE
            yield Method(
                name=declared.name,
                params=params,
                result=result,
                permission=declared.permission,
                call=function,
                lane=default if declared.lane is None else declared.lane,
                idempotent=declared.idempotent,
                streamed=streamed,
                activity=declared.activity,
                document=inspect.getdoc(function) or "",
            )


__all__ = ["Health", "Lane", "Method", "Nothing", "Peer", "Publish", "Service", "ServiceContext", "Topic", "method"]
