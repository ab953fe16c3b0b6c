"""How a request is answered: its method is called, in time, and what comes of it becomes one encoded reply.

Answers are bounded: one that has to be kept is small, a large one is made when it can go out, a streamed one goes as
fast as its client takes it. It knows no connection but as a line, and nothing of what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, NamedTuple, Protocol

import msgspec

from ..protocol.codec import encode
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Item, Reply
from .declare import Lane, Method
from .outbox import BULK_FRAME_BYTES
from .router import Router
from .workers import Call

MAX_TIMEOUT_MS: Final = 24 * 3600 * 1000

KEPT_REPLY_BYTES: Final = 32 * 1024
"""A larger answer of an idempotent method is not kept: who has lost it gets it made anew."""

MAX_DURABLE_REPLY_BYTES: Final = 64 * 1024
"""The largest answer of a method that is not idempotent; it has to be kept."""

STALLED_S: Final = 90.0
"""A streamed reply of which the client takes nothing for so long is ended: it holds what its service has for it.

Longer than the minute that our own client waits for who does not take a stream's items: it holds back all of them.
"""

ENVELOPE_BYTES: Final = 100
"""More than what a reply adds to its result."""


def error_reply(ref: int | None, error: HubError) -> bytes:
    """An encoded reply that tells of an error."""
    return encode(Reply(ref, error=error.info))


class Line(Protocol):
    """The way to the client: a connection."""

    def reply(self, lane: Lane, envelope: bytes) -> None:
        """Send a small reply, now or when there is room."""
        ...

    def fits(self, lane: Lane, size: int) -> bool:
        """Whether so many bytes may be sent now."""
        ...

    async def room(self, lane: Lane, size: int) -> None:
        """Wait until they may, or until the connection has ended."""
        ...

    def taken_bytes(self, lane: Lane) -> int:
        """How many bytes of a lane the client has taken so far."""
        ...


class Answer(NamedTuple):
    """An encoded reply: the lane it goes in, whether the store has to have it first, whether it is kept."""

    lane: Lane
    reply: bytes
    durable: bool
    keep: bool


class Answers:
    """Answers the calls of one session."""

    def __init__(
        self,
        router: Router,
        max_reply_bytes: int,
        line: Callable[[], Line | None],
        before: Callable[[Call], Awaitable[bytes | None]],
    ) -> None:
        """`line` gives the connection of the moment; `before` is asked before a method that must not run twice: it
        raises, or gives the reply that is there already, or None.
        """
        self._router = router
        self._max_reply_bytes = max_reply_bytes
        self._line = line
        self._before = before

    async def answer(self, call: Call) -> Answer:
        """The one answer to a call, whatever its method does; what is raised is only the call's own cancelling.

        A streamed call whose client is gone is `abandoned`, and has no answer.
        """
        request = call.request
        lane, durable, keep = Lane.INTERACTIVE, False, True
        try:
            method = self._router.method(request.method)
            lane, durable, keep = method.lane, not method.idempotent, not method.streamed
            reply = await self._in_time(call, method)
        except HubError as error:
            reply = error_reply(request.ref, error)
        except TimeoutError:
            late = HubError(Code.TIMEOUT, f"{request.method} took longer than {request.timeout_ms} ms.")
            reply = error_reply(request.ref, late)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this request: the service raised what it should not.
            reply = error_reply(request.ref, HubError(Code.INTERNAL, f"{request.method} ended without a result."))
        return Answer(lane, reply, durable, keep and (durable or len(reply) <= KEPT_REPLY_BYTES))

    async def _in_time(self, call: Call, method: Method) -> bytes:
        if call.request.timeout_ms is None:
            return await self._call(call, method)
        async with asyncio.timeout(min(call.request.timeout_ms, MAX_TIMEOUT_MS) / 1000):
            return await self._call(call, method)

    async def _call(self, call: Call, method: Method) -> bytes:
        """The encoded reply to a call that succeeds."""
        ref = call.request.ref
        if method.streamed:
            await self._stream(call, method)
            return encode(Reply(ref))
        if not method.idempotent:
            outcome = await self._before(call)
            if outcome is not None:
                return outcome
        limit = self._max_reply_bytes - ENVELOPE_BYTES
        if not method.idempotent:
            limit = min(limit, MAX_DURABLE_REPLY_BYTES)
        while True:
            result = await self._router.call(method, call.request.params, call.peer)
            if len(result) > limit:
                raise HubError(
                    Code.TOO_BIG,
                    f"The answer of {method.name} has {len(result)} bytes, the limit is {limit}; use a file stream.",
                )
            reply = encode(Reply(ref, result=msgspec.Raw(result)))
            line = self._line()
            if not method.idempotent or len(reply) <= KEPT_REPLY_BYTES or line is None:
                return reply
            if line.fits(method.lane, len(reply)):
                return reply
            # Nothing large waits in memory for a client that does not read: it is made anew when it can go out.
            size = len(reply)
            del result, reply
            await line.room(method.lane, size)

    async def _stream(self, call: Call, method: Method) -> None:
        """Send the items of a streamed reply, as fast as the client takes them."""
        ref, n = call.request.ref, 0
        async with aclosing(self._router.stream(method, call.request.params, call.peer)) as items:
            async for data in items:
                envelope = encode(Item(ref, n, msgspec.Raw(data)))
                if len(data) > BULK_FRAME_BYTES:
                    raise HubError(
                        Code.TOO_BIG, f"An item of {method.name} has {len(data)} bytes; the limit is 32 KiB."
                    )
                line = self._line()
                if line is None:
                    call.abandoned = True
                    return
                await self._room(line, method, len(envelope))
                line.reply(method.lane, envelope)
                n += 1

    async def _room(self, line: Line, method: Method, size: int) -> None:
        """Wait for room, however slow the client is, unless it takes nothing at all."""
        while True:
            taken_bytes = line.taken_bytes(method.lane)
            try:
                async with asyncio.timeout(STALLED_S):
                    return await line.room(method.lane, size)
            except TimeoutError:
                if line.taken_bytes(method.lane) == taken_bytes:
                    raise HubError(
                        Code.SLOW_CONSUMER, f"Nothing of {method.name} was taken for {STALLED_S:.0f} s; it has ended."
                    ) from None
