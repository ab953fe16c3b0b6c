"""The base of all our WebSocket handlers: who may connect, how frames go out, how a socket ends.
No native pings: Jupyter's and Tornado's settings for them contradict each other, and a ping timeout closes with 1000,
which JupyterLab takes for the end of a terminal. The protocols have heartbeats of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Sequence
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ..host import make_peer
from ..identity import login_of
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .framing import binary_messages, text_message
from .parts import Parts, SocketKind

MAX_REASON_BYTES = 123
"""A close frame carries at most this much reason (RFC 6455, 5.5)."""

UNSENT_BYTES = 32 * 1024
TCP_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


class HubSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """A WebSocket of this extension."""

    subprotocol: str | None = None
    """The subprotocol that a client must ask for; None where it asks for none."""
    permission: tuple[str, str] | None = None
    """Action and resource without which the upgrade itself is refused."""

    kind: SocketKind
    auth_resource = "ws_hub"
    principal = ""
    login: str | None = None
    check_due_s: float | None = None

    def initialize(self, parts: Parts) -> None:
        """Take the parts of the server."""
        self.parts = parts

    def set_default_headers(self) -> None:
        """Headers for pages make no sense here."""

    def get_compression_options(self) -> None:
        """Never compress: it costs the event loop more than loopback or a LAN gains."""
        return None

    @property
    def ping_interval(self) -> float:
        """No native pings."""
        return 0

    ping_timeout = ping_interval

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Ours, if the client offers it."""
        return self.subprotocol if self.subprotocol in subprotocols else None

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Upgrade, if the user may; else an HTTP status that says why."""
        if not await self.may_open():
            raise HTTPError(403, "This user may not open this connection.")
        await self.parts.start()
        await self.before_open(*args)
        await super().get(*args, **kwargs)

    async def may_open(self) -> bool:
        """Whether the user may open this kind of connection."""
        return self.permission is None or await self.peer.authorize(*self.permission)

    async def before_open(self, *args: str) -> None:
        """Look up what the URL names; raises HTTPError where it is not there."""

    @property
    def peer(self) -> Peer:
        """The authenticated user."""
        return make_peer(self, self.parts.owner)

    def open(self, *args: str) -> None:
        """The socket is open: small frames go out at once, and the protocol begins if both sides speak it."""
        self.set_nodelay(True)
        self.login, self.principal = login_of(self), self.peer.principal
        self.parts.sockets.add(self)
        if self.subprotocol is not None and self.selected_subprotocol is None:
            self.end(int(Code.VERSION_UNSUPPORTED), f"This endpoint speaks {self.subprotocol}.")
            return
        self.opened(*args)

    def opened(self, *args: str) -> None:
        """Begin the protocol."""
        raise NotImplementedError

    def tick(self) -> None:
        """Let time pass: called about once a second while the socket is open."""

    async def recheck(self) -> None:
        """See OpenSocket: the user, what the endpoint as a whole needs, and what this kind of socket asks besides."""
        await self.parts.identity.check(self)
        if self.permission is not None:
            await self.peer.require(*self.permission, "this connection")
        await self.rechecked()

    async def rechecked(self) -> None:
        """The user is still logged in: ask what else must hold; raises as `recheck`."""

    def drop(self, error: HubError) -> None:
        """See OpenSocket."""
        if self in self.parts.sockets:
            self.refuse(error)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Take a frame; what is awaitable is awaited before the next one is read."""
        if self.close_code is None and self in self.parts.sockets:
            return self.received(message)
        return None

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        """A frame has come."""
        raise NotImplementedError

    async def send(self, frame: str | bytes) -> bool:
        """Write a frame and wait until the kernel or its buffer has it; False if the socket is gone.

        The only place that writes: whoever writes here waits, so nothing piles up behind a slow socket.
        """
        try:
            await self.write_message(frame, binary=isinstance(frame, bytes))
        except (WebSocketClosedError, StreamClosedError):
            return False
        return True

    def write_text(self, payload: bytes) -> asyncio.Future[None] | None:
        """Write a text frame of encoded text; None if the socket is gone.

        For whoever writes one frame after the other and looks at the future: `write_message` would decode, encode and
        begin a task for each.
        """
        return self._write(text_message(payload))

    def write_binary(self, payloads: Sequence[bytes]) -> asyncio.Future[None] | None:
        """Write binary frames, as `write_text` does."""
        return self._write(binary_messages(payloads))

    def _write(self, frames: bytes) -> asyncio.Future[None] | None:
        connection = self.ws_connection
        if connection is None or connection.is_closing() or connection.stream is None:
            return None
        try:
            return connection.stream.write(frames)
        except StreamClosedError:
            return None

    def has_more(self) -> bool:
        """Whether more was read from the socket than was handled: a hint."""
        stream = getattr(self.ws_connection, "stream", None)
        return bool(getattr(self.ws_connection, "has_more", getattr(stream, "_read_buffer_size", 0)))

    def limit_unsent(self) -> None:
        """Let the kernel hold little that it has not sent yet, so that what is urgent does not wait behind it."""
        its = getattr(getattr(self.ws_connection, "stream", None), "socket", None)  # None: it is gone already
        if its is not None and TCP_NOTSENT_LOWAT is not None:
            with contextlib.suppress(OSError):  # no TCP socket, or a system without it: only slower to react
                its.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def end(self, code: int | None, reason: str) -> None:
        """Close with a code of the table. Idempotent; the reason is cut to what a close frame can carry."""
        short = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        self.parts.sockets.discard(self)
        self.close(code, short or None)

    def refuse(self, error: HubError) -> None:
        """Close for an error."""
        self.end(int(error.code), error.message)

    def on_close(self) -> None:
        """The socket is gone."""
        self.parts.sockets.discard(self)
        self.ended()

    def ended(self) -> None:
        """Let go of everything; also called when nothing was opened."""

    def shut_down(self) -> None:
        """The server is stopping: tell the client to come back."""
        self.end(int(Code.SHUTTING_DOWN), "The server is stopping.")
