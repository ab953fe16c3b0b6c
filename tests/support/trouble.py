"""Services that misbehave on purpose: for the server processes of the tests, found by their entry points."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Final

import msgspec

from jupyter_ws_hub.hub.declare import Latest
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.services.base import Health, Nothing, Service, Topic, method
from jupyter_ws_hub.storage.base import LogRetention

READ: Final = ("read", "status")
ITEM_BYTES: Final = 32 * 1024 - 200
"""What a streamed item may have, with room for its envelope."""
STOPPED: Final = "trouble has stopped"
"""What the log says when the service is stopped in an orderly way."""
LOG: Final = LogRetention(count=100_000, bytes=10**9, age_s=86400.0)


class Text(msgspec.Struct, frozen=True):
    """Something to say."""

    text: str = ""


class Amount(msgspec.Struct, frozen=True):
    """How many of how much: seconds, or bytes."""

    count: int = 1
    size: int = 0
    seconds: float = 0.0


class Piece(msgspec.Struct, frozen=True):
    """The `n`th of many, with something to carry; `id` is always the same, so that a `latest` topic keeps one."""

    n: int
    text: str = ""
    id: str = "one"


class TroubleService(Service):
    """Raises, hangs, burns, floods and answers hugely, as it is asked to."""

    name = "trouble"
    topics: ClassVar[Sequence[Topic]] = (
        Topic("trouble/log", {"piece": Piece}, READ, LOG),
        Topic("trouble/volatile", {"piece": Piece}, READ),
        Topic("trouble/latest", {"piece": Piece}, READ, Latest(key="id")),
    )

    async def start(self) -> None:
        """It behaves so far."""
        self._floods: list[asyncio.Task[None]] = []

    async def stop(self) -> None:
        """No more floods."""
        self._end_floods()
        self.context.runtime.logger.info(STOPPED)

    def _end_floods(self) -> None:
        for flood in self._floods:
            flood.cancel()

    @method("trouble.echo", permission=READ, idempotent=True)
    async def echo(self, params: Text, peer: Peer) -> Text:
        """The one method that does what it should."""
        return params

    @method("trouble.fail", permission=READ)
    async def fail(self, params: Nothing, peer: Peer) -> Nothing:
        """Raise."""
        raise RuntimeError("trouble was asked for")

    @method("trouble.fail_stream", permission=READ, idempotent=True)
    async def fail_stream(self, params: Nothing, peer: Peer) -> AsyncIterator[Piece]:
        """Raise in the midst of a stream."""
        yield Piece(0)
        raise RuntimeError("trouble was asked for")

    @method("trouble.wrong", permission=READ)
    async def wrong(self, params: Nothing, peer: Peer) -> Any:
        """Give what cannot be encoded."""
        return object()

    @method("trouble.hang", permission=READ, idempotent=True)
    async def hang(self, params: Nothing, peer: Peer) -> Nothing:
        """Wait for ever."""
        await asyncio.Event().wait()
        return params

    @method("trouble.burn", permission=READ, idempotent=True)
    async def burn(self, params: Amount, peer: Peer) -> Nothing:
        """Hold the event loop, and do not wait."""
        end_s = time.perf_counter() + params.seconds
        while time.perf_counter() < end_s:
            pass
        return Nothing()

    @method("trouble.huge", permission=READ, idempotent=True)
    async def huge(self, params: Amount, peer: Peer) -> Text:
        """Answer with `size` characters."""
        return Text("x" * params.size)

    @method("trouble.stream", permission=READ, idempotent=True)
    async def stream(self, params: Amount, peer: Peer) -> AsyncIterator[Piece]:
        """Stream `count` items as large as they may be."""
        text = "x" * ITEM_BYTES
        for n in range(params.count):
            yield Piece(n, text)

    @method("trouble.publish", permission=READ, idempotent=True)
    async def publish(self, params: Amount, peer: Peer) -> Nothing:
        """Publish `count` events of `size` bytes to the log, all at once."""
        text = "x" * params.size
        events = [self.context.publish("trouble/log", "piece", Piece(n, text)) for n in range(params.count)]
        await asyncio.gather(*events)
        return Nothing()

    @method("trouble.flood", permission=READ, idempotent=True)
    async def flood(self, params: Nothing, peer: Peer) -> Nothing:
        """Publish without a pause from now on."""
        for topic in ("trouble/volatile", "trouble/latest"):
            self._floods.append(asyncio.create_task(self._flood(topic)))
        return params

    async def _flood(self, topic: str) -> None:
        n = 0
        while True:
            await self.context.publish(topic, "piece", Piece(n, "x" * 100))
            n += 1

    @method("trouble.ebb", permission=READ, idempotent=True)
    async def ebb(self, params: Nothing, peer: Peer) -> Nothing:
        """End the floods."""
        self._end_floods()
        return params


class StillbornService(Service):
    """Cannot start, nor stop."""

    name = "stillborn"

    async def start(self) -> None:
        """Raise."""
        raise RuntimeError("it does not want to start")

    async def stop(self) -> None:
        """Raise."""
        raise RuntimeError("it does not want to stop")


class SickService(Service):
    """Cannot tell how it is, and does not stop."""

    name = "sick"

    def health(self) -> Health:
        """Raise."""
        raise RuntimeError("it does not know how it is")

    async def stop(self) -> None:
        """Raise."""
        raise RuntimeError("it does not want to stop")


class SleeperService(Service):
    """Never comes to the end of its start."""

    name = "sleeper"

    async def start(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()
