"""Standard input and output beside an event loop: neither ever blocks it, and neither piles up.

The descriptors stay as they are: a flag like O_NONBLOCK would hold for the user's shell, too.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 64 * 1024
WRITE_BYTES: Final = 64 * 1024


class Screen:
    """Writes in a thread. What is queued is bounded by who puts it in: `on_written` says what has left."""

    def __init__(self, fd: int, on_written: Callable[[int], None], on_error: Callable[[OSError], None]) -> None:
        """`on_written(until)` is called on the loop for the marks given to `write`, the last one of a batch."""
        self._fd = fd
        self._on_written = on_written
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[bytes, int | None]] = deque()
        self._ready = threading.Condition()
        self._pending = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._broken = False
        threading.Thread(target=self._run, name="screen", daemon=True).start()

    def write(self, data: bytes, until: int | None = None) -> None:
        """Queue bytes; `until` marks their end for `on_written`."""
        with self._ready:
            self._pending += 1
            self._empty.clear()
            self._queue.append((data, until))
            self._ready.notify()

    async def flush(self) -> None:
        """Wait until all has been written, or cannot be."""
        await self._empty.wait()

    def _take(self) -> tuple[bytes, int, int | None]:
        with self._ready:
            while not self._queue:
                self._ready.wait()
            parts: list[bytes] = []
            size, until = 0, None
            while self._queue and (not parts or size + len(self._queue[0][0]) <= WRITE_BYTES):
                data, mark = self._queue.popleft()
                parts.append(data)
                size += len(data)
                until = mark if mark is not None else until
        return b"".join(parts), len(parts), until

    def _run(self) -> None:
        while True:
            data, count, until = self._take()
            error = None if self._broken else self._put(data)
            self._broken = self._broken or error is not None
            try:
                self._loop.call_soon_threadsafe(self._done, count, until, error)
            except RuntimeError:
                return  # the loop has ended, and with it everything that could be told

    def _put(self, data: bytes) -> OSError | None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            return error
        return None

    def _done(self, count: int, until: int | None, error: OSError | None) -> None:
        with self._ready:
            self._pending -= count
            if not self._pending:
                self._empty.set()
        if until is not None:
            self._on_written(until)
        if error is not None:
            self._on_error(error)


class Keyboard:
    """Reads when there is something, and not while `pause`d."""

    def __init__(self, fd: int, on_data: Callable[[bytes], None]) -> None:
        """`on_data` gets what was read, and nothing (`b""`) at the end."""
        self._fd = fd
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._ended = False
        self._soon: asyncio.Handle | None = None

    def resume(self) -> None:
        """Read on. Idempotent."""
        if self._reading or self._ended:
            return
        self._reading = True
        try:
            self._loop.add_reader(self._fd, self._read)
        except PermissionError:
            self._soon = self._loop.call_soon(self._read_file)  # a plain file is always ready, and epoll refuses it

    def pause(self) -> None:
        """Read no further. Idempotent."""
        if not self._reading:
            return
        self._reading = False
        if self._soon is not None:
            self._soon.cancel()
        else:
            self._loop.remove_reader(self._fd)

    def _read_file(self) -> None:
        self._read()
        if self._reading:
            self._soon = self._loop.call_soon(self._read_file)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a terminal whose other end is gone
        if not data:
            self.pause()
            self._ended = True
        self._on_data(data)
