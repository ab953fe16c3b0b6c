"""The hub of one server: its sessions, connections, topics and methods, put together.

It knows no socket and no service: handlers bring connections, services bring declarations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import KeyValue, TopicLog
from .commons import Commons
from .connection import HubConnection
from .declare import Method, Topic
from .router import Router
from .sessions import Sessions
from .settings import HubSettings
from .topics import Topics

FULL_RETRY_MS = 5000

DRAIN_BATCH = 50
DRAIN_PAUSE_MS = 100
"""At the server's end: so many clients at a time come back so long after each other."""

DRAIN_LOOKS = 25
DRAIN_S = 0.5
"""How long the goodbyes may take to be written."""


class Hub:
    """Everything behind `/ws`."""

    def __init__(
        self,
        methods: Iterable[Method],
        topics: Iterable[Topic],
        log: TopicLog,
        values: KeyValue,
        runtime: Runtime,
        settings: HubSettings,
    ) -> None:
        """Nothing runs before `start`."""
        self.settings = settings
        self.runtime = runtime
        self.log = log
        self.router = Router(methods, topics, runtime)
        self.topics = Topics(self.router, log, runtime)
        self.sessions = Sessions(self.router, values, runtime, settings)
        self._commons = Commons(settings, runtime, self.router, self.topics, log, self.sessions)
        self._connections: set[HubConnection] = set()

    def start(self) -> None:
        """Begin to follow the log; on the event loop."""
        self.topics.start()

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def connect(self, peer: Peer, on_ready: Callable[[], None]) -> HubConnection:
        """A new connection of an authenticated peer; `on_ready` is called when it may have a frame to write.

        Raises:
            HubError: `busy` when the server, or this user on it, has too many.
        """
        if len(self._connections) >= self.settings.max_connections:
            raise HubError(Code.BUSY, "This server has too many connections.", retry_after_ms=FULL_RETRY_MS)
        if self.settings.max_connections_per_user:
            of_user = sum(connection.peer.principal == peer.principal for connection in self._connections)
            if of_user >= self.settings.max_connections_per_user:
                raise HubError(Code.BUSY, f"This user has {of_user} connections already.", retry_after_ms=FULL_RETRY_MS)
        connection = HubConnection(self._commons, peer, on_ready, self._connections.discard)
        self._connections.add(connection)
        return connection

    def sweep(self) -> None:
        """Let go of what nobody has come back to; to be called every few seconds."""
        self.sessions.sweep()

    async def stop(self, retry_after_ms: int) -> None:
        """Tell all clients to come back later, batch after batch, and stop what runs.

        The first batch is told to come back after `retry_after_ms`, each further one a little later: the next server
        is not to greet all of them in one moment.
        """
        connections = list(self._connections)
        for start in range(0, len(connections), DRAIN_BATCH):
            later_ms = start // DRAIN_BATCH * DRAIN_PAUSE_MS
            error = HubError(Code.SHUTTING_DOWN, "The server is stopping.", retry_after_ms=retry_after_ms + later_ms)
            for connection in connections[start : start + DRAIN_BATCH]:
                connection.fail(error)
            await asyncio.sleep(0)  # let them be written
        for _ in range(DRAIN_LOOKS):
            if all(connection.is_over for connection in self._connections):
                break
            await asyncio.sleep(DRAIN_S / DRAIN_LOOKS)
        await self.sessions.stop()
        await self.topics.stop()
