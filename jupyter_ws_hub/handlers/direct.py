"""A WebSocket whose frames are read and written on the socket itself, in the turn of the loop in which they come.

Tornado's own loop reads a frame in three steps and wakes a coroutine for it in a later turn, which costs a keystroke
more than everything else on its way. The handshake, closing and handlers stay Tornado's; frames are parsed by the
websockets library's protocol without I/O. Where the stream is no plain socket (TLS), all stays Tornado's.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketProtocol, WebSocketProtocol13
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import apply_mask

from .framing import BINARY

FEW_BYTES: Final = 4096
"""Read at a time, so that a flood of tiny frames does not hold up the loop."""

MANY_BYTES: Final = 64 * 1024
"""Read at a time in the midst of a frame."""


SMALL_BYTES: Final = 126
"""A shorter message has the shortest header."""

MASKED: Final = 0x80

HEADER_BYTES: Final = 6
"""Opcode, length, and the client's mask."""


def masked_bytes(size: int) -> int:
    """How long the frame of a client is on the wire (RFC 6455, 5.2)."""
    return HEADER_BYTES + size + (0 if size < SMALL_BYTES else 2 if size < 1 << 16 else 8)


def one_small_message(data: bytes) -> bytes | None:
    """The message, where the bytes are just one short binary one, as a key and an acknowledgement are."""
    if data[0] != BINARY or len(data) < HEADER_BYTES or len(data) != HEADER_BYTES + data[1] - MASKED:
        return None
    return apply_mask(data[HEADER_BYTES:], data[2:HEADER_BYTES])


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
        if self.closed():
            raise StreamClosedError
        if not self._unsent:
            sent = self._send(data)
            if self.closed():  # the other side is gone, as this write has shown
                raise StreamClosedError
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


class DirectProtocol(WebSocketProtocol13):
    """For handlers whose `on_message` returns at once."""

    stream: Any
    _opcode: Opcode

    async def _receive_frame_loop(self) -> None:
        """See WebSocketProtocol: called when the handler is open, returns when the connection is not."""
        stream: Any = self.stream
        if type(stream) is not IOStream:  # a subclass does more to the bytes than to pass them on
            await super()._receive_frame_loop()
            return
        self._over = asyncio.Event()
        self.prepare(self.params.max_message_size)
        try:
            first = await stream.read_bytes(stream.max_buffer_size, partial=True)  # all that Tornado has read
            while stream.writing():
                await stream.write(b"")
            if stream.closed():  # it has left since: what it has said still counts
                self._over.set()
            else:
                stream.set_close_callback(None)
                self.stream = DirectStream(stream, self._take, self._over.set)
            self._take(first)
            await self._over.wait()
        except StreamClosedError:
            pass
        self._abort()
        self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def prepare(self, max_message_bytes: int) -> None:
        """Nothing is read yet."""
        self._parser = ServerProtocol(state=State.OPEN, max_size=max_message_bytes)
        self._fragments: list[bytes] = []
        self._half_read_bytes = 0

    def _take(self, data: bytes) -> bool:
        """Take bytes that have come; whether they end in the midst of a frame."""
        if not self._half_read_bytes and (message := one_small_message(data)) is not None:
            self._handle_message(Opcode.BINARY, message)
            return False
        self._half_read_bytes += len(data)
        self._parser.receive_data(data)
        for event in self._parser.events_received():
            if isinstance(event, Frame):
                self._half_read_bytes -= masked_bytes(len(event.data))
                self._take_frame(event)
        answers = self._parser.data_to_send()  # pongs and the echo of a close are Tornado's
        if self._parser.parser_exc is not None and not self.client_terminated:
            if not self.is_closing():
                self.stream.write(b"".join(answers))  # says what was wrong
            self._abort()
        return self._half_read_bytes > 0

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._opcode = frame.opcode
            if frame.fin:
                self._handle_message(frame.opcode, bytes(frame.data))
            else:
                self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                self._handle_message(self._opcode, message)
        else:
            self._handle_message(frame.opcode, bytes(frame.data))


def directly(protocol: WebSocketProtocol | None) -> WebSocketProtocol | None:
    """The same protocol, but read and written directly."""
    if isinstance(protocol, WebSocketProtocol13):
        return DirectProtocol(protocol.handler, mask_outgoing=False, params=protocol.params)
    return protocol
