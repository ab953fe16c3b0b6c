"""All sessions of one server: found, made, swept and ended; and which connection goes on with which."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Heartbeat, Hello, Limits, Welcome
from .declare import Lane
from .router import Router
from .session import HubSession
from .settings import HubSettings

STOP_S = 2.0


class Holder(Protocol):
    """The connection that goes on with a session."""

    @property
    def peer(self) -> Peer:
        """Its user."""
        ...

    def reply(self, lane: Lane, envelope: bytes) -> None:
        """Send an encoded reply, now or when there is room."""
        ...

    def fail(self, error: HubError) -> None:
        """End the connection."""
        ...


class Sessions:
    """The sessions, by id."""

    def __init__(self, router: Router, runtime: Runtime, settings: HubSettings) -> None:
        """There are none yet."""
        self._router = router
        self._runtime = runtime
        self._settings = settings
        self._sessions: dict[str, HubSession] = {}
        self._holders: dict[str, Holder] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sessions)

    def open(self, hello: Hello, holder: Holder) -> tuple[HubSession, Welcome]:
        """The session that a hello asks for, or a new one; the connection that had it before is superseded."""
        session = self._sessions.get(hello.session or "")
        if session is None or session.principal != holder.peer.principal or not session.proves(hello.resume):
            session, resumed = self._make(holder.peer.principal), False
        else:
            resumed = True
            before = self._holders.get(session.id)
            if before is not None:
                before.fail(HubError(Code.SUPERSEDED, "A newer connection goes on with this session."))
        self._holders[session.id] = holder
        session.attach(holder.reply)
        return session, self._welcome(session, resumed)

    def _make(self, principal: str) -> HubSession:
        settings = self._settings
        session = HubSession(
            self._runtime.new_id(), principal, self._router, settings.max_requests, settings.outbox_bytes // 2
        )
        self._sessions[session.id] = session
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
        session.detach(holder.reply, self._runtime.monotonic())
        if self._holders.get(session.id) is holder:
            del self._holders[session.id]

    def end(self, session: HubSession) -> None:
        """Free a session at once."""
        if self._sessions.pop(session.id, None) is not None:
            task = asyncio.create_task(session.close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def sweep(self) -> None:
        """End the sessions whose clients have been away too long."""
        oldest_s = self._runtime.monotonic() - self._settings.session_ttl_s
        for session in list(self._sessions.values()):
            if session.detached_s is not None and session.detached_s < oldest_s:
                self.end(session)

    async def stop(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            self.end(session)
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=STOP_S)
