"""One attempt at a WebSocket to a server, and what all clients of this package need to know of its failures."""

from __future__ import annotations

import ssl
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from ..protocol.codes import Code, may_reconnect
from .servers import FAILED, REFUSED, CommandError, Server

CLOSE_S: Final = 1.0
ABNORMAL: Final = 1006
TOO_BIG: Final = 1009
"""Whoever gets a message that is larger than it takes closes with it."""
FAILURES: Final = (OSError, EOFError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI)
"""What an attempt may fail with."""


async def open_socket(server: Server, path: str, subprotocol: str, max_size: int) -> ClientConnection:
    """Connect, without a limit in time. `path` is relative to the server's address.

    Raises:
        FAILURES: no connection.
    """
    return await connect(
        f"{server.ws_url}{path}",
        subprotocols=[Subprotocol(subprotocol)],
        additional_headers={"Authorization": f"token {server.token}"} if server.token else {},
        compression=None,
        proxy=None if server.is_local else True,
        open_timeout=None,
        ping_interval=None,
        close_timeout=CLOSE_S,
        max_size=max_size,
    )


def drop(socket: ClientConnection | None) -> None:
    """End a connection without a word: it is not needed, or nobody hears. Idempotent."""
    if socket is not None:
        socket.transport.abort()


def close_code(closed: ConnectionClosed) -> int:
    """The code of the other side, or 1006 where it said nothing; 1009 also where it was this one that took no more."""
    if closed.rcvd is not None:
        return closed.rcvd.code
    return TOO_BIG if is_too_big_here(closed) else ABNORMAL


def is_too_big_here(closed: ConnectionClosed) -> bool:
    """Whether a message has come that is larger than this side takes: another attempt would end in the same way."""
    return closed.sent is not None and closed.sent.code == TOO_BIG and not closed.rcvd_then_sent


def meaning(code: int) -> str:
    """What a close code says, for a person."""
    meanings = {row.value: row.meaning for row in Code}
    return meanings.get(Code.TOO_BIG if code == TOO_BIG else code, "it gives no reason")


def check_attempt(server: Server, error: Exception, *, known: bool) -> None:
    """Return where another attempt may have more success; `known`: there was a connection to this server before.

    Raises:
        CommandError: otherwise; `REFUSED` where the login is not good.
    """
    if isinstance(error, ConnectionClosed):
        check_code(server, close_code(error))
    elif isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status in {401, 403} or 300 <= status < 400:
            raise _refused(server, f"refuses this login or what it may do ({status})") from error
        if status == 404 and not known:
            raise CommandError(f"{server.url} has no such endpoint: is jupyter_ws_hub on there?", FAILED) from error
    elif isinstance(error, InvalidURI | ssl.SSLCertVerificationError) and not known:
        raise CommandError(f"{server.url} cannot be reached: {error}", FAILED) from error
    elif isinstance(error, OSError) and not known:
        raise CommandError(f"{server.url} cannot be reached: {error}", FAILED) from error


def check_code(server: Server, code: int) -> None:
    """Return where a client comes back after a close with this code.

    Raises:
        CommandError: it does not.
    """
    if may_reconnect(code) and code != TOO_BIG:
        return
    if code in {Code.UNAUTHENTICATED, Code.FORBIDDEN}:
        raise _refused(server, f"says: {meaning(code)}")
    raise CommandError(f"{server.url} has closed the connection for good: {meaning(code)} ({code}).", FAILED)


def _refused(server: Server, what: str) -> CommandError:
    return CommandError(f"{server.url} {what}. {server.login_advice}", REFUSED)
