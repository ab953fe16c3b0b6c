"""Service `status`: how the services are, and what runs on the server; latest values, no history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from ..hub.declare import Latest
from ..ports import Peer
from .base import Health, Nothing, Service, Topic, method
from .ports import Running

READ = ("read", "status")
POLL_S: Final = 1.0


class RunningStatus(msgspec.Struct, frozen=True):
    """A kernel or terminal; `gone` when it has ended."""

    id: str
    name: str = ""
    state: str = ""
    connections: int = 0
    last_activity: str = ""
    gone: bool = False


class TransferTotals(msgspec.Struct, frozen=True):
    """How many transfers of all users are under way, and how fast they are together."""

    id: str = "transfers"
    running: int = 0
    paused: int = 0
    bytes_per_s: float = 0
    gone: bool = False


class ConnectionTotals(msgspec.Struct, frozen=True):
    """Open connections of this server, by kind; `users` are on /ws."""

    id: str = "connections"
    main: int = 0
    terminals: int = 0
    file_streams: int = 0
    users: int = 0
    gone: bool = False


class ProcessStatus(msgspec.Struct, frozen=True):
    """What the server and its machine use. Bytes; `cpu` is 1 for one core that is busy all the time."""

    id: str = "process"
    cpu: float = 0
    memory: int = 0
    """Of the server, its helper processes too, without kernels and terminals."""
    machine_cpu: float = 0
    machine_cores: int = 1
    machine_memory: int = 0
    machine_memory_used: int = 0
    loop_lag_ms: float = 0
    """The longest that the event loop was late, since the last time."""
    gone: bool = False


class Status(msgspec.Struct, frozen=True):
    """Everything at once."""

    services: list[Health]
    kernels: list[RunningStatus]
    terminals: list[RunningStatus]
    transfers: TransferTotals = TransferTotals()
    connections: ConnectionTotals = ConnectionTotals()
    process: ProcessStatus = ProcessStatus()


def _status(running: Running) -> RunningStatus:
    return RunningStatus(running.id, running.name, running.state, running.connections, running.last_activity)


class StatusService(Service):
    """Services, kernels and terminals as they are now."""

    name = "status"
    topics: ClassVar[Sequence[Topic]] = (
        Topic(
            "status",
            {
                "service": Health,
                "kernel": RunningStatus,
                "terminal": RunningStatus,
                "transfers": TransferTotals,
                "connections": ConnectionTotals,
                "process": ProcessStatus,
            },
            READ,
            Latest(key="id"),
        ),
    )

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._failure: str | None = None

    def health(self) -> Health:
        """Degraded while the server cannot be looked at."""
        return Health(self.name, "ok" if self._failure is None else "degraded", self._failure)

    async def start(self) -> None:
        """Look at the server every second and publish what has changed."""
        self._known: dict[tuple[str, str], msgspec.Struct] = {}
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @method("status.get", permission=READ, idempotent=True, activity=False)
    async def get(self, params: Nothing, peer: Peer) -> Status:
        """How everything is now."""
        platform = self.context.platform
        return Status(
            services=list(self.context.survey()),
            kernels=[_status(kernel) for kernel in await platform.kernels()],
            terminals=[_status(terminal) for terminal in await platform.terminals()],
        )

    async def _watch(self) -> None:
        while True:
            try:
                await self.publish_changes()
                self._failure = None
            except Exception as error:
                if self._failure is None:
                    self.context.runtime.logger.error(
                        "The server's kernels and terminals are not known", exc_info=error
                    )
                self._failure = f"What runs on the server is not known: {type(error).__name__}."
            await asyncio.sleep(POLL_S)

    async def publish_changes(self) -> None:
        """Publish what is new, different or gone since the last time."""
        platform = self.context.platform
        now: dict[tuple[str, str], msgspec.Struct] = {}
        for health in self.context.survey():
            now["service", health.id] = health
        for kernel in await platform.kernels():
            now["kernel", kernel.id] = _status(kernel)
        for terminal in await platform.terminals():
            now["terminal", terminal.id] = _status(terminal)
        for key in self._known.keys() - now.keys():
            kind, id = key
            gone = Health(id, "down", gone=True) if kind == "service" else RunningStatus(id, gone=True)
            await self.context.publish("status", kind, gone)
        for (kind, id), value in now.items():
            if self._known.get((kind, id)) != value:
                await self.context.publish("status", kind, value)
        self._known = now
