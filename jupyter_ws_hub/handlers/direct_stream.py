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
MANY_BYTES: Final = 64 * 1024
"""Many are read at a time in the midst of a frame only, so that a flood of tiny ones does not hold up the loop."""


class DirectStream:
    """A connected socket, with the part of an IOStream's face that WebSocketProtocol13 uses."""

    def __init__(self, stream: IOStream, on_data: Callable[[bytes], bool], on_close: Callable[[], None]) -> None:
        """Take the socket of a stream that neither reads nor writes. `on_data` says whether a frame is half read."""
        self._stream, self.io_loop = stream, stream.io_loop
        self._socket: socket.socket = stream.socket
        self._on_data, self._on_close = on_data, on_close
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[memoryview, asyncio.Future[None]]] = deque()
        self._size, self._paused = FEW_BYTES, True
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._done.set_result(None)
        self.io_loop.remove_handler(stream.fileno())
        self.resume()

    def pause(self) -> None:
        """Read no more until `resume`."""
        if not self._paused and not self.closed():
            self._paused = True
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        if self._paused and not self.closed():
            self._paused = False
            self._loop.add_reader(self._socket, self._readable)

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Send now what the kernel takes, and the rest when it does; done when it has all. See IOStream."""
        if self.closed():
            raise StreamClosedError
        sent = 0
        if not self._unsent:
            sent = self._send(data)
            if self.closed():  # the other side is gone, as this write has shown
                raise StreamClosedError
            if sent == len(data):
                return self._done
            self._loop.add_writer(self._socket, self._writable)
        written: asyncio.Future[None] = self._loop.create_future()
        self._unsent.append((memoryview(data)[sent:], written))
        return written

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return 0

    def _writable(self) -> None:
        data, written = self._unsent[0]
        sent = self._send(data)
        if self.closed():
            return
        if sent < len(data):
            self._unsent[0] = data[sent:], written
            return
        self._unsent.popleft()
        if not self._unsent:
            self._loop.remove_writer(self._socket)
        if not written.done():
            written.set_result(None)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(self._size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            self._size = MANY_BYTES if self._on_data(data) else FEW_BYTES
        except Exception:
            self.close()  # rather than to be there and answer nothing; the loop logs why
            raise

    def close(self) -> None:
        """Close the socket; whoever waits for a write is told that it failed. Idempotent."""
        if self.closed():
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._stream.close()
        for _, written in self._unsent:
            if not written.done():
                written.set_exception(StreamClosedError())
                written.exception()  # who looks at it sees it; who does not need not be told
        self._unsent.clear()
        self._on_close()

    def closed(self) -> bool:
        """Whether it is closed."""
        return self._stream.closed()
