"""What is told of the server's state: changes only, and what is gone; the newest values to who comes later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from jupyter_ws_hub.hub.topic_state import LatestValue
from jupyter_ws_hub.protocol.messages import Event, Subscribe
from jupyter_ws_hub.services import status
from jupyter_ws_hub.services.base import Health, Nothing
from jupyter_ws_hub.services.ports import Running, SocketCounts
from jupyter_ws_hub.services.status import (
    ConnectionTotals,
    ProcessStatus,
    RunningStatus,
    StatusService,
    Throughput,
    TransferTotals,
)
from jupyter_ws_hub.transfers.known import Line
from jupyter_ws_hub.transfers.operation import Operation

from ..hub.client import HubClient, code_of, content, only, opened
from ..support.fakes import FakeClock, Stage, fake_peer, turns, until

KERNEL = Running("k1", "python3", "idle", 1, "2026-01-01T00:00:00Z")
BUSY = Running("k1", "python3", "busy", 1, "2026-01-01T00:00:01Z")
TERMINAL = Running("1", "1", "running", 0, "2026-01-01T00:00:00Z")
TYPES = {"service": Health, "kernel": RunningStatus, "terminal": RunningStatus}


@asynccontextmanager
async def watching() -> AsyncIterator[tuple[StatusService, Stage, HubClient]]:
    """The service, started, and a client that follows it; it has looked once and now waits for a second."""
    service = StatusService()
    stage = Stage(service)
    client = await opened(stage.hub)
    await service.start()
    await turns()
    await client.subscribe(1, "status")
    try:
        yield service, stage, client
    finally:
        await service.stop()


async def told(service: StatusService, client: HubClient) -> list[tuple[str, str, str]]:
    """Kind, id and state of what the service publishes when it looks again."""
    await service.publish_changes()
    events = [event for event in only(Event, await client.read()) if event.kind in TYPES]
    values = [msgspec.json.decode(event.data, type=TYPES[event.kind]) for event in events]
    assert all(event.offset is None for event in events)
    return sorted(
        (event.kind, value.id, "gone" if value.gone else value.state)
        for event, value in zip(events, values, strict=True)
    )


async def test_only_changes_are_told() -> None:
    async with watching() as (service, stage, client):
        assert await told(service, client) == []
        stage.platform.running_kernels = [KERNEL]
        stage.platform.running_terminals = [TERMINAL]
        stage.health = [Health("chat", "ok")]
        expected = [("kernel", "k1", "idle"), ("service", "chat", "ok"), ("terminal", "1", "running")]
        assert await told(service, client) == expected
        assert await told(service, client) == []
        stage.platform.running_kernels = [BUSY]
        assert await told(service, client) == [("kernel", "k1", "busy")]
        stage.health = [Health("chat", "down", "It failed.")]
        assert await told(service, client) == [("service", "chat", "down")]


async def test_what_has_ended_is_told_as_gone_once() -> None:
    async with watching() as (service, stage, client):
        stage.platform.running_kernels, stage.platform.running_terminals = [KERNEL], [TERMINAL]
        stage.health = [Health("chat", "ok")]
        await told(service, client)
        stage.platform.running_kernels, stage.platform.running_terminals, stage.health = [], [], []
        expected = [("kernel", "k1", "gone"), ("service", "chat", "gone"), ("terminal", "1", "gone")]
        assert await told(service, client) == expected
        assert await told(service, client) == []


async def test_who_comes_later_gets_the_newest_values_without_what_is_gone() -> None:
    async with watching() as (service, stage, client):
        stage.platform.running_kernels, stage.platform.running_terminals = [KERNEL], [TERMINAL]
        await told(service, client)
        stage.platform.running_kernels, stage.platform.running_terminals = [BUSY], []
        await told(service, client)
        late = await opened(stage.hub)
        snapshot = content((await late.subscribe(1, "status")).snapshot)
        values = msgspec.json.decode(snapshot, type=list[LatestValue])
        kernels = [msgspec.json.decode(value.data, type=RunningStatus) for value in values if value.kind in TYPES]
        assert [(kernel.id, kernel.state) for kernel in kernels] == [("k1", "busy")]


async def test_a_kernel_and_a_terminal_of_the_same_id_are_two() -> None:
    async with watching() as (service, stage, client):
        stage.platform.running_kernels = [Running("1", "python3", "idle", 0, "")]
        stage.platform.running_terminals = [TERMINAL]
        assert len(await told(service, client)) == 2
        stage.platform.running_kernels = []
        assert await told(service, client) == [("kernel", "1", "gone")]


async def test_everything_at_once_is_what_is_now() -> None:
    service = StatusService()
    stage = Stage(service)
    stage.platform.running_kernels, stage.platform.running_terminals = [KERNEL], [TERMINAL]
    stage.health = [Health("chat", "degraded", "No disk.")]
    now = await service.get(Nothing(), fake_peer())
    assert now.services == stage.health
    assert [(kernel.id, kernel.name, kernel.state, kernel.connections) for kernel in now.kernels] == [
        ("k1", "python3", "idle", 1)
    ]
    assert [terminal.id for terminal in now.terminals] == ["1"]


async def test_the_state_is_for_those_who_may_read_it() -> None:
    stage = Stage(StatusService())
    client = await opened(stage.hub, fake_peer(denied=[("read", "status")]))
    assert code_of(await client.ask(1, "status.get")) == "forbidden"
    assert await client.refusal(Subscribe(2, "status")) == "forbidden"


async def test_a_look_that_failed_is_made_up_for_by_the_next() -> None:
    async with watching() as (service, stage, client):
        stage.platform.running_kernels, stage.health = [KERNEL], [Health("chat", "ok")]
        stage.platform.error = RuntimeError("the gateway is down")
        with pytest.raises(RuntimeError):
            await service.publish_changes()
        stage.platform.error = None
        assert await told(service, client) == [("kernel", "k1", "idle"), ("service", "chat", "ok")]


async def test_that_what_runs_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "POLL_S", 0.0)
    async with watching() as (service, stage, _client):
        stage.platform.error = RuntimeError("the gateway is down")
        await until(lambda: service.health().state == "degraded")
        stage.health = [service.health()]
        await until(lambda: any(b"RuntimeError" in value for value in known(stage, "service")))


async def test_the_watching_goes_on_after_a_look_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "POLL_S", 0.0)
    service = StatusService()
    stage = Stage(service)
    stage.platform.error = RuntimeError("the gateway is down")
    await service.start()
    await turns()
    stage.platform.error, stage.platform.running_kernels = None, [KERNEL]
    await turns()
    known = stage.hub.topics.state("status", "alice").snapshot()
    await asyncio.gather(service.stop(), return_exceptions=True)
    assert [value.kind for value in known] == ["kernel"]


async def test_the_server_is_looked_at_again_and_again_until_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "POLL_S", 0.0)
    service = StatusService()
    stage = Stage(service)
    await service.start()
    state = stage.hub.topics.state("status", "alice")
    stage.platform.running_kernels = [KERNEL]
    await until(lambda: any(b'"idle"' in bytes(value.data) for value in state.snapshot()))
    stage.platform.running_kernels = [BUSY]
    await until(lambda: any(b'"busy"' in bytes(value.data) for value in state.snapshot()))
    await service.stop()
    stage.platform.running_kernels = []
    await turns()
    assert len(state.snapshot()) == 1


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and measure without pauses."""
    monkeypatch.setattr(status, "POLL_S", 0.0)
    monkeypatch.setattr(status, "MEASURE_S", 0.0)
    monkeypatch.setattr(status, "RETRY_S", 0.0)
    monkeypatch.setattr(status, "SAMPLE_S", 0.0)


def known(stage: Stage, kind: str) -> list[bytes]:
    """The latest values of a kind."""
    values = stage.hub.topics.state("status", "alice").snapshot()
    return [bytes(value.data) for value in values if value.kind == kind]


async def test_what_costs_something_is_measured_while_somebody_follows_and_not_told_afterwards(quickly: None) -> None:
    service = StatusService()
    stage = Stage(service)
    await service.start()
    await turns(100)
    assert (stage.platform.gauge.running, stage.platform.gauge.readings, known(stage, "process")) == (0, 0, [])
    stage.platform.sockets = SocketCounts(3, 2, 1, 2)
    client = await opened(stage.hub)
    await client.subscribe(1, "status")
    await until(lambda: bool(known(stage, "transfers")))
    assert stage.platform.gauge.running == 1
    process = msgspec.json.decode(known(stage, "process")[0], type=ProcessStatus)
    assert (process.cpu, process.memory, process.machine_cores, process.loop_lag_ms) == (0.25, 100_000_000, 2, 1.5)
    totals = msgspec.json.decode(known(stage, "connections")[0], type=ConnectionTotals)
    assert totals == ConnectionTotals(main=3, terminals=2, file_streams=1, users=2)
    client.connection.closed()
    await until(lambda: stage.platform.gauge.running == 0 and not known(stage, "process"))
    assert known(stage, "connections") == known(stage, "transfers") == []
    await service.stop()


def told_memory(stage: Stage) -> int:
    """What followers see of the server's memory; 0 where nothing is known."""
    return sum(msgspec.json.decode(value, type=ProcessStatus).memory for value in known(stage, "process"))


async def measured(stage: Stage, times: int) -> None:
    """Wait until the gauge has been read so many times more."""
    enough = stage.platform.gauge.readings + times
    await until(lambda: stage.platform.gauge.readings >= enough)


async def stays_degraded(service: StatusService, stage: Stage, reason: str) -> None:
    """Both loops go round several times, and at no moment is the service well."""
    gauge = stage.platform.gauge
    readings, looks = gauge.readings, stage.platform.looks
    while gauge.readings < readings + 5 or stage.platform.looks < looks + 5:
        assert service.health().state == "degraded"
        assert reason in (service.health().reason or "")
        await asyncio.sleep(0)


async def test_a_gauge_that_fails_degrades_the_service_until_it_measures_again(
    quickly: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching() as (service, stage, _client):
        gauge = stage.platform.gauge
        await until(lambda: told_memory(stage) == 100_000_000)
        gauge.error = RuntimeError("no /proc")
        await until(lambda: service.health().state == "degraded")
        async with asyncio.timeout(5):
            await stays_degraded(service, stage, "What the server uses is not known: RuntimeError.")
        stage.platform.running_kernels = [KERNEL]
        await until(lambda: bool(known(stage, "kernel")))
        assert [record.getMessage() for record in caplog.records] == ["What the server uses is not known."]
        gauge.error, gauge.usage = None, msgspec.structs.replace(gauge.usage, memory=200_000_000)
        await until(lambda: told_memory(stage) == 200_000_000)
        await until(lambda: service.health().state == "ok")
        assert gauge.running == 1
    assert gauge.running == 0
    assert len(caplog.records) == 1


async def test_another_failure_is_logged_too_and_each_again_after_a_recovery(
    quickly: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching() as (service, stage, _client):
        gauge = stage.platform.gauge
        for error in (RuntimeError("no /proc"), OSError("no memory"), RuntimeError("no /proc")):
            gauge.error = error
            await measured(stage, 4)
        assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [RuntimeError, OSError]
        gauge.error = None
        await until(lambda: service.health().state == "ok")
        gauge.error = RuntimeError("no /proc")
        await until(lambda: service.health().state == "degraded")
        assert len(caplog.records) == 3


async def test_one_loop_s_recovery_does_not_hide_the_other_s_failure(quickly: None) -> None:
    async with watching() as (service, stage, _client):
        stage.platform.gauge.error = RuntimeError("no /proc")
        stage.platform.error = OSError("the gateway is down")
        both = "What runs on the server is not known: OSError. What the server uses is not known: RuntimeError."
        await until(lambda: service.health().reason == both)
        stage.platform.gauge.error = None
        await until(lambda: service.health().reason == "What runs on the server is not known: OSError.")
        stage.platform.error = None
        await until(lambda: service.health().state == "ok")


async def test_who_measures_no_more_fails_no_more(quickly: None) -> None:
    async with watching() as (service, stage, client):
        stage.platform.gauge.error = RuntimeError("no /proc")
        await until(lambda: service.health().state == "degraded")
        client.connection.closed()
        await until(lambda: service.health().state == "ok")


def test_the_pauses_after_failures_grow_up_to_a_minute() -> None:
    assert [status.retry_s(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 10_000)] == [2, 4, 8, 16, 32, 60, 60, 60]


async def test_who_asks_without_following_gets_figures_of_a_moment_and_many_share_them(quickly: None) -> None:
    service = StatusService()
    stage = Stage(service)
    stage.platform.sockets = SocketCounts(1, 0, 0, 1)
    answers = await asyncio.gather(*(service.get(Nothing(), fake_peer()) for _ in range(5)))
    assert {answer.process.memory for answer in answers} == {100_000_000}
    assert answers[0].connections.main == 1
    assert stage.platform.gauge.running == 0


async def test_the_stop_ends_the_measuring(quickly: None) -> None:
    async with watching() as (_, stage, _client):
        await until(lambda: stage.platform.gauge.running == 1)
    assert stage.platform.gauge.running == 0


def moving(stage: Stage, bytes_each_s: int) -> None:
    """Have a transfer move so fast, half a second each time that the server is looked at."""
    one = operation("1", 0)
    stage.transfers._known._whole[one.id] = one

    def moved() -> None:
        stage.clock.advance(0.5)
        one.byte_offset += bytes_each_s // 2

    stage.platform.gauge.on_read = moved


async def test_who_asks_without_following_is_told_how_fast_transfers_are(quickly: None) -> None:
    service = StatusService()
    stage = Stage(service)
    moving(stage, 3000)
    stage.transfers._known._waiting["2"] = Line("alice", 0, None)
    assert (await service.get(Nothing(), fake_peer())).transfers == TransferTotals(paused=1, bytes_per_s=3000)


async def test_who_asks_is_told_of_transfers_what_those_are_who_follow(quickly: None) -> None:
    async with watching() as (service, stage, _client):
        moving(stage, 5000)
        await until(lambda: b"5000" in b"".join(known(stage, "transfers")))
        told = msgspec.json.decode(known(stage, "transfers")[0], type=TransferTotals)
        assert (await service.get(Nothing(), fake_peer())).transfers == told


def operation(id: str, offset: int) -> Operation:
    op = Operation(id, "upload", "alice", "a", 1000)
    op.byte_offset, op.state = offset, "running"
    return op


def test_the_throughput_is_what_all_transfers_have_moved_since_the_last_look() -> None:
    clock = FakeClock()
    one, two, three = operation("1", 500), operation("2", 0), operation("3", 900)
    known = [one, two]
    throughput = Throughput(lambda: known, clock)
    assert throughput.look() == 0
    one.byte_offset, two.byte_offset = 700, 100
    known.append(three)
    clock.advance(2)
    assert throughput.look() == 150
    one.byte_offset = 600  # it begins again where it was sure
    clock.advance(1)
    assert throughput.look() == 0
    known.clear()
    assert throughput.look() == 0
