"""A connected socket that is read and written in the turn of the loop in which something can be done.

It has the part of an IOStream's face that Tornado's WebSocket protocol uses.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from tornado.iostream import IOStream, StreamClosedError

FEW_BYTES: Final = 4096
"""Read at a time, so that a flood of tiny frames does not hold up the loop."""

MANY_BYTES: Final = 64 * 1024
"""Read at a time in the midst of a frame."""


class DirectStream:
    """A connected socket, with the part of an IOStream's face that WebSocketProtocol13 uses."""

    def __init__(self, stream: IOStream, on_data: Callable[[bytes], bool], on_close: Callable[[], None]) -> None:
        """Take the socket of a stream that neither reads nor writes. `on_data` says whether a frame is half read."""
        self._stream = stream
        self.io_loop = stream.io_loop
        self._socket: socket.socket = stream.socket
        self._on_data, self._on_close = on_data, on_close
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[memoryview] = deque()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._written_bytes = self._queued_bytes = 0
        self._size = FEW_BYTES
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._done.set_result(None)
        self.io_loop.remove_handler(stream.fileno())
        self._loop.add_reader(self._socket, self._readable)

    def write(self, data: bytes) -> asyncio.Future[None]:
        """Send now what the kernel takes, and the rest when it does; done when it has all.

        Raises:
            StreamClosedError: the socket is closed.
        """
        sent = 0 if self._unsent or self.closed() else self._send(data)
        if self.closed():  # it was, or this write has shown it
            raise StreamClosedError
        if not self._unsent:
            if sent == len(data):
                return self._done
            data = data[sent:]
            self._loop.add_writer(self._socket, self._writable)
        self._unsent.append(memoryview(data))
        self._queued_bytes += len(data)
        written: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._queued_bytes, written))
        return written

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.close()
            return 0

    def _writable(self) -> None:
        sent = self._send(self._unsent[0])
        if self.closed():
            return
        self._written_bytes += sent
        if sent == len(self._unsent[0]):
            self._unsent.popleft()
        else:
            self._unsent[0] = self._unsent[0][sent:]
        if not self._unsent:
            self._loop.remove_writer(self._socket)
        while self._waiting and self._waiting[0][0] <= self._written_bytes:
            _, written = self._waiting.popleft()
            if not written.done():
                written.set_result(None)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(self._size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._size = MANY_BYTES if self._on_data(data) else FEW_BYTES

    def close(self) -> None:
        """Close the socket; whoever waits for a write is told that it failed. Idempotent."""
        if self.closed():
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._stream.close()
        self._unsent.clear()
        for _, written in self._waiting:
            if not written.done():
                written.set_exception(StreamClosedError())
                written.exception()  # who looks at it sees it; who does not need not be told
        self._on_close()

    def closed(self) -> bool:
        """Whether it is closed."""
        return self._stream.closed()

    def set_nodelay(self, value: bool) -> None:
        """See IOStream."""
        self._stream.set_nodelay(value)
