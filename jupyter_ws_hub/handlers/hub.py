"""`/ws`: forwards frames between a socket and its HubConnection, and lets time pass for it."""

from __future__ import annotations

import asyncio
from time import perf_counter

from ..hub.connection import HubConnection
from ..protocol import HUB_SUBPROTOCOL
from ..protocol.codec import encode, join_frame
from ..protocol.errors import HubError
from ..protocol.messages import Bye
from .base import HubSocket

GRACE_S = 2.0
"""How long a connection that ends may take to write its last frame."""
SLICE_S = 0.0005
"""How long a connection may go on writing before the others have their turn."""


class HubHandler(HubSocket):
    """The unified connection."""

    subprotocol = HUB_SUBPROTOCOL
    connection: HubConnection | None = None
    _in_flight = False
    """A frame is being written; what is ready goes out after it."""
    _scheduled: asyncio.Handle | None = None
    """What is ready goes out in the next turn of the loop."""
    _receiving = False
    """A message is being looked at; what it leads to goes out after that."""
    _due = False
    _farewell: asyncio.Task[None] | None = None

    @property
    def max_message_size(self) -> int:
        """Twice the protocol's limit: what is a little too big gets an answer in the protocol's words."""
        return 2 * self.parts.hub.settings.max_frame_bytes

    def opened(self, *args: str) -> None:
        """Begin a connection, or say why not."""
        self.limit_unsent()
        try:
            self.connection = self.parts.hub.connect(self.peer, self._ready)
        except HubError as error:
            self._farewell = asyncio.create_task(self._send_away(error))

    def tick(self) -> None:
        """Let time pass; what does not end by itself is ended."""
        if self.connection is None:
            return
        self.connection.tick()
        if self.connection.closing_s(self.parts.hub.runtime.monotonic()) > GRACE_S:
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

    def _ready(self) -> None:
        """There may be something to write: in the next turn of the loop, so that all that is ready shares a frame."""
        if self._receiving:
            self._due = True
        elif not self._in_flight and self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self._write)

    def _write(self, written: asyncio.Future[None] | None = None) -> None:
        """Write frames, one in flight; `written` is the one before."""
        self._scheduled, self._in_flight = None, False
        connection = self.connection
        if connection is None or (written is not None and (written.cancelled() or written.exception())):
            return  # the socket is gone, which on_close tells
        begun_s = perf_counter()
        while (frame := connection.frame()) is not None:
            future = self.write_text(frame)
            if future is None:
                return
            if not future.done() or perf_counter() - begun_s > SLICE_S:
                self._in_flight = True
                future.add_done_callback(self._write)
                return
        if connection.is_over:
            self.end(connection.close_code, connection.close_reason)

    def received(self, message: str | bytes) -> None:
        """Forward; never waits. What is answered at once goes out at once, unless more was read already."""
        if self.connection is None:
            return
        self._receiving = True
        try:
            self.connection.receive(message)
        finally:
            self._receiving = False
        if not self._due:
            return
        self._due = False
        if self._in_flight or self.has_more():
            self._ready()
        else:
            if self._scheduled is not None:
                self._scheduled.cancel()
            self._write()

    def ended(self) -> None:
        """The socket is gone."""
        if self._farewell is not None and self._farewell is not asyncio.current_task():
            self._farewell.cancel()
        if self.connection is not None:
            self.connection.closed()

    def shut_down(self) -> None:
        """The hub says goodbye itself."""
