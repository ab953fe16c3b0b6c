"""Service `status`: how the services are, and what runs on the server; latest values, no history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final, NamedTuple

import msgspec

from ..hub.declare import Latest
from ..ports import Peer
from ..transfers.operation import ENDED, Operation
from .base import Health, Nothing, Service, Topic, method
from .ports import Gauge, Running, SocketCounts, Usage, Whose

READ = ("read", "status")
RUNS: Final = "What runs on the server"
USED: Final = "What the server uses"
POLL_S: Final = 1.0
MEASURE_S: Final = 2.0
RETRY_S: Final = 2.0
"""How soon is measured again after that has failed once; twice as long each further time, but for MAX_RETRY_S."""
MAX_RETRY_S: Final = 60.0
SAMPLE_S: Final = 0.2
"""How long is measured for the first figures."""


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
    """What the server and its machine use. Bytes; `cpu` is 1 for one core that is busy all the time.

    Where the server can have less than the whole machine, `machine_…` are of that: see `cores_of` and `memory_of`.
    """

    id: str = "process"
    cpu: float = 0
    memory: int = 0
    """Of the server, its helper processes too, without kernels and terminals."""
    machine_cpu: float = 0
    """Of all cores together, in the same measure."""
    machine_cores: float = 1
    machine_memory: int = 0
    machine_memory_used: int = 0
    loop_lag_ms: float = 0
    """The longest that the event loop was late, since the last time."""
    cores_of: Whose = "machine"
    """Whose the cores are, and how busy they are: the machine's, those that the server's container may use, or those
    that the server may use with all that it has started, as a JupyterHub says."""
    memory_of: Whose = "machine"
    models: int = 0
    """How many processes of models run on this machine; `cpu` and `memory` do not count them."""
    models_cpu: float = 0
    models_memory: int = 0
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


def _process(usage: Usage) -> ProcessStatus:
    return ProcessStatus(
        cpu=usage.cpu,
        memory=usage.memory,
        machine_cpu=usage.machine_cpu,
        machine_cores=usage.machine_cores,
        machine_memory=usage.machine_memory,
        machine_memory_used=usage.machine_memory_used,
        loop_lag_ms=usage.loop_lag_ms,
        cores_of=usage.cores_of,
        memory_of=usage.memory_of,
        models=usage.models,
        models_cpu=usage.models_cpu,
        models_memory=usage.models_memory,
    )


def _connections(counts: SocketCounts) -> ConnectionTotals:
    return ConnectionTotals(
        main=counts.main, terminals=counts.terminals, file_streams=counts.file_streams, users=counts.users
    )


def retry_s(failures: int) -> float:
    """The pause after so many failures without a success between them."""
    return min(RETRY_S * 2.0 ** min(failures - 1, 10), MAX_RETRY_S)


class Throughput:
    """How many bytes all transfers move together; from one look to the next."""

    def __init__(self, operations: Callable[[], Collection[Operation]], now: Callable[[], float]) -> None:
        """`operations` gives those that are known, `now` is a steady clock in seconds."""
        self._operations, self._now = operations, now
        self._looked_s, self._offsets = now(), self._moved_to()

    def _moved_to(self) -> dict[str, int]:
        return {operation.id: operation.byte_offset for operation in self._operations()}

    def look(self) -> int:
        """Bytes per second since the last look.

        What is seen for the first time may have been moved long ago: it counts from now on.
        """
        now_s, offsets = self._now(), self._moved_to()
        moved = sum(max(0, offset - self._offsets.get(id, offset)) for id, offset in offsets.items())
        passed_s = now_s - self._looked_s
        self._looked_s, self._offsets = now_s, offsets
        return round(moved / passed_s) if passed_s > 0 else 0


class Measured(NamedTuple):
    """What was measured over some time, and when."""

    at_s: float
    process: ProcessStatus
    bytes_per_s: int
    """Of all transfers together."""


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
        self._failures: dict[str, str] = {}
        self._logged: set[tuple[str, str]] = set()
        self._measuring: asyncio.Task[None] | None = None
        self._measured: Measured | None = None
        self._sampling = asyncio.Lock()

    def all_topics(self) -> Sequence[Topic]:
        """See Service; what costs something is measured only while somebody follows it."""
        return [replace(topic, watched=self._watched) for topic in self.topics]

    def health(self) -> Health:
        """Degraded while the server cannot be looked at, or not be measured though somebody follows that."""
        reason = " ".join(self._failures[what] for what in sorted(self._failures))
        return Health(self.name, "degraded", reason) if reason else Health(self.name, "ok")

    async def start(self) -> None:
        """Look at the server every second and publish what has changed."""
        self._known: dict[tuple[str, str], msgspec.Struct] = {}
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop looking."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._stop_measuring()

    def _totals(self, bytes_per_s: int) -> TransferTotals:
        transfers = self.context.transfers
        running = sum(op.stream is not None and op.state not in ENDED for op in transfers.whole())
        return TransferTotals(running=running, paused=transfers.waiting, bytes_per_s=bytes_per_s)

    @method("status.get", permission=READ, idempotent=True, activity=False)
    async def get(self, params: Nothing, peer: Peer) -> Status:
        """How everything is now."""
        platform, measured = self.context.platform, await self._sample()
        return Status(
            services=list(self.context.survey()),
            kernels=[_status(kernel) for kernel in await platform.kernels()],
            terminals=[_status(terminal) for terminal in await platform.terminals()],
            transfers=self._totals(measured.bytes_per_s),
            connections=_connections(self.context.sockets()),
            process=measured.process,
        )

    async def _watch(self) -> None:
        while True:
            try:
                await self.publish_changes()
            except Exception as error:
                if self._failed(RUNS, error):
                    self.context.runtime.logger.error("%s is not known.", RUNS, exc_info=error)
            else:
                self._succeeded(RUNS)
            await asyncio.sleep(POLL_S)

    def _failed(self, what: str, error: Exception) -> bool:
        """Degrade the service; whether to log it: each kind of failure once until it succeeds again."""
        kind = type(error).__name__
        self._failures[what] = f"{what} is not known: {kind}."
        is_new = (what, kind) not in self._logged
        self._logged.add((what, kind))
        return is_new

    def _succeeded(self, what: str) -> None:
        self._failures.pop(what, None)
        self._logged = {logged for logged in self._logged if logged[0] != what}

    async def publish_changes(self) -> None:
        """Publish what is new, different or gone since the last time."""
        # How the services are is told first: also that what runs is not known, where asking for that fails.
        await self._tell({"service"}, {("service", health.id): health for health in self.context.survey()})
        platform = self.context.platform
        running = {("kernel", kernel.id): _status(kernel) for kernel in await platform.kernels()}
        running |= {("terminal", terminal.id): _status(terminal) for terminal in await platform.terminals()}
        await self._tell({"kernel", "terminal"}, running)

    async def _tell(self, kinds: Collection[str], now: Mapping[tuple[str, str], msgspec.Struct]) -> None:
        """Publish how `now` differs from what is known of these kinds."""
        for kind, id in [key for key in self._known if key[0] in kinds and key not in now]:
            gone = Health(id, "down", gone=True) if kind == "service" else RunningStatus(id, gone=True)
            await self.context.publish("status", kind, gone)
            del self._known[kind, id]
        for (kind, id), value in now.items():
            if self._known.get((kind, id)) != value:
                await self.context.publish("status", kind, value)
                self._known[kind, id] = value

    async def _watched(self, topic: str, is_followed: bool) -> None:
        """Measure while somebody follows the topic; who comes later is told nothing of then."""
        await self._stop_measuring()
        if is_followed:
            self._measuring = asyncio.create_task(self._measure())
            return
        for kind, gone in (
            ("process", ProcessStatus(gone=True)),
            ("connections", ConnectionTotals(gone=True)),
            ("transfers", TransferTotals(gone=True)),
        ):
            await self.context.publish("status", kind, gone)

    async def _stop_measuring(self) -> None:
        measuring, self._measuring = self._measuring, None
        if measuring is not None:
            measuring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await measuring
        self._failures.pop(USED, None)  # nobody tries any more

    async def _measure(self) -> None:
        """Publish what the server uses again and again; after a failure anew, with a fresh gauge."""
        failures = 0

        def succeeded() -> None:
            nonlocal failures
            failures = 0
            self._succeeded(USED)

        while True:
            try:
                await self._measure_on(succeeded)
            except Exception as error:
                failures += 1
                if self._failed(USED, error):
                    self.context.runtime.logger.error("%s is not known.", USED, exc_info=error)
            await asyncio.sleep(retry_s(failures))

    async def _measure_on(self, succeeded: Callable[[], None]) -> None:
        """Publish until something fails, which is raised; soon for the first time. Call `succeeded` each time."""
        gauge, throughput = self.context.gauge(), self._throughput()
        before: dict[str, msgspec.Struct] = {}
        pause_s = SAMPLE_S
        try:
            await gauge.start()
            while True:
                await asyncio.sleep(pause_s)
                pause_s = MEASURE_S
                measured = await self._read(gauge, throughput)
                now: dict[str, msgspec.Struct] = {
                    "process": measured.process,
                    "connections": _connections(self.context.sockets()),
                    "transfers": self._totals(measured.bytes_per_s),
                }
                for kind, value in now.items():
                    if before.get(kind) != value:
                        await self.context.publish("status", kind, value)
                before = now
                succeeded()
        finally:
            gauge.stop()

    def _throughput(self) -> Throughput:
        return Throughput(self.context.transfers.whole, self.context.runtime.monotonic)

    async def _read(self, gauge: Gauge, throughput: Throughput) -> Measured:
        process = _process(await gauge.read())
        self._measured = Measured(self.context.runtime.monotonic(), process, throughput.look())
        return self._measured

    async def _sample(self) -> Measured:
        """What the server uses now: what was measured last, or what it is for a moment; many who ask share it."""
        async with self._sampling:
            now_s = self.context.runtime.monotonic()
            if self._measured is not None and now_s - self._measured.at_s < 2 * MEASURE_S:
                return self._measured
            gauge, throughput = self.context.gauge(), self._throughput()
            try:
                await gauge.start()
                await asyncio.sleep(SAMPLE_S)
                return await self._read(gauge, throughput)
            finally:
                gauge.stop()
