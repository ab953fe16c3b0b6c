"""All sessions of one server: found, made, restored, swept and ended; and which connection goes on with which."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Heartbeat, Hello, Limits, Welcome
from ..storage.base import KeyValue
from .answers import Line
from .chores import Chores
from .records import SessionRecords
from .router import Router
from .session import HubSession
from .settings import HubSettings

STOP_S = 1.0


class Holder(Line, Protocol):
    """The connection that goes on with a session."""

    @property
    def peer(self) -> Peer:
        """Its user."""
        ...

    def fail(self, error: HubError) -> None:
        """End the connection."""
        ...


class Sessions:
    """The sessions, by id."""

    def __init__(self, router: Router, values: KeyValue, runtime: Runtime, settings: HubSettings) -> None:
        """There are none yet; `values` has those of earlier servers."""
        self._router = router
        self._records = SessionRecords(values, runtime.new_id())
        self._runtime = runtime
        self._settings = settings
        self._sessions: dict[str, HubSession] = {}
        self._holders: dict[str, Holder] = {}
        self._restoring: dict[str, asyncio.Task[None]] = {}
        self._chores = Chores(self._failed)
        self._ending: set[str] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sessions)

    def must_restore(self, hello: Hello) -> bool:
        """Whether the session that a hello asks for is not here, but may be in the store."""
        id = hello.session
        return id is not None and hello.resume is not None and id not in self._sessions and id not in self._ending

    async def restore(self, hello: Hello, peer: Peer) -> None:
        """Take a session over from the store, if it is there and the hello proves that it is its client's."""
        id, token = hello.session or "", hello.resume or ""
        task = self._restoring.get(id)
        if task is None:
            task = self._restoring[id] = asyncio.create_task(self._restore(id, token, peer.principal))
            task.add_done_callback(lambda _: self._restoring.pop(id))
        await asyncio.shield(task)

    async def _restore(self, id: str, token: str, principal: str) -> None:
        try:
            restored = await self._records.load(id)
            if restored is None or restored.record.principal != principal or id in self._sessions:
                return
            session = HubSession(id, principal, self._router, self._records, self._runtime, self._settings, restored)
            if session.proves(token):
                session.detached_s = self._runtime.monotonic()
                self._sessions[id] = session
        except Exception as error:
            self._runtime.logger.warning("A session could not be restored", exc_info=error)

    def open(self, hello: Hello, holder: Holder) -> tuple[HubSession, Welcome]:
        """The session that a hello asks for, or a new one; the connection that had it before is superseded.

        Raises:
            HubError: `superseded`; a later connection of the same client has the session already.
        """
        session = self._sessions.get(hello.session or "")
        if session is None or session.principal != holder.peer.principal or not session.proves(hello.resume):
            session, resumed = self._make(holder.peer.principal), False
        else:
            resumed = True
            before = self._holders.get(session.id)
            if before is not None:
                if hello.attempt < session.attempt:
                    raise HubError(Code.SUPERSEDED, "A newer connection goes on with this session already.")
                before.fail(HubError(Code.SUPERSEDED, "A newer connection goes on with this session."))
        self._holders[session.id] = holder
        session.attempt = hello.attempt
        session.attach(holder)
        return session, self._welcome(session, resumed)

    def _make(self, principal: str) -> HubSession:
        id = self._runtime.new_id()
        session = HubSession(id, principal, self._router, self._records, self._runtime, self._settings)
        self._sessions[id] = session
        return session

    def _welcome(self, session: HubSession, resumed: bool) -> Welcome:
        settings, timing = self._settings, self._settings.timing
        return Welcome(
            session=session.id,
            resume=session.rotate(self._runtime.new_id()),
            resumed=resumed,
            server=settings.server_name,
            principal=session.principal,
            heartbeat=Heartbeat(int(timing.heartbeat_interval_s * 1000), int(timing.heartbeat_grace_s * 1000)),
            limits=Limits(settings.max_frame_bytes, settings.max_requests, settings.max_topics),
        )

    def release(self, session: HubSession, holder: Holder) -> None:
        """The connection is gone; the session waits for its next one."""
        session.detach(holder, self._runtime.monotonic())
        if self._holders.get(session.id) is holder:
            del self._holders[session.id]

    def end(self, session: HubSession) -> None:
        """Free a session at once."""
        if self._sessions.pop(session.id, None) is not None:
            self._ending.add(session.id)
            self._chores.start(self._close(session))

    async def _close(self, session: HubSession) -> None:
        try:
            await session.close(forget=True)
        finally:
            self._ending.discard(session.id)

    def sweep(self) -> None:
        """End the sessions whose clients have been away too long; tell others on the store that this server lives."""
        now_s = self._runtime.monotonic()
        oldest_s = now_s - self._settings.session_ttl_s
        for session in list(self._sessions.values()):
            if session.detached_s is not None and session.detached_s < oldest_s:
                self.end(session)
        self._chores.start(self._beat(now_s))

    async def _beat(self, now_s: float) -> None:
        try:
            for session in list(self._sessions.values()):
                await session.beat(now_s)
        except HubError as error:
            self._runtime.logger.warning("The store does not know that this server lives: %s", error)

    async def stop(self) -> None:
        """Stop all that runs. The records stay: after a restart the clients go on with their sessions."""
        for session in self._sessions.values():
            self._chores.start(session.close(forget=False))
        self._sessions.clear()
        if ending := self._chores.tasks:
            await asyncio.wait(ending, timeout=STOP_S)

    def _failed(self, bug: BaseException) -> None:
        self._runtime.logger.error("A session did not end well", exc_info=bug)
