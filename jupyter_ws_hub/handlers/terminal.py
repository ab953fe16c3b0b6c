"""`/ws/terminal/<name>`: a socket on a terminal of the server's own terminal manager, with terminado's protocol."""

from __future__ import annotations

import time
from typing import Any

from jupyter_server._tz import utcnow
from tornado.web import HTTPError

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..terminals.json_client import JsonClient
from .base import HubSocket

ACTIVITY_INTERVAL_S = 1.0


class TerminalHandler(HubSocket):
    """One client of one terminal."""

    permission = ("execute", "terminals")
    client: JsonClient | None = None
    _active_s = float("-inf")

    @property
    def max_message_size(self) -> int:
        """What terminado takes."""
        return 10 * 1024 * 1024

    async def before_open(self, *args: str) -> None:
        """The terminal must be there: this endpoint makes none."""
        manager = self.settings.get("terminal_manager")
        if manager is None:
            raise HTTPError(404, "This server has no terminals.")
        if args[0] not in manager.terminals:
            raise HTTPError(404, f"There is no terminal {args[0]!r}.")

    def opened(self, *args: str) -> None:
        """Join the terminal."""
        self.manager: Any = self.settings["terminal_manager"]
        terminal = self.manager.terminals.get(args[0])
        if terminal is None:
            self.refuse(HubError(Code.NOT_FOUND, "The terminal has ended."))
            return
        self.terminal = terminal
        self.client = JsonClient(
            terminal, self.manager, self.send, self.end, self._active, self.parts.flows.of(terminal)
        )
        self.client.start()

    def _active(self) -> None:
        """Input and output count as activity, as at the stock endpoint, at most once a second."""
        now_s = time.monotonic()
        if now_s - self._active_s >= ACTIVITY_INTERVAL_S:
            self._active_s = now_s
            self.terminal.last_activity = self.settings["terminal_last_activity"] = utcnow()
            self.parts.active()

    async def received(self, message: str | bytes) -> None:
        """Forward; the next frame is read when the terminal has taken this one."""
        if self.client is None:
            return
        try:
            await self.client.receive(message)
        except HubError as error:
            self.refuse(error)

    def ended(self) -> None:
        """Leave the terminal."""
        if self.client is not None:
            self.client.closed()
