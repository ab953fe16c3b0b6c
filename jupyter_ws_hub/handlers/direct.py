"""A WebSocket whose frames are read and written on the socket itself, in the turn of the loop in which they come.

Tornado's own loop reads a frame in three steps and wakes a coroutine for it in a later turn, which costs a keystroke
more than everything else on its way. The handshake, closing and handlers stay Tornado's; frames are parsed by the
websockets library's protocol without I/O. Where the stream is no plain socket (TLS), all stays Tornado's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketProtocol, WebSocketProtocol13
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from .direct_stream import FEW_BYTES
from .framing import masked_bytes, whole_messages
from .lending import LentStream

CONTROL: Final = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)

SLICE_S: Final = 0.0005
"""How long the messages of one connection may be handled before others have their turn."""


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
        with suppress(StreamClosedError):
            first = await stream.read_bytes(stream.max_buffer_size, partial=True)  # all that Tornado has read
            while stream.writing():
                await stream.write(b"")
            if stream.closed():  # it has left since: what it has said still counts
                self._over.set()
            else:
                stream.set_close_callback(None)
                self.stream = LentStream(stream, self._take, self._over.set)
            self._take(first)
            await self._over.wait()
        self._abort()
        self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def prepare(self, max_message_bytes: int) -> None:
        """Nothing is read yet."""
        self._parser = ServerProtocol(state=State.OPEN, max_size=max_message_bytes)
        self._messages: deque[tuple[int, bytes]] = deque()
        self._fragments: list[bytes] = []
        self._half_read_bytes = 0

    @property
    def has_more(self) -> bool:
        """Whether more was read than was handled."""
        return bool(self._messages)

    def _take(self, data: bytes) -> bool:
        """Take bytes that have come; whether they end in the midst of a large frame."""
        if not self._half_read_bytes and (messages := whole_messages(data)) is not None:
            self._messages.extend(messages)
        else:
            self._half_read_bytes += len(data)
            self._parser.receive_data(data)
            for event in self._parser.events_received():
                if isinstance(event, Frame):
                    self._half_read_bytes -= masked_bytes(len(event.data))
                    self._take_frame(event.opcode, bytes(event.data), event.fin)
            if self._parser.parser_exc is None:
                self._parser.data_to_send()  # forgotten: pongs and the echo of a close are Tornado's
        self._handle_messages()
        return self._half_read_bytes >= FEW_BYTES

    def _take_frame(self, opcode: Opcode, payload: bytes, is_last: bool) -> None:
        if opcode in CONTROL or (is_last and opcode is not Opcode.CONT):
            self._messages.append((opcode, payload))
            return
        if opcode is not Opcode.CONT:
            self._opcode = opcode
        self._fragments.append(payload)
        if is_last:
            self._messages.append((self._opcode, b"".join(self._fragments)))
            self._fragments.clear()

    def _handle_messages(self) -> None:
        """Handle what was read; after a while let others have their turn, and read no more before that is done."""
        begun_s = perf_counter()
        while self._messages and not self.client_terminated:
            self._handle_message(*self._messages.popleft())
            if self._messages and perf_counter() - begun_s > SLICE_S and not self.is_closing():
                self.stream.pause()
                asyncio.get_running_loop().call_soon(self._handle_messages)
                return
        if self._parser.parser_exc is not None and not self.client_terminated:
            if not self.is_closing():
                self.stream.write(b"".join(self._parser.data_to_send()))  # says what was wrong
            self._abort()
        elif not self.is_closing():
            self.stream.resume()


def directly(protocol: WebSocketProtocol | None) -> WebSocketProtocol | None:
    """The same protocol, but read and written directly."""
    if isinstance(protocol, WebSocketProtocol13):
        return DirectProtocol(protocol.handler, mask_outgoing=False, params=protocol.params)
    return protocol
