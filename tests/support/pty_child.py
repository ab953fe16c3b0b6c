"""A command as a child process on a pseudo-terminal of its own: what a user at a keyboard sees and does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from typing import Any, Self

from .address import until


class PtyChild:
    """Runs while its `async with` block does; both ends of the pseudo-terminal stay open meanwhile."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """`arguments` of this Python; `environment` is added to this process's."""
        self._arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self.output = bytearray()

    async def __aenter__(self) -> Self:
        """Start it in a session of its own."""
        self._keyboard, self.tty = pty.openpty()
        self.resize(24, 80)
        self.before = self.modes
        self.process = self._start()
        asyncio.get_running_loop().add_reader(self._keyboard, self._read)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End it."""
        asyncio.get_running_loop().remove_reader(self._keyboard)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._keyboard)
        os.close(self.tty)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *self._arguments],
            stdin=self.tty,
            stdout=self.tty,
            stderr=self.tty,
            env=self._environment,
            start_new_session=True,
        )

    @property
    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self.tty)

    @property
    def is_raw(self) -> bool:
        """Whether keys go through as they are."""
        return not self.modes[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def _read(self) -> None:
        self.output += os.read(self._keyboard, 65536)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._keyboard, keys)

    def resize(self, rows: int, columns: int) -> None:
        """Drag the window's corner."""
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    async def wait_for(self, text: bytes) -> None:
        """Until the screen has had this."""
        await until(lambda: text in self.output, f"{text!r} on the screen")

    async def wait(self) -> int:
        """Until it ends; returns its exit status, negative where a signal ended it."""
        await until(lambda: self.process.poll() is not None, "the end of the process", 15)
        return int(self.process.wait())
