"""A logical client: its requests, which outlive a connection, and the token that proves a connection is its next.

Each request gets exactly one final reply and runs at most once in this process, also when the connection dropped in
between: outcomes are kept until the client says that it has them.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable

import msgspec

from ..ports import Peer
from ..protocol.codec import encode
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Reply, Request
from .declare import Lane
from .router import Router

Send = Callable[[Lane, bytes], None]
"""Sends an encoded reply, now or when there is room."""

MAX_TOKENS = 16
"""Welcomes that may get lost in a row."""

MAX_TIMEOUT_MS = 24 * 3600 * 1000


def error_reply(ref: int | None, error: HubError) -> bytes:
    """An encoded reply that tells of an error."""
    return encode(Reply(ref, error=error.info))


class HubSession:
    """One client's requests and resume token; owned by one principal, attached to at most one connection."""

    def __init__(
        self, id: str, principal: str, router: Router, max_requests: int, max_reply_bytes: int = 1 << 30
    ) -> None:
        """`max_requests` bounds the requests that run and the outcomes that wait, together twice that."""
        self.id = id
        self.principal = principal
        self._router = router
        self._max_requests = max_requests
        self._max_reply_bytes = max_reply_bytes
        self._tokens: list[str] = []
        self._running: dict[int, asyncio.Task[None]] = {}
        self._cancelled: set[int] = set()
        self._outcomes: dict[int, tuple[Lane, bytes]] = {}
        self._highest_ref = 0
        self._done_ref = 0
        self._send: Send | None = None
        self.detached_s: float | None = None

    def rotate(self, token: str) -> str:
        """Make `token` the session's next one; the ones before stay good until `confirm`: a welcome may get lost."""
        self._tokens = [*self._tokens[:1], *self._tokens[1:][-MAX_TOKENS:], token]
        return token

    def confirm(self) -> None:
        """The client has the newest token: older ones are worthless now."""
        del self._tokens[:-1]

    def proves(self, token: str | None) -> bool:
        """Whether `token` is one of this session's."""
        if token is None:
            return False
        return any(hmac.compare_digest(token.encode(), known.encode()) for known in self._tokens)

    def attach(self, send: Send) -> None:
        """Replies go to `send` from now on; stored outcomes wait until the client asks again."""
        self._send = send
        self.detached_s = None

    def detach(self, send: Send, now_s: float) -> None:
        """The connection behind `send` is gone, unless another has taken over already."""
        if self._send is not None and self._send == send:
            self._send = None
            self.detached_s = now_s

    def start(self, request: Request, peer: Peer) -> None:
        """Run a request, or attach to it if it runs, or repeat its outcome if it is over."""
        ref = request.ref
        if ref in self._running:
            return
        if ref in self._outcomes:
            self._reply(*self._outcomes[ref])
        elif ref <= self._highest_ref:
            error = HubError(Code.UNKNOWN_OUTCOME, f"Request {ref} came before; its outcome is not known any more.")
            self._reply(Lane.INTERACTIVE, error_reply(ref, error))
        elif len(self._running) >= self._max_requests or len(self._outcomes) >= self._max_requests:
            error = HubError(Code.BUSY, "Too many requests are under way in this session.", retry_after_ms=200)
            self._reply(Lane.INTERACTIVE, error_reply(ref, error))
        else:
            self._highest_ref = ref
            task = asyncio.create_task(self._run(request, peer))
            self._running[ref] = task
            task.add_done_callback(lambda task: self._ended(request, task))

    def cancel(self, ref: int) -> None:
        """Stop a request; it is answered with `cancelled`, or with its outcome if it was faster."""
        task = self._running.get(ref)
        if task is not None:
            self._cancelled.add(ref)
            task.cancel()
        elif ref in self._outcomes:
            self._reply(*self._outcomes[ref])
        else:
            error = HubError(Code.NOT_FOUND, f"No request {ref} is under way.")
            self._reply(Lane.CONTROL, error_reply(ref, error))

    def acknowledge(self, done_ref: int) -> None:
        """The client has the outcome of every request up to `done_ref`."""
        self._done_ref = max(self._done_ref, done_ref)
        for ref in [ref for ref in self._outcomes if ref <= self._done_ref]:
            del self._outcomes[ref]

    async def close(self) -> None:
        """The session is over: stop what runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, request: Request, peer: Peer) -> None:
        lane, ref = Lane.INTERACTIVE, request.ref
        try:
            lane = self._router.method(request.method).lane
            seconds = None if request.timeout_ms is None else min(request.timeout_ms, MAX_TIMEOUT_MS) / 1000
            async with asyncio.timeout(seconds):
                result = await self._router.call(request.method, request.params, peer)
            if len(result) > self._max_reply_bytes:
                raise HubError(
                    Code.TOO_BIG, f"The answer of {request.method} has {len(result)} bytes; use a file stream."
                )
            reply = encode(Reply(ref, result=msgspec.Raw(result)))
        except HubError as error:
            reply = error_reply(ref, error)
        except TimeoutError:
            late = HubError(Code.TIMEOUT, f"{request.method} took longer than {request.timeout_ms} ms.")
            reply = error_reply(ref, late)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this request: the service raised what it should not.
            reply = error_reply(ref, HubError(Code.INTERNAL, f"{request.method} ended without a result."))
        self._settle(lane, ref, reply)

    def _ended(self, request: Request, task: asyncio.Task[None]) -> None:
        """The task is over; if it was cancelled, possibly before its first step, the answer is still owed."""
        ref = request.ref
        if task.cancelled() and ref in self._cancelled:
            error = HubError(Code.CANCELLED, f"{request.method} was cancelled.")
            self._settle(Lane.CONTROL, ref, error_reply(ref, error))
        self._running.pop(ref, None)
        self._cancelled.discard(ref)

    def _settle(self, lane: Lane, ref: int, reply: bytes) -> None:
        self._running.pop(ref, None)
        self._outcomes[ref] = (lane, reply)
        self._reply(lane, reply)

    def _reply(self, lane: Lane, envelope: bytes) -> None:
        if self._send is not None:
            self._send(lane, envelope)
