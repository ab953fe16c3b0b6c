"""The hub of one server: its sessions, connections, topics and methods, put together.

It knows no socket and no service: handlers bring connections, services bring declarations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from ..ports import Peer, Runtime
from ..protocol.codec import INBOUND_FRAME_BYTES
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Heartbeat, Hello, Limits, Welcome
from ..protocol.session import Timing
from ..storage.base import TopicLog
from .connection import HubConnection
from .declare import Method, Topic
from .router import Router
from .session import HubSession
from .topics import Topics


class HubSettings(msgspec.Struct, frozen=True):
    """The hub's limits and times."""

    timing: Timing = Timing()
    max_frame_bytes: int = INBOUND_FRAME_BYTES
    outbox_bytes: int = 4 * 1024 * 1024
    max_requests: int = 64
    max_topics: int = 128
    max_connections: int = 1000
    session_ttl_s: float = 120.0
    server_name: str = "jupyter_ws_hub"


class Hub:
    """Everything behind `/ws`."""

    def __init__(
        self,
        methods: Iterable[Method],
        topics: Iterable[Topic],
        log: TopicLog,
        runtime: Runtime,
        settings: HubSettings,
    ) -> None:
        """Nothing runs before `start`."""
        self.settings = settings
        self.runtime = runtime
        self.log = log
        self.router = Router(methods, topics, runtime)
        self.topics = Topics(self.router, log, runtime)
        self._sessions: dict[str, HubSession] = {}
        self._connections: dict[HubConnection, HubSession | None] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to follow the log; on the event loop."""
        self.topics.start()

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def connect(self, peer: Peer) -> HubConnection:
        """A new connection of an authenticated peer.

        Raises:
            HubError: `busy` when the server has too many.
        """
        if len(self._connections) >= self.settings.max_connections:
            raise HubError(Code.BUSY, "This server has too many connections.", retry_after_ms=5000)
        connection = HubConnection(self, peer)
        self._connections[connection] = None
        return connection

    def forget(self, connection: HubConnection) -> None:
        """The connection's socket is gone."""
        self._connections.pop(connection, None)

    def open_session(self, connection: HubConnection, hello: Hello) -> tuple[HubSession, Welcome]:
        """Find the session that a hello asks for, or make one; the older connection of it is superseded."""
        session = self._sessions.get(hello.session or "")
        owned = session is not None and session.principal == connection.peer.principal
        if session is None or not owned or not session.proves(hello.resume):
            session, resumed = self._new_session(connection.peer), False
        else:
            resumed = True
            for other, its in list(self._connections.items()):
                if its is session and other is not connection:
                    other.fail(HubError(Code.SUPERSEDED, "A newer connection goes on with this session."))
        self._connections[connection] = session
        timing = self.settings.timing
        return session, Welcome(
            session=session.id,
            resume=session.rotate(self.runtime.new_id()),
            resumed=resumed,
            server=self.settings.server_name,
            principal=session.principal,
            heartbeat=Heartbeat(int(timing.heartbeat_interval_s * 1000), int(timing.heartbeat_grace_s * 1000)),
            limits=Limits(self.settings.max_frame_bytes, self.settings.max_requests, self.settings.max_topics),
        )

    def _new_session(self, peer: Peer) -> HubSession:
        session = HubSession(self.runtime.new_id(), peer.principal, self.router, self.settings.max_requests)
        self._sessions[session.id] = session
        return session

    def end_session(self, session: HubSession) -> None:
        """Free a session at once: its client has left on purpose."""
        if self._sessions.pop(session.id, None) is not None:
            task = asyncio.create_task(session.close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def sweep(self) -> None:
        """End the sessions whose clients have been away too long; to be called every few seconds."""
        oldest_s = self.runtime.monotonic() - self.settings.session_ttl_s
        for session in list(self._sessions.values()):
            if session.detached_s is not None and session.detached_s < oldest_s:
                self.end_session(session)

    async def stop(self, retry_after_ms: int) -> None:
        """Tell all clients to come back later, end all sessions."""
        error = HubError(Code.SHUTTING_DOWN, "The server is stopping.", retry_after_ms=retry_after_ms)
        for connection in list(self._connections):
            connection.fail(error)
        for session in list(self._sessions.values()):
            self.end_session(session)
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=2.0)
        await self.topics.stop()
