"""The hub of one server: its sessions, connections, topics and methods, put together.

It knows no socket and no service: handlers bring connections, services bring declarations.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import TopicLog
from .commons import Commons
from .connection import HubConnection
from .declare import Method, Topic
from .router import Router
from .sessions import Sessions
from .settings import HubSettings
from .topics import Topics

FULL_RETRY_MS = 5000


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
        self.sessions = Sessions(self.router, runtime, settings)
        self._commons = Commons(settings, runtime, self.router, self.topics, log, self.sessions)
        self._connections: set[HubConnection] = set()

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
            HubError: `busy` when the server, or this user on it, has too many.
        """
        if len(self._connections) >= self.settings.max_connections:
            raise HubError(Code.BUSY, "This server has too many connections.", retry_after_ms=FULL_RETRY_MS)
        of_user = sum(connection.peer.principal == peer.principal for connection in self._connections)
        if 0 < self.settings.max_connections_per_user <= of_user:
            raise HubError(Code.BUSY, f"This user has {of_user} connections already.", retry_after_ms=FULL_RETRY_MS)
        connection = HubConnection(self._commons, peer, self._connections.discard)
        self._connections.add(connection)
        return connection

    def sweep(self) -> None:
        """Let go of what nobody has come back to; to be called every few seconds."""
        self.sessions.sweep()

    async def stop(self, retry_after_ms: int) -> None:
        """Tell all clients to come back later, end all sessions."""
        error = HubError(Code.SHUTTING_DOWN, "The server is stopping.", retry_after_ms=retry_after_ms)
        for connection in list(self._connections):
            connection.fail(error)
        await self.sessions.stop()
        await self.topics.stop()
