"""`/ws`: forwards frames between a socket and its HubConnection, and lets time pass for it."""

from __future__ import annotations

import asyncio

from tornado.ioloop import PeriodicCallback

from ..hub.connection import HubConnection
from ..protocol import HUB_SUBPROTOCOL
from ..protocol.errors import HubError
from .base import HubSocket

TICK_MS = 1000
GRACE_S = 2.0
"""How long a connection that ends may take to write its last frame."""


class HubHandler(HubSocket):
    """The unified connection."""

    subprotocol = HUB_SUBPROTOCOL
    connection: HubConnection | None = None
    _writer: asyncio.Task[None] | None = None
    _ticker: PeriodicCallback | None = None

    @property
    def max_message_size(self) -> int:
        """Twice the protocol's limit: what is a little too big gets an answer in the protocol's words."""
        return 2 * self.parts.hub.settings.max_frame_bytes

    def opened(self, *args: str) -> None:
        """Begin a connection, or say why not."""
        try:
            self.connection = self.parts.hub.connect(self.peer)
        except HubError as error:
            self.refuse(error)
            return
        self._writer = asyncio.create_task(self._write(self.connection))
        self._ticker = PeriodicCallback(self._tick, TICK_MS)
        self._ticker.start()

    def _tick(self) -> None:
        if self.connection is None:
            return
        self.connection.tick()
        if self.connection.closing_s(self.parts.hub.runtime.monotonic()) > GRACE_S:
            self.end(self.connection.close_code, self.connection.close_reason)

    async def _write(self, connection: HubConnection) -> None:
        while (frame := await connection.next_frame()) is not None:
            if not await self.send(frame.decode()):
                return
        self.end(connection.close_code, connection.close_reason)

    def received(self, message: str | bytes) -> None:
        """Forward; never waits."""
        if self.connection is not None:
            self.connection.receive(message)

    def ended(self) -> None:
        """The socket is gone."""
        if self._ticker is not None:
            self._ticker.stop()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        if self.connection is not None:
            self.connection.closed()

    def shut_down(self) -> None:
        """The hub says goodbye itself."""
