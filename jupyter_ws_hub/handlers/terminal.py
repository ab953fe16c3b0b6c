"""`/ws/terminal/<name>`: a socket on a terminal of the server's own terminal manager.

With our subprotocol the binary protocol, without one terminado's. Over a manager that is not ours, terminado's alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from tornado.web import HTTPError
from tornado.websocket import WebSocketProtocol

from ..protocol import TERMINAL_SUBPROTOCOL
from ..protocol.errors import HubError
from ..protocol.terminal import FrameType
from ..protocol.terminal_opening import parse_opening
from ..terminals.binary_client import BinaryClient
from ..terminals.json_client import JsonClient
from ..terminals.place import flow_of, is_ours, named
from .base import HubSocket
from .direct import directly
from .parts import Parts
from .terminal_activity import TerminalActivity


class TerminalHandler(HubSocket):
    """One client of one terminal."""

    kind = "terminal"
    permission = ("execute", "terminals")
    client: JsonClient | BinaryClient | None = None
    terminal: Any = None
    _read_only = False

    def initialize(self, parts: Parts) -> None:
        """See HubSocket; whether our protocol is spoken is told by what the client offers."""
        super().initialize(parts)
        self.manager: Any = self.settings.get("terminal_manager")
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if TERMINAL_SUBPROTOCOL in map(str.strip, offered) and is_ours(self.manager):
            self.subprotocol = TERMINAL_SUBPROTOCOL

    @property
    def max_message_size(self) -> int:
        """What terminado takes; of binary frames far more than may come, so that the answer is in our words."""
        return (1 if self.subprotocol else 10) * 1024 * 1024

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """See WebSocketHandler: keys go the shortest way."""
        protocol = super().get_websocket_protocol()
        return directly(protocol) if self.subprotocol else protocol

    async def may_open(self) -> bool:
        """Also those who may only look on, where that is allowed."""
        if await super().may_open():
            return True
        self._read_only = self.parts.may_watch and self.subprotocol is not None
        self.permission = ("read", "terminals")
        return self._read_only and await super().may_open()

    async def before_open(self, *args: str) -> None:
        """This endpoint makes no terminal. A binary client is told of a missing one by a close code."""
        if self.manager is None:
            raise HTTPError(404, "This server has no terminals.")
        if self.subprotocol is None and args[0] not in self.manager.terminals:
            raise HTTPError(404, f"There is no terminal {args[0]!r}.")

    def opened(self, *args: str) -> None:
        """Join the terminal."""
        try:
            if self.subprotocol is None:
                self._join(named(self.manager, args[0]))
                flow = flow_of(self.manager, self.terminal, self.parts.flows)
                self.client = JsonClient(self.terminal, self.manager, self.send, self.end, self._active, flow)
                self.client.start()
            else:
                given = {name: last.decode("latin-1") for name, (*_, last) in self.request.arguments.items()}
                opening = parse_opening(given)
                self._join(named(self.manager, args[0], opening.epoch))
                self.client = self.terminal.attach(self.principal, opening, self._write_out, self.end, self._read_only)
        except HubError as error:
            self.refuse(error)

    def _join(self, terminal: Any) -> None:
        self.terminal = terminal
        self._active = TerminalActivity(terminal, self.settings, self.parts.active).note

    def _write_out(self, frames: Sequence[bytes]) -> Any:
        written = self.write_binary(frames)
        if frames[-1][0] == FrameType.DATA:
            self._active()
        return written

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        """Forward; of terminado's protocol the next message is read when the terminal has taken this one."""
        try:
            taken = self.client.receive(message) if self.client is not None else None
        except HubError as error:
            self.refuse(error)
            return None
        if message and message[0] == FrameType.DATA:
            self._active()
        return None if taken is None else self._take(taken)

    async def _take(self, taken: Awaitable[None]) -> None:
        try:
            await taken
        except HubError as error:
            self.refuse(error)

    def tick(self) -> None:
        """Let time pass."""
        if self.client is not None:
            self.client.tick(self.parts.hub.runtime.monotonic())

    def ended(self) -> None:
        """Leave the terminal."""
        if self.client is not None:
            self.client.closed()
