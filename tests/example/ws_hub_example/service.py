"""A service with a request, a streamed request and a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, ClassVar

import msgspec

from jupyter_ws_hub.services.base import Peer, Service, Topic, method
from jupyter_ws_hub.storage.base import LogRetention

# What the server's authorizer is asked: an action and a resource.
READ = ("read", "example")
WRITE = ("write", "example")


class GreetParams(msgspec.Struct, frozen=True):
    """Whom to greet. What breaks a bound is refused as `invalid` before the method is called."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Greeting(msgspec.Struct, frozen=True):
    """A greeting."""

    text: str


class CountParams(msgspec.Struct, frozen=True):
    """How far to count."""

    to: Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class Counted(msgspec.Struct, frozen=True):
    """One item of a count."""

    number: int


class Tick(msgspec.Struct, frozen=True):
    """Somebody has ticked."""

    note: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class ExampleService(Service):
    """Greets, counts, and tells all who listen of ticks."""

    name = "example"
    topics: ClassVar[Sequence[Topic]] = (
        # The newest 1000 ticks are kept, for a day at most: who was away gets what it has missed.
        Topic("example/ticks", {"tick": Tick}, READ, LogRetention(count=1000, bytes=1024 * 1024, age_s=86400)),
    )

    @method("example.greet", permission=READ, idempotent=True)
    async def greet(self, params: GreetParams, peer: Peer) -> Greeting:
        """Greet somebody."""
        return Greeting(f"Hello {params.name}!")

    @method("example.count", permission=READ, idempotent=True)
    async def count(self, params: CountParams, peer: Peer) -> AsyncIterator[Counted]:
        """Count from 1 on, one item for each number, no faster than the client takes them."""
        for number in range(1, params.to + 1):
            yield Counted(number)

    @method("example.tick", permission=WRITE)
    async def tick(self, params: Tick, peer: Peer) -> None:
        """Tick once: it is in the topic's log when this is answered."""
        await self.context.publish("example/ticks", "tick", params)
