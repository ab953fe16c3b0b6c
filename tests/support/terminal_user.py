"""Somebody who uses `TerminalLink` without a screen: types, reads, and consumes at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.terminal_link import LinkEvent, TerminalLink
from jupyter_ws_hub.cli.terminal_socket import Ending
from jupyter_ws_hub.protocol.terminal_client import Cleared, Joined, Output, TerminalClient

from .address import until


class TerminalUser:
    """One client of one terminal, at the address of a server or of a proxy before it."""

    def __init__(self, server: Server, name: str, *, consumes: bool = True, **options: Any) -> None:
        """`options` are those of `TerminalClient`; needs a running loop."""
        self.client = TerminalClient("a-user", **options)
        self.link = TerminalLink(server, name, self.client, self._on_event, self._on_room)
        self.events: list[LinkEvent] = []
        self.output = bytearray()
        self.cleared = 0
        self._consumes = consumes
        self._room = asyncio.Event()

    @property
    def joins(self) -> list[Joined]:
        """One for each live connection."""
        return [event for event in self.events if isinstance(event, Joined)]

    def _on_event(self, event: LinkEvent) -> None:
        if isinstance(event, Output):
            self.output += event.data
            if self._consumes:
                self.link.consumed(event.until)
            return
        self.cleared += isinstance(event, Cleared)
        self.events.append(event)

    def _on_room(self) -> None:
        self._room.set()

    async def type(self, data: bytes) -> None:
        """Type all of it, as fast as it is taken."""
        while data:
            self._room.clear()
            data = data[self.link.send(data) :]
            if data:
                await self._room.wait()

    async def wait_for(self, text: bytes, timeout_s: float = 10.0) -> None:
        """Until the output has it."""
        try:
            await until(lambda: text in self.output, f"{text!r} in the output", timeout_s)
        except AssertionError as error:
            typed = self.client.input
            error.add_note(f"connections: {self.joins}; output ends in {bytes(self.output[-200:])!r}")
            error.add_note(
                f"input: sent {typed.sent} of {typed.end}, limit {typed.limit}, {typed.unread} not acknowledged"
            )
            raise


@contextlib.asynccontextmanager
async def attached(
    server: Server, name: str, **options: Any
) -> AsyncIterator[tuple[TerminalUser, asyncio.Task[Ending]]]:
    """A user, and the task that ends when the link does."""
    user = TerminalUser(server, name, **options)
    running = asyncio.create_task(user.link.run())
    try:
        yield user, running
    finally:
        user.link.detach()
        await running
