"""`/ws/file-stream/<op>`: forwards frames between a socket and the stream of an operation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tornado.websocket import WebSocketProtocol

from ..protocol import FILE_STREAM_SUBPROTOCOL
from ..protocol.codec import INBOUND_CHUNK_FRAME_BYTES
from ..protocol.errors import HubError
from ..protocol.transfer import StreamError, encode_stream
from ..transfers.operation import Operation
from ..transfers.stream import TransferStream
from ..transfers.streams import stream_of
from .base import HubSocket
from .bulk import write_from
from .direct import directly
from .parts import SocketKind


class FileStreamHandler(HubSocket):
    """The bytes of one upload or download."""

    kind: SocketKind = "file-stream"
    subprotocol = FILE_STREAM_SUBPROTOCOL
    operation: Operation | None = None
    transfer: TransferStream | None = None
    missing: HubError | None = None
    _closing: asyncio.Task[None] | None = None

    @property
    def max_message_size(self) -> int:
        """Twice the protocol's limit: what is a little too big gets an answer in the protocol's words."""
        return 2 * INBOUND_CHUNK_FRAME_BYTES

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """See WebSocketHandler: what is read goes the shortest way."""
        return directly(super().get_websocket_protocol())

    async def before_open(self, *args: str) -> None:
        """Find the operation; what is not there, or another's, is told alike when the socket is open."""
        try:
            self.operation = await self.parts.transfers.find(args[0], self.peer.principal)
        except HubError as error:
            self.missing = error

    def opened(self, *args: str) -> None:
        """Begin a stream of the operation's kind."""
        if self.missing is not None:
            self._closing = asyncio.create_task(self._tell(self.missing))
        elif self.operation is not None:
            self.transfer = stream_of(self.operation, self.parts.transfers, self, self.peer)

    async def rechecked(self) -> None:
        """Ask for the permission that the operation was made with."""
        if self.operation is not None:
            action = "write" if self.operation.direction == "upload" else "read"
            await self.peer.require(action, "contents", f"the {self.operation.direction}")

    def drop(self, error: HubError) -> None:
        """See OpenSocket: first no byte is moved any more."""
        if self.transfer is None:
            super().drop(error)
        elif self in self.parts.sockets:
            self._closing = asyncio.create_task(self.transfer.give_up(error))

    async def _tell(self, error: HubError) -> None:
        await self.send(encode_stream(StreamError(error.info)))
        self.refuse(error)

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """See Wire."""
        return await write_from(self.ws_connection, self.parts.transfers.run, fill)

    def received(self, message: str | bytes) -> None:
        """Forward."""
        if self.transfer is not None:
            self.transfer.receive(message)

    def tick(self) -> None:
        """Let time pass."""
        if self.transfer is not None:
            self.transfer.tick(time.monotonic())

    def ended(self) -> None:
        """The socket is gone."""
        if self.transfer is not None:
            self._closing = asyncio.create_task(self.transfer.closed())
