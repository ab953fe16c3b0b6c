"""Where a server is and how a socket to it is opened; and what all clients of the tests need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError

from .server import TOKEN, RealServer

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 10.0
NET_ERRORS = (OSError, EOFError, WebSocketException, TimeoutError)
"""What a broken network makes of a connection, also in the midst of its handshake."""


async def until(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """Wait until `condition` gives something true, and give that; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout_s} s still not: {what}")
        await asyncio.sleep(0.01)
    return value


async def end_tasks(tasks: Sequence[asyncio.Task[None]]) -> list[BaseException]:
    """Cancel them and wait for their ends; what has ended any of them before, for a client to raise when it is closed.

    What a reader has asserted would be lost otherwise: whoever waits for news only sees that none come.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    errors = [task.exception() for task in tasks if not task.cancelled()]
    return [error for error in errors if error is not None]


def to_hub_error(info: ErrorInfo) -> HubError:
    """The error that a server has told of."""
    return HubError(Code[info.code.upper()], info.message, retry_after_ms=info.retry_after_ms, details=info.details)


@dataclass(frozen=True)
class Address:
    """Where a server is, and as whom to speak to it."""

    port: int
    base_url: str = "/"
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"token {TOKEN}"})

    @classmethod
    def of(cls, server: RealServer, port: int | None = None) -> Self:
        """A server's, or that of a proxy before it."""
        return cls(port or server.port, server.base_url)

    async def open(self, path: str, subprotocol: str | None = None, timeout_s: float = WAIT_S) -> ClientConnection:
        """Open a WebSocket that neither compresses nor pings, nor limits what it takes."""
        async with asyncio.timeout(timeout_s):
            return await connect(
                f"ws://127.0.0.1:{self.port}{self.base_url}{path}",
                subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
                additional_headers=self.headers,
                compression=None,
                ping_interval=None,
                close_timeout=1,
                max_size=None,
                proxy=None,
                open_timeout=None,
            )
