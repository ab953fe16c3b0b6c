"""The process in a PTY, with a descriptor that never blocks and an end that nobody waits for."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self

from ptyprocess import PtyProcessUnicode

from .input_queue import InputQueue
from .sizes import Extent
from .spawn import can_spawn, spawn

POLL_S: Final = 0.02
"""How often the end is asked for where the system does not tell of it."""

UNKNOWN: Final = -1
SIGNALLED: Final = 128
"""What shells add to a signal's number to make it an exit code."""


def _as_terminado_does() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


class ExitStatus(NamedTuple):
    """How a program ended. A signal of 0: by itself; a code of -1: that is not known."""

    code: int = UNKNOWN
    signal: int = 0


def status_of(wait_status: int) -> ExitStatus:
    """What `waitpid` says, as shells say it."""
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        return ExitStatus(SIGNALLED + number, number)
    return ExitStatus(os.WEXITSTATUS(wait_status))


class HubPtyProcess(PtyProcessUnicode):
    """A `PtyProcess` whose methods return at once. All but `write` belong to the loop's thread."""

    def __init__(self, pid: int, fd: int) -> None:
        """Called by `spawn`, on the event loop."""
        super().__init__(pid, fd)
        os.set_blocking(fd, False)
        self.closed = False
        self.input = InputQueue(fd)
        self.exit_status: ExitStatus | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._on_exit: list[Callable[[], None]] = []
        self._watched: int | None = None
        self._watch()

    @classmethod
    def start(cls, argv: list[str], env: dict[str, str], cwd: str | None) -> Self:
        """Start a program, as `spawn` does but without holding up the loop where the system has a way.

        Raises:
            OSError: it cannot be started.
        """
        if not can_spawn():
            started: Self = cls.spawn(argv, cwd=cwd, env=env, preexec_fn=_as_terminado_does)
            return started
        process = cls(*spawn(argv, env, cwd))
        process.argv, process.env, process.launch_dir = argv, env, cwd
        return process

    def write(self, text: str | bytes) -> int:
        """Queue input; from any thread. Returns the number of bytes."""
        data = text.encode(errors="replace") if isinstance(text, str) else text
        if threading.get_ident() == self._thread:
            self.input.write(data)
        else:
            self._loop.call_soon_threadsafe(self.input.write, data)
        return len(data)

    def isalive(self) -> bool:
        """Whether the process runs; its status is taken as soon as it does not."""
        if self.exit_status is not None:
            return False
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has taken the status
            self._ended(ExitStatus())
            return False
        if pid == 0:
            return True
        self.status = status
        self._ended(status_of(status))
        return False

    def kill(self, sig: int) -> None:
        """Send a signal, if it runs."""
        with suppress(ProcessLookupError):
            if self.isalive():
                os.kill(self.pid, sig)

    def close(self, force: bool = True) -> None:
        """Let go of the PTY, which hangs up on the process. Idempotent."""
        if not self.closed:
            self.input.close()
            self.fileobj.close()
            self.fd = -1
            self.closed = True

    def when_exited(self, call: Callable[[], None]) -> None:
        """Call when the process has ended, at once if it has."""
        if self.isalive():
            self._on_exit.append(call)
        else:
            call()

    def extent(self) -> Extent:
        """The PTY's size now, which programs may have changed."""
        rows, columns, width, height = struct.unpack("HHHH", fcntl.ioctl(self.fd, termios.TIOCGWINSZ, bytes(8)))
        return Extent(rows, columns, width, height)

    def set_extent(self, extent: Extent) -> None:
        """Set the PTY's size; the program is told by SIGWINCH."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *extent))

    def _ended(self, status: ExitStatus) -> None:
        self.exit_status = status
        self.terminated = True
        self.exitstatus = None if status.signal or status.code == UNKNOWN else status.code
        self.signalstatus = status.signal or None
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            os.close(self._watched)
            self._watched = None
        calls, self._on_exit = self._on_exit, []
        for call in calls:
            call()

    def _watch(self) -> None:
        """Learn of the end from the kernel where it tells, else by asking."""
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self._watched = os.pidfd_open(self.pid)
                self._loop.add_reader(self._watched, self.isalive)
                return
        self._poll()

    def _poll(self) -> None:
        if self.isalive():
            self._loop.call_later(POLL_S, self._poll)


async def end_of(process: HubPtyProcess, timeout_s: float) -> bool:
    """Wait for the end of a process; False if it runs on."""
    ended = asyncio.Event()
    process.when_exited(ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    except TimeoutError:
        return False
    return True


async def terminate(process: HubPtyProcess, force: bool, patience_s: float) -> bool:
    """Ask a process to end, ever less kindly; True when it has ended. `force`: kill it in the end."""
    signals: list[Any] = [signal.SIGHUP, signal.SIGCONT, signal.SIGINT, signal.SIGTERM]
    for number in [*signals, signal.SIGKILL] if force else signals:
        process.kill(number)
        if await end_of(process, patience_s):
            return True
    return False
