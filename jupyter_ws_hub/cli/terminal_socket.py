"""One attempt at a connection to a terminal, and what its failure or its end means.

It knows no client state: `terminal_link` decides when to try, and what to do with what comes.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI

from ..protocol import TERMINAL_SUBPROTOCOL
from ..protocol.codes import Code, may_reconnect
from ..protocol.terminal import MAX_DATA_BYTES
from .servers import Server
from .sockets import close_code, drop, meaning, open_socket

Opened: TypeAlias = tuple[ClientConnection, str | bytes]
"""A connection and its first message."""


class Why(Enum):
    """Why there are no more connections."""

    EXITED = "exited"
    DETACHED = "detached"
    GONE = "gone"
    REFUSED = "refused"
    BROKEN = "broken"


class Ending(msgspec.Struct, frozen=True):
    """The end, with a sentence for a person."""

    why: Why
    message: str = ""


class Over(Exception):
    """There are no more connections."""

    def __init__(self, why: Why, message: str = "") -> None:
        """Say why."""
        super().__init__(message)
        self.ending = Ending(why, message)


async def open_terminal(server: Server, name: str, query: Mapping[str, str]) -> Opened:
    """Connect and wait for the first message, without a limit in time.

    Raises:
        Over: the server does not speak this protocol.
        FAILURES: no connection; `check_failure` says whether another attempt makes sense.
    """
    socket = await open_socket(
        server, f"ws/terminal/{quote(name, safe='')}?{urlencode(query)}", TERMINAL_SUBPROTOCOL, 2 * MAX_DATA_BYTES
    )
    try:
        if socket.subprotocol is None:
            raise Over(
                Why.BROKEN,
                "This server's terminals cannot be attached to: its terminal manager is not that of jupyter_ws_hub, or"
                " the two speak different versions.",
            )
        return socket, await socket.recv()
    except BaseException:
        drop(socket)
        raise


def check_failure(error: Exception, *, known: bool) -> None:
    """Return where another attempt may have more success; `known`: this terminal was there before.

    Raises:
        Over: otherwise.
    """
    if isinstance(error, ConnectionClosed):
        code = close_code(error)
        if code != Code.SUPERSEDED:
            check_close(code)
    elif isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status in {401, 403} or 300 <= status < 400:
            raise Over(Why.REFUSED, f"The server refuses this login or what it may do ({status}).") from error
        if status == 404 and not known:
            raise Over(Why.BROKEN, "The server has no such endpoint: is jupyter_ws_hub on there?") from error
    elif isinstance(error, InvalidURI | ssl.SSLCertVerificationError) and not known:
        raise Over(Why.BROKEN, str(error)) from error


def check_close(code: int) -> None:
    """Return where a client comes back after a close with this code.

    Raises:
        Over: it does not.
    """
    if may_reconnect(code):
        return
    if code in {Code.UNAUTHENTICATED, Code.FORBIDDEN}:
        raise Over(Why.REFUSED, f"The server says: {meaning(code)}.")
    if code == Code.NOT_FOUND:
        raise Over(Why.GONE, "The terminal is gone: it has ended, or the server was started anew.")
    raise Over(Why.BROKEN, f"The server has closed the connection for good: {meaning(code)} ({code}).")
