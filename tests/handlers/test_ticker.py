"""One ticker for all sockets: everybody's turn comes, the loop stays free, checks of users are few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise

import pytest

from jupyter_ws_hub.handlers import ticker as module
from jupyter_ws_hub.handlers.parts import OpenSocket, SocketKind
from jupyter_ws_hub.handlers.ticker import CHECKS_AT_ONCE, SLICE_S, Checks, Ticker
from jupyter_ws_hub.ports import Runtime
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import FakeClock, fake_runtime, turns, until

INTERVAL_S = 120.0
LOGGED_OUT = HubError(Code.UNAUTHENTICATED, "gone")


class FakeSocket:
    """Counts its ticks; each takes `cost_s`. A check waits for `gate` and then raises `error`, if there is one."""

    def __init__(self, clock: FakeClock, gate: asyncio.Event | None = None) -> None:
        """Open."""
        self.kind: SocketKind = "main"
        self.principal = "alice"
        self.login: str | None = None
        self.check_due_s: float | None = None
        self.clock = clock
        self.gate = gate
        self.cost_s = 0.0
        self.ticks = 0
        self.checks: list[float] = []
        self.error: BaseException | None = None
        self.dropped: HubError | None = None
        self.on_tick: Callable[[], None] = lambda: None

    def tick(self) -> None:
        """See OpenSocket."""
        self.ticks += 1
        self.clock.advance(self.cost_s)
        self.on_tick()

    async def recheck(self) -> None:
        """See OpenSocket."""
        self.checks.append(self.clock())
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error

    def drop(self, error: HubError) -> None:
        """See OpenSocket."""
        self.dropped = error

    def shut_down(self) -> None:
        """See OpenSocket."""


class Stand:
    """A ticker over fake sockets."""

    def __init__(self, number: int, *, interval_s: float = INTERVAL_S, gate: asyncio.Event | None = None) -> None:
        """With so many sockets, which are checked when `gate` opens."""
        self.clock = FakeClock()
        chances = iter(range(1_000_000))
        self.runtime: Runtime = fake_runtime(self.clock)
        self.checks = Checks(interval_s, self.runtime, lambda: (next(chances) * 0.618) % 1)
        self.all = [FakeSocket(self.clock, gate) for _ in range(number)]
        self.open: set[OpenSocket] = set(self.all)
        self.ticker = Ticker(self.open, self.checks, self.runtime)

    async def seconds(self, number: int) -> None:
        """Let time pass as the ticker does."""
        for _ in range(number):
            self.clock.advance(1)
            await self.ticker.round()
            await turns(3)


async def test_each_socket_s_turn_comes_in_each_round() -> None:
    stand = Stand(1000)
    await stand.seconds(3)
    assert {socket.ticks for socket in stand.all} == {3}


async def test_no_slice_of_a_round_holds_the_loop() -> None:
    stand = Stand(500)
    for socket in stand.all:
        socket.cost_s = SLICE_S / 10
    passed_s: list[float] = []

    async def other() -> None:
        while True:
            before_s = stand.clock()
            await asyncio.sleep(0)
            passed_s.append(stand.clock() - before_s)

    task = asyncio.create_task(other())
    await stand.ticker.round()
    task.cancel()
    assert sum(passed_s) >= 0.9 * 500 * SLICE_S / 10
    assert max(passed_s) <= SLICE_S * 1.2 < 0.001


async def test_what_closes_in_the_midst_of_a_round_has_no_turn_any_more() -> None:
    stand = Stand(10)
    for socket in stand.all:
        socket.on_tick = stand.open.clear
    await stand.ticker.round()
    assert sum(socket.ticks for socket in stand.all) == 1


async def test_a_failure_is_one_socket_s_own(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("this one is broken")

    stand = Stand(10)
    stand.all[3].on_tick = fail
    await stand.seconds(2)
    assert {socket.ticks for socket in stand.all} == {2}
    assert "this one is broken" in caplog.text


async def test_everybody_is_checked_at_least_every_interval_and_never_all_at_once() -> None:
    stand = Stand(200)
    await stand.seconds(int(10 * INTERVAL_S))
    for socket in stand.all:
        times_s = [1_000_000.0, *socket.checks]
        gaps_s = [after - before for before, after in pairwise(times_s)]
        assert len(gaps_s) >= 10
        assert max(gaps_s) <= INTERVAL_S
        assert min(gaps_s) >= INTERVAL_S / 2
    starts = [second for socket in stand.all for second in socket.checks]
    assert max(starts.count(second) for second in set(starts)) <= CHECKS_AT_ONCE


async def test_slow_checks_wait_for_room_and_everybody_s_turn_comes() -> None:
    gate = asyncio.Event()
    stand = Stand(50, gate=gate)
    await stand.seconds(200)
    assert sum(len(socket.checks) for socket in stand.all) == CHECKS_AT_ONCE
    gate.set()
    await stand.seconds(20)
    assert all(socket.checks for socket in stand.all)


async def test_with_no_interval_nobody_is_checked() -> None:
    stand = Stand(3, interval_s=0)
    await stand.seconds(500)
    assert not any(socket.checks for socket in stand.all)


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.FORBIDDEN])
async def test_who_may_not_be_here_any_more_is_dropped(code: Code) -> None:
    stand = Stand(2)
    stand.all[0].error = HubError(code, "out")
    await stand.seconds(100)
    assert stand.all[0].dropped is stand.all[0].error
    assert stand.all[1].dropped is None


@pytest.mark.parametrize("error", [OSError("no Hub"), HubError(Code.UNAVAILABLE, "later"), RuntimeError("a bug")])
async def test_a_check_that_fails_closes_nothing_is_told_once_and_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stand = Stand(20)
    for socket in stand.all:
        socket.error = error
    await stand.seconds(300)
    assert all(len(socket.checks) >= 2 and socket.dropped is None for socket in stand.all)
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.exc_info is not None
    for socket in stand.all:
        socket.error = None
    await stand.seconds(120)
    assert [record.message for record in caplog.records if "again" in record.message] != []
    stand.all[0].error = LOGGED_OUT
    await stand.seconds(120)
    assert stand.all[0].dropped is LOGGED_OUT


async def test_a_check_that_hangs_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 0.01)
    stand = Stand(1, gate=asyncio.Event())
    await stand.seconds(100)
    await asyncio.sleep(0.05)
    await stand.seconds(100)
    assert len(stand.all[0].checks) == 2
    assert stand.all[0].dropped is None
    await stand.ticker.stop()


async def test_it_runs_by_itself_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.001)
    stand = Stand(1, gate=asyncio.Event())
    stand.all[0].on_tick = lambda: stand.clock.advance(1)
    stand.ticker.start()
    await until(lambda: bool(stand.all[0].checks))
    await stand.ticker.stop()
    ticks = stand.all[0].ticks
    await asyncio.sleep(0.01)
    assert stand.all[0].ticks == ticks
    assert len(asyncio.all_tasks()) == 1
    await stand.ticker.stop()


async def test_a_ticker_that_was_never_started_stops() -> None:
    await Stand(1).ticker.stop()
