"""A logical client: its requests, which outlive a connection, and the token that proves a connection is its next.

Each request gets exactly one final reply and runs at most once, also when the connection dropped or the server was
killed in between: before a method runs that is not idempotent, the record says so, and outcomes are kept until the
client says that it has them. An idempotent one whose answer is lost, or too large to be kept, may run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from typing import Final

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Request
from .answers import Answers, Line, error_reply
from .chores import Chores
from .declare import Lane
from .outcomes import Outcomes
from .records import Restored, SessionRecord, SessionRecords, fingerprint
from .router import Router
from .settings import HubSettings
from .workers import Call, Workers

MAX_TOKENS: Final = 16
"""Welcomes that may get lost in a row."""

BUSY_RETRY_MS: Final = 200


class HubSession:
    """One client's requests and resume token; owned by one principal, attached to at most one connection."""

    def __init__(
        self,
        id: str,
        principal: str,
        router: Router,
        records: SessionRecords,
        runtime: Runtime,
        settings: HubSettings,
        restored: Restored | None = None,
    ) -> None:
        """A new session, or one that was found in the store."""
        self.id = id
        self.principal = principal
        self.detached_s: float | None = None
        self.attempt = 0
        """Of the connection that is attached: its client counts them."""
        self._router = router
        self._records = records
        self._runtime = runtime
        self._settings = settings
        self._line: Line | None = None
        self._active: dict[int, Call] = {}
        self._active_bytes = 0
        self._workers = Workers(settings.max_running, self._run, runtime.logger)
        self._answers = Answers(router, settings.max_reply_bytes, lambda: self._line, self._before)
        self._outcomes = Outcomes(settings.max_outcomes, settings.outcome_bytes)
        self._tokens: list[str] = []
        self._started_ref = self._stored_ref = 0
        self._version = 0
        self._ran_at: str | None = None
        self._saving: asyncio.Lock | None = None
        self._chores = Chores(self._not_stored)
        if restored is not None:
            self._take(restored)

    def _take(self, restored: Restored) -> None:
        record = restored.record
        self._version = restored.version
        self._tokens = list(record.tokens)
        self._started_ref = self._stored_ref = record.started_ref
        self._ran_at = record.server
        for ref, (lane, reply) in restored.outcomes.items():
            self._outcomes.put(ref, lane, reply)

    # Whose it is

    def rotate(self, token: str) -> str:
        """Make `token` the session's next one; the ones before stay good until `confirm`: a welcome may get lost."""
        self._tokens = [*self._tokens[:1], *self._tokens[1:][-MAX_TOKENS:], fingerprint(token)]
        self._chores.start(self._save())
        return token

    def confirm(self) -> None:
        """The client has the newest token: older ones are worthless now."""
        if len(self._tokens) > 1:
            del self._tokens[:-1]

    def proves(self, token: str | None) -> bool:
        """Whether `token` is one of this session's."""
        if token is None:
            return False
        its = fingerprint(token)
        return any(hmac.compare_digest(its, known) for known in self._tokens)

    def attach(self, line: Line) -> None:
        """Replies go to `line` from now on; stored outcomes wait until the client asks again."""
        self._line = line
        self.detached_s = None

    def detach(self, line: Line, now_s: float) -> None:
        """The connection is gone, unless another has taken over already. Streams end: they will be begun anew."""
        if self._line is line:
            self._line = None
            self.detached_s = now_s
            for call in list(self._active.values()):
                if self._is_streamed(call):
                    self._abandon(call)

    # Requests

    def knows(self, ref: int) -> bool:
        """Whether a request with this `ref` runs or has an outcome: asked again, it is nothing new."""
        return ref in self._active or self._outcomes.get(ref) is not None

    def start(self, request: Request, peer: Peer) -> None:
        """Run a request with the next `go`, or attach to it if it runs, or repeat its outcome if it is over."""
        ref = request.ref
        if ref in self._active:
            return
        outcome = self._outcomes.get(ref)
        if outcome is not None:
            self._reply(*outcome)
        elif ref <= self._outcomes.done_ref:
            self._reply(Lane.INTERACTIVE, error_reply(ref, _unknown_outcome(request)))
        elif self._is_busy(request) and not self._may_have_run(request):
            error = HubError(
                Code.BUSY, "Too many requests are under way in this session.", retry_after_ms=BUSY_RETRY_MS
            )
            self._reply(Lane.INTERACTIVE, error_reply(ref, error))
        else:
            self._begin(Call(request, peer))

    def go(self) -> None:
        """Begin with what was started, now: what never waits has been answered when this returns."""
        self._workers.wake()

    def _is_busy(self, request: Request) -> bool:
        settings = self._settings
        too_much = self._active_bytes and self._active_bytes + len(request.params) > settings.max_frame_bytes
        return bool(too_much) or len(self._active) >= settings.max_requests or self._outcomes.is_full

    def _may_have_run(self, request: Request) -> bool:
        """Whether to say `busy` would be a lie: the client would send it anew, and it would run twice."""
        return request.ref <= self._started_ref and not self._is_idempotent(request)

    def _begin(self, call: Call) -> None:
        self._active[call.request.ref] = call
        self._active_bytes += len(call.request.params)
        self._workers.add(call)

    def _end(self, call: Call) -> None:
        if self._active.pop(call.request.ref, None) is not None:
            self._active_bytes -= len(call.request.params)

    def cancel(self, ref: int) -> None:
        """Stop a request; it is answered with `cancelled`, or with its outcome if it was faster."""
        call = self._active.get(ref)
        outcome = self._outcomes.get(ref)
        if call is not None:
            call.cancelled = True
            if call.task is not None and not call.finished:
                call.task.cancel()
            elif self._workers.remove(call):
                self._settle_cancelled(call)
        elif outcome is not None:
            self._reply(*outcome)
        else:
            error = HubError(Code.NOT_FOUND, f"No request {ref} is under way.")
            # In the lane of what may be on its way for this `ref`, and comes first.
            self._reply(Lane.INTERACTIVE, error_reply(ref, error))

    def acknowledge(self, done_ref: int, also: list[int]) -> None:
        """The client has the outcome of every request up to `done_ref`, and of those in `also`."""
        refs = self._outcomes.settle(done_ref, also)
        if refs and self._stored_ref:
            self._chores.start(self._records.forget(self.id, refs))

    async def beat(self, now_s: float) -> None:
        """Say that this server lives while requests run that must not run twice."""
        if any(not self._is_idempotent(call.request) for call in self._active.values()):
            await self._records.beat(now_s)

    async def close(self, *, forget: bool) -> None:
        """Stop what runs. `forget`: the session is over for good; else another server may go on with it."""
        self._active.clear()
        tasks = self._workers.stop() | self._chores.tasks
        if tasks:
            await asyncio.wait(tasks)
        if forget and self._version:
            refs = self._outcomes.settle(max(self._started_ref, self._outcomes.done_ref))
            with contextlib.suppress(HubError):  # a store that cannot delete lets it expire
                await self._records.delete(self.id, self._version, refs)

    # Inside a worker

    async def _run(self, call: Call) -> None:
        try:
            answer = await self._answers.answer(call)
        except asyncio.CancelledError:
            if call.cancelled:
                self._settle_cancelled(call)
            raise
        if call.abandoned:
            self._end(call)
            return
        call.finished = True
        if answer.durable:
            await self._store(call.request.ref, answer.lane, answer.reply)
        self._settle(call, answer.lane, answer.reply, keep=answer.keep)

    async def _before(self, call: Call) -> bytes | None:
        """A request that must not run twice: store that it begins, or find what became of it before.

        Raises:
            HubError: it may have run, or the store cannot say that it begins.
        """
        ref = call.request.ref
        if ref <= self._started_ref:
            found = self._ran_at and await self._records.wait_outcome(self.id, ref, self._ran_at)
            if not found:
                raise _unknown_outcome(call.request)
            return found[1]
        self._started_ref = ref
        await self._records.beat(self._runtime.monotonic())
        # Not cancelled with the call: what version the record has must be known to whoever deletes it.
        await asyncio.shield(self._chores.start(self._save(ref)))
        return None

    def _is_idempotent(self, request: Request) -> bool:
        method = self._router.methods.get(request.method)
        return method is None or method.idempotent

    def _is_streamed(self, call: Call) -> bool:
        method = self._router.methods.get(call.request.method)
        return method is not None and method.streamed

    def _abandon(self, call: Call) -> None:
        """The connection that a call was for is gone; its client will ask again."""
        call.abandoned = True
        self._end(call)
        if call.task is not None:
            call.task.cancel()
        else:
            self._workers.remove(call)

    def _settle_cancelled(self, call: Call) -> None:
        error = HubError(Code.CANCELLED, f"{call.request.method} was cancelled.")
        self._settle(call, Lane.CONTROL, error_reply(call.request.ref, error), keep=True)

    def _settle(self, call: Call, lane: Lane, reply: bytes, *, keep: bool) -> None:
        if call.abandoned:
            return
        self._end(call)
        if keep:
            self._outcomes.put(call.request.ref, lane, reply)
        self._reply(lane, reply)

    def _reply(self, lane: Lane, envelope: bytes) -> None:
        if self._line is not None:
            self._line.reply(lane, envelope)

    # The record

    async def _store(self, ref: int, lane: Lane, reply: bytes) -> None:
        try:
            await self._records.save_outcome(self.id, ref, lane, reply)
        except HubError as error:
            self._runtime.logger.warning("An outcome could not be stored: %s", error)

    async def _save(self, ref: int = 0) -> None:
        """Store the session, so that requests up to `ref` count as begun; what was stored by others meanwhile is."""
        if self._saving is None:
            self._saving = asyncio.Lock()
        async with self._saving:
            if ref and self._stored_ref >= ref:
                return
            started_ref = self._started_ref
            record = SessionRecord(self.principal, self._tokens, started_ref, self._records.server)
            self._version = await self._records.save(self.id, record, self._version)
            self._stored_ref = started_ref

    def _not_stored(self, error: BaseException) -> None:
        """It costs a resume after a restart, no more."""
        self._runtime.logger.warning("A session could not be stored: %s", error)


def _unknown_outcome(request: Request) -> HubError:
    return HubError(
        Code.UNKNOWN_OUTCOME, f"{request.method} ({request.ref}) came before; its outcome is not known any more."
    )
