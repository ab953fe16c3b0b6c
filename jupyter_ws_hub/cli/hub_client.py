"""A client of `/ws` for requests: it comes back after a lost connection and asks again what was not answered.

Topics are not for commands that end; PROTOCOL.md, section 2, has the rules.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .. import __version__
from ..protocol import HUB_SUBPROTOCOL
from ..protocol.codec import decode_server_frame, encode, join_frame
from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.messages import (
    Ack,
    Bye,
    ClientInfo,
    ClientMessage,
    Heartbeat,
    Hello,
    Item,
    Ping,
    Pong,
    Reply,
    Request,
    Welcome,
)
from ..protocol.transfer_client import to_hub_error
from .servers import CommandError, Server
from .sockets import FAILURES, check_attempt, check_code, close_code, drop, open_socket

BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0)
"""Full jitter below these, as the protocol asks for."""
FIRST_S: Final = 15.0
"""How long the first connection may take."""
ATTEMPT_S: Final = 10.0
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""One envelope may be larger than a usual frame: a reply that is not streamed."""
T = TypeVar("T")


class _Asked:
    """A request under way; items of a streamed reply gather until the final one."""

    def __init__(self, request: Request, idempotent: bool) -> None:
        self.request = request
        self.idempotent = idempotent
        self.was_sent = False
        self.items: list[msgspec.Raw] = []
        self.answer: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()


class HubClient:
    """One session. Used as `async with`; what it is asked may be asked by many at a time."""

    def __init__(self, server: Server) -> None:
        """Nothing happens before the block begins."""
        self._server = server
        self._welcome: Welcome | None = None
        self._socket: ClientConnection | None = None
        self._asked: dict[int, _Asked] = {}
        self._ref = 0
        self._frames = 0
        self._main: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            CommandError: the server is not there, or does not let this user in.
        """
        try:
            async with asyncio.timeout(FIRST_S):
                opened = await self._open()
        except FAILURES as error:
            check_attempt(self._server, error, known=False)
            raise CommandError(f"{self._server.url} cannot be reached: {error or 'it does not answer'}.") from error
        self._main = asyncio.create_task(self._run(opened))
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave; the server forgets the session."""
        await self._send(Bye())
        if self._socket is not None:
            await self._socket.close()
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)

    async def request(self, method: str, params: Any, kind: type[T], *, idempotent: bool = True) -> T:
        """Call a method; its result as `kind`.

        Raises:
            HubError: what the server answers; `unknown_outcome` where the connection was lost and nobody knows.
            CommandError: the server lets this client in no more.
        """
        _, result = await self._ask(method, params, idempotent)
        return _decode(result, kind)

    async def stream(self, method: str, params: Any, item: type[T], final: Callable[[msgspec.Raw], list[T]]) -> list[T]:
        """Call a method that may answer with items; where it has none, `final` makes them of its result."""
        asked, result = await self._ask(method, params, True)
        return [_decode(raw, item) for raw in asked.items] if asked.items else final(result)

    async def _ask(self, method: str, params: Any, idempotent: bool) -> tuple[_Asked, msgspec.Raw]:
        if self._error is not None:
            raise self._error
        self._ref += 1
        raw = msgspec.Raw(msgspec.json.encode(params))
        asked = self._asked[self._ref] = _Asked(Request(self._ref, method, raw), idempotent)
        asked.was_sent = self._socket is not None
        await self._send(asked.request)
        try:
            return asked, await asked.answer
        finally:
            self._asked.pop(asked.request.ref, None)

    async def _send(self, *messages: ClientMessage) -> None:
        if self._socket is not None and messages:
            try:
                await self._socket.send(_frame(*messages))
            except ConnectionClosed:
                return  # it is asked again on the next one

    async def _run(self, opened: tuple[ClientConnection, str | bytes]) -> None:
        """Connections, one after the other, for as long as there is a reason."""
        try:
            while True:
                await self._live(*opened)
                opened = await self._dial()
        except (CommandError, RemoteProtocolError) as error:
            self._error = error
            for asked in self._asked.values():
                if not asked.answer.done():
                    asked.answer.set_exception(error)
        finally:
            for asked in self._asked.values():
                asked.answer.cancel()

    async def _open(self) -> tuple[ClientConnection, str | bytes]:
        socket = await open_socket(self._server, "ws", HUB_SUBPROTOCOL, MAX_FRAME_BYTES)
        try:
            known = self._welcome
            session = (known.session, known.resume) if known else (None, None)
            await socket.send(_frame(Hello(ClientInfo("jupyter ws-hub", __version__), *session)))
            return socket, await socket.recv()
        except BaseException:
            drop(socket)
            raise

    async def _dial(self) -> tuple[ClientConnection, str | bytes]:
        for number in itertools.count():
            await asyncio.sleep(random.uniform(0, BACKOFF_S[min(number, len(BACKOFF_S) - 1)]))
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    return await self._open()
            except FAILURES as error:
                check_attempt(self._server, error, known=True)
        raise AssertionError("a connection is tried for ever")

    async def _live(self, socket: ClientConnection, first: str | bytes) -> None:
        """One connection, until it is lost."""
        self._frames = 0
        silence_s = FIRST_S
        try:
            frame = first
            while True:
                await self._take(socket, frame)
                if self._welcome is not None:
                    silence_s = _silence_s(self._welcome.heartbeat)
                async with asyncio.timeout(silence_s):
                    frame = await socket.recv()
        except ConnectionClosed as closed:
            check_code(self._server, close_code(closed))
        except TimeoutError:
            pass  # it is dead, though nobody says so
        finally:
            self._socket = None
            drop(socket)

    async def _take(self, socket: ClientConnection, frame: str | bytes) -> None:
        self._frames += 1
        for message in decode_server_frame(frame):
            match message:
                case Welcome():
                    await self._welcomed(socket, message)
                case Item(ref, n, data) if ref in self._asked:
                    items = self._asked[ref].items
                    if n == len(items):
                        items.append(msgspec.Raw(bytes(data)))
                case Reply(ref) if ref in self._asked:
                    self._settle(self._asked.pop(ref), message)
                case Ping(t):
                    await self._send(Pong(t))
                case Bye(code):
                    check_code(self._server, code)
                case _:
                    pass
        await self._send(Ack(self._frames, done=min(self._asked, default=self._ref + 1) - 1))

    def _settle(self, asked: _Asked, reply: Reply) -> None:
        if asked.answer.done():
            return
        if reply.error is not None:
            asked.answer.set_exception(to_hub_error(reply.error))
        else:
            asked.answer.set_result(msgspec.Raw(bytes(reply.result)))

    async def _welcomed(self, socket: ClientConnection, welcome: Welcome) -> None:
        self._welcome, self._socket = welcome, socket
        again = []
        for asked in self._asked.values():
            if welcome.resumed or asked.idempotent or not asked.was_sent:
                asked.was_sent = True
                asked.items.clear()
                again.append(asked.request)
            elif not asked.answer.done():
                lost = HubError(Code.UNKNOWN_OUTCOME, "The connection was lost; what became of the request is unknown.")
                asked.answer.set_exception(lost)
        await self._send(*again)


def _silence_s(heartbeat: Heartbeat) -> float:
    return (heartbeat.interval_ms + heartbeat.grace_ms) / 1000


def _frame(*messages: ClientMessage) -> str:
    return join_frame(map(encode, messages)).decode()


def _decode(raw: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(Code.BAD_FRAME, f"The server's answer was not understood: {error}.") from error
