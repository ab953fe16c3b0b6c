"""`/ws`: forwards frames between a socket and its HubConnection, and lets time pass for it."""

from __future__ import annotations

import asyncio

from tornado.websocket import WebSocketProtocol

from ..hub.connection import HubConnection
from ..protocol import HUB_SUBPROTOCOL
from ..protocol.codec import encode, join_frame
from ..protocol.errors import HubError
from ..protocol.messages import Bye
from .base import HubSocket
from .direct import directly
from .writer import FrameWriter

GRACE_S = 2.0
"""How long a connection that ends may take to write its last frame."""


class HubHandler(HubSocket):
    """The unified connection."""

    kind = "main"
    subprotocol = HUB_SUBPROTOCOL
    connection: HubConnection | None = None
    _writer: FrameWriter
    _farewell: asyncio.Task[None] | None = None

    @property
    def max_message_size(self) -> int:
        """Twice the protocol's limit: what is a little too big gets an answer in the protocol's words."""
        return 2 * self.parts.hub.settings.max_frame_bytes

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """See WebSocketHandler."""
        return directly(super().get_websocket_protocol())

    def opened(self, *args: str) -> None:
        """Begin a connection, or say why not."""
        self.limit_unsent()
        self._writer = FrameWriter(self.write_text, self.has_more, self._over, self.parts.turns)
        try:
            self._writer.frames = self.connection = self.parts.hub.connect(self.peer, self._writer.ready)
        except HubError as error:
            self._farewell = asyncio.create_task(self._send_away(error))

    def tick(self) -> None:
        """Let time pass; what does not end by itself is ended."""
        if self.connection is None:
            return
        self.connection.tick()
        if self.connection.closing_s(self.parts.hub.runtime.monotonic()) > GRACE_S:
            self._over()

    def _over(self) -> None:
        """Close the socket as the connection says."""
        if self.connection is not None:
            self.end(self.connection.close_code, self.connection.close_reason)

    async def rechecked(self) -> None:
        """Let the hub ask for the permission of each topic."""
        if self.connection is not None:
            await self.connection.recheck()

    def drop(self, error: HubError) -> None:
        """See OpenSocket: the hub says why before it closes."""
        if self.connection is None:
            super().drop(error)
        else:
            self.connection.fail(error)

    async def _send_away(self, error: HubError) -> None:
        """Say why, and when to come back, to a client that gets no connection."""
        bye = Bye(int(error.code), error.message, error.retry_after_ms)
        await self.send(join_frame([encode(bye)]).decode())
        self.refuse(error)

    def received(self, message: str | bytes) -> None:
        """Forward; never waits."""
        if self.connection is not None:
            self._writer.receive(self.connection.receive, message)

    def ended(self) -> None:
        """The socket is gone."""
        if self._farewell is not None and self._farewell is not asyncio.current_task():
            self._farewell.cancel()
        if self.connection is not None:
            self.connection.closed()

    def shut_down(self) -> None:
        """The hub says goodbye itself."""
