"""What was typed and the program has not read yet. Nothing here waits: a paste that nobody reads stays in the queue."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

if sys.platform != "win32":
    import fcntl
    import termios

MAX_BACKLOG_BYTES: Final = 1024 * 1024
"""Who would make the queue longer than this has to wait."""

PIECE_BYTES: Final = 64 * 1024

RETRY_S: Final = 0.01
"""A PTY that says it takes input and then does not is asked again after this."""

TIOCGPTN: Final = 0x80045430
"""Of Linux; only new versions of Python have a name for it."""


def signal_characters(descriptor: int) -> bytes:
    """The characters that a terminal turns into signals, dropping what was typed before; none in raw mode."""
    try:
        _, _, _, local, _, _, characters = termios.tcgetattr(descriptor)
    except termios.error:
        return b""
    if not local & termios.ISIG or local & termios.NOFLSH:
        return b""
    return b"".join(characters[key] for key in (termios.VINTR, termios.VQUIT, termios.VSUSP))


def drop_unread(descriptor: int) -> None:
    """Drop what the kernel holds of a terminal's input. On systems other than Linux only a part of it."""
    with suppress(OSError, termios.error):
        termios.tcflush(descriptor, termios.TCOFLUSH)
        if sys.platform != "linux":
            return
        number = struct.unpack("i", fcntl.ioctl(descriptor, TIOCGPTN, bytes(4)))[0]
        terminal = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            termios.tcflush(terminal, termios.TCIFLUSH)
        finally:
            os.close(terminal)


class InputQueue:
    """The input of one PTY, whose descriptor does not block. All calls come from the loop's thread."""

    def __init__(self, descriptor: int) -> None:
        """Nothing was typed yet."""
        self._descriptor = descriptor
        self._pending = bytearray()
        self._taken = 0
        self._waiting: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        self.on_read: Callable[[], None] = lambda: None
        """Called when some of what waited was taken."""

    @property
    def backlog(self) -> int:
        """Bytes that wait."""
        return len(self._pending) - self._taken

    def write(self, data: bytes) -> None:
        """Give input to the program, now or when it reads. After the end it is dropped."""
        if self._closed or not data:
            return
        if len(data) == 1 and data < b" " and data in signal_characters(self._descriptor):
            self._drop()  # also what the kernel holds: it looks at no character behind 4 KB that nobody reads
        if self._pending:
            self._pending += data
            return
        taken = self._give(data)
        if taken < len(data):
            self._pending += data[taken:]
            self._listen()

    def when_short(self, call: Callable[[], None]) -> None:
        """Call, now or later, when what waits is not too much."""
        if self.backlog <= MAX_BACKLOG_BYTES or self._closed:
            call()
        else:
            self._waiting.append(call)

    def close(self) -> None:
        """The terminal has ended: nothing is written any more. Before its descriptor is closed; idempotent."""
        self._closed = True
        self._quiet()
        self._forget()

    def _drop(self) -> None:
        """As the kernel does at such a character: what was not read is gone."""
        drop_unread(self._descriptor)
        self._quiet()
        self._forget()

    def _forget(self) -> None:
        self._pending.clear()
        self._taken = 0
        self._tell()

    def _give(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the program is gone; that the terminal ends is seen where its output is read

    def _listen(self) -> None:
        self._retry = None
        self._loop = self._loop or asyncio.get_running_loop()
        self._loop.add_writer(self._descriptor, self._writable)

    def _quiet(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._loop is not None:
            self._loop.remove_writer(self._descriptor)

    def _writable(self) -> None:
        with memoryview(self._pending) as view, view[self._taken : self._taken + PIECE_BYTES] as piece:
            taken = self._give(piece)
        self._taken += taken
        if self._taken >= min(PIECE_BYTES, len(self._pending)):
            del self._pending[: self._taken]
            self._taken = 0
        if not self._pending:
            self._quiet()
        elif not taken and self._loop is not None:
            self._quiet()
            self._retry = self._loop.call_later(RETRY_S, self._listen)
        if taken:
            self._tell()

    def _tell(self) -> None:
        if self.backlog <= MAX_BACKLOG_BYTES:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()
        self.on_read()
