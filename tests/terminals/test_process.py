"""A process in a PTY whose end is told, and for which nobody waits. With real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from time import perf_counter

import pytest

from jupyter_ws_hub.terminals import process as module
from jupyter_ws_hub.terminals.process import ExitStatus, HubPtyProcess, end_of, status_of, terminate
from jupyter_ws_hub.terminals.sizes import Extent

from ..support.client import WAIT_S, until


@pytest.fixture
def started() -> Iterator[list[HubPtyProcess]]:
    """What a test has started is ended by its id."""
    processes: list[HubPtyProcess] = []
    yield processes
    for process in processes:
        if process.exit_status is None:
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        process.close()


def start(started: list[HubPtyProcess], command: str) -> HubPtyProcess:
    process: HubPtyProcess = HubPtyProcess.spawn(["/bin/sh", "-c", command])
    started.append(process)
    return process


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 0", ExitStatus(0)), ("exit 3", ExitStatus(3)), ("kill -KILL $$", ExitStatus(137, signal.SIGKILL))],
)
@pytest.mark.parametrize("has_pidfd", [True, False])
async def test_the_end_is_told_with_its_status(
    started: list[HubPtyProcess], monkeypatch: pytest.MonkeyPatch, command: str, status: ExitStatus, has_pidfd: bool
) -> None:
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = start(started, f"read line; {command}")
    told: list[ExitStatus | None] = []
    process.when_exited(lambda: told.append(process.exit_status))
    assert process.isalive() and told == []
    process.write("go\n")
    await until(lambda: told == [status], "the end")
    process.when_exited(lambda: told.append(process.exit_status))
    assert told == [status, status]
    assert not process.isalive()
    assert (process.exitstatus, process.signalstatus) == (None if status.signal else status.code, status.signal or None)


def take_status(pid: int) -> None:
    """Wait for a process as another part of the server might."""
    os.waitpid(pid, 0)


async def test_a_status_that_somebody_else_took_is_unknown(started: list[HubPtyProcess]) -> None:
    process = start(started, "exit 3")
    take_status(process.pid)
    assert await end_of(process, WAIT_S)
    assert process.exit_status == ExitStatus(-1, 0)
    assert process.exitstatus is None


async def test_closing_and_ending_hold_up_nobody(started: list[HubPtyProcess]) -> None:
    process = start(started, "trap '' HUP TERM INT; sleep 1000")
    begun_s = perf_counter()
    process.close()
    process.close()
    assert perf_counter() - begun_s < 0.05
    assert process.isalive() and process.closed
    process.write("too late")


async def test_who_does_not_want_to_end_is_killed_if_that_is_wanted(started: list[HubPtyProcess]) -> None:
    process = start(started, "trap '' HUP TERM INT; echo ready; while :; do sleep 1; done")
    await until(lambda: b"ready" in _read(process), "the traps")
    assert not await terminate(process, force=False, patience_s=0.02)
    assert process.isalive()
    assert await terminate(process, force=True, patience_s=WAIT_S / 10)
    assert process.exit_status == ExitStatus(137, 9)


async def test_who_ends_when_asked_is_not_waited_for_longer(started: list[HubPtyProcess]) -> None:
    process = start(started, "exec sleep 1000")
    begun_s = perf_counter()
    assert await terminate(process, force=True, patience_s=WAIT_S)
    assert perf_counter() - begun_s < WAIT_S / 2
    assert process.exit_status == ExitStatus(129, signal.SIGHUP)
    process.kill(signal.SIGTERM)  # it is not there any more, and nobody else is hit


def _read(process: HubPtyProcess) -> bytes:
    try:
        return os.read(process.fd, 65536)
    except BlockingIOError:
        return b""


async def test_input_may_come_from_another_thread(started: list[HubPtyProcess]) -> None:
    process = start(started, "read line; echo got $line")
    thread = threading.Thread(target=process.write, args=("é from afar\n",))
    thread.start()
    await asyncio.to_thread(thread.join)
    output = bytearray()

    def has_got() -> bool:
        try:
            output.extend(_read(process))
        except OSError:
            return True
        return "got é from afar".encode() in output

    await until(has_got, "the answer")


async def test_the_size_has_pixels(started: list[HubPtyProcess]) -> None:
    process = start(started, "sleep 1000")
    process.set_extent(Extent(30, 100, 800, 600))
    assert process.extent() == Extent(30, 100, 800, 600)
    assert process.getwinsize() == (30, 100)


def test_a_status_is_what_shells_say() -> None:
    assert status_of(3 << 8) == ExitStatus(3, 0)
    assert status_of(signal.SIGTERM) == ExitStatus(143, signal.SIGTERM)
    assert module.SIGNALLED + signal.SIGKILL == 137
