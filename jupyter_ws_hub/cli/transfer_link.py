"""The streams of one operation, one after the other: a lost connection is followed by another, until it is over.

What is sent and received is the driver's business; here are sockets, signs of life, and what their ends mean.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..protocol import FILE_STREAM_SUBPROTOCOL
from ..protocol.codec import INBOUND_CHUNK_FRAME_BYTES
from ..protocol.codes import Code, may_reconnect
from ..protocol.errors import HubError
from ..protocol.transfer import Done, StreamHello, StreamServerMessage, decode_stream_server, encode_stream
from ..protocol.transfer_client import Stream
from .servers import Server
from .sockets import (
    FAILURES,
    TOO_BIG,
    check_attempt,
    close_code,
    drop,
    is_too_big_here,
    meaning,
    open_socket,
)

BACKOFF_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
JITTER: Final = 0.3
ATTEMPT_S: Final = 10.0
PAUSED_S: Final = 2.0
"""How often to look whether somebody lets a paused transfer go on."""
LOOK_S: Final = 1.0
MESSAGE_BYTES: Final = 2 * INBOUND_CHUNK_FRAME_BYTES
"""No message but the welcome of an upload is larger."""
NOTICE_S: Final = 2.0
"""A shorter interruption is nobody's business."""


class LocalError(Exception):
    """Something is wrong with a file of this machine: a sentence for a person. (An OSError is one of the network.)"""


Drive = Callable[[ClientConnection], Awaitable[Done]]
Notice = Callable[[str], None]


class TransferLink:
    """One operation's way to its server."""

    def __init__(self, server: Server, op: str, notice: Notice, message_bytes: int = MESSAGE_BYTES) -> None:
        """`notice` gets a few words while it does not go on, and none when it does.

        A message of more than `message_bytes` is not taken.
        """
        self._server = server
        self._op = op
        self._notice = notice
        self._message_bytes = message_bytes
        self._lost_s: float | None = None
        self._tries = 0

    def progress(self) -> None:
        """Something has moved: the next interruption is a new one. To be called by the driver."""
        self._tries = 0
        if self._lost_s is not None:
            self._lost_s = None
            self._notice("")

    async def run(self, drive: Drive) -> Done:
        """Open streams and let them be driven until one has come to its end.

        Raises:
            HubError: the operation has failed.
            CommandError: the server lets this client in no more.
        """
        while True:
            socket = None
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    path = f"ws/file-stream/{quote(self._op, safe='')}"
                    socket = await open_socket(self._server, path, FILE_STREAM_SUBPROTOCOL, self._message_bytes)
                return await drive(socket)
            except ConnectionClosed as closed:
                self._check_end(closed)
                self._say("no connection; trying again")
            except FAILURES as error:
                check_attempt(self._server, error, known=True)
                self._say("no connection; trying again")
            except HubError as error:
                if not await self._may_go_on(error):
                    raise
            finally:
                drop(socket)
            await self._pause()

    def _check_end(self, closed: ConnectionClosed) -> None:
        code = close_code(closed)
        if code == TOO_BIG:
            whose = ("server", "this command") if is_too_big_here(closed) else ("command", "the server")
            raise HubError(Code.TOO_BIG, "A message of the {} is larger than {} takes.".format(*whose))
        if not may_reconnect(code):
            known = next((row for row in Code if row.value == code), Code.INTERNAL)
            raise HubError(known, f"The server has ended the transfer: {meaning(code)}.")

    async def _may_go_on(self, error: HubError) -> bool:
        if error.code is Code.PAUSED:
            self._notice("paused elsewhere; it goes on when it is resumed there")
            self._lost_s, self._tries = 0.0, 0
            await asyncio.sleep(PAUSED_S)
            return True
        if error.code.retryable:
            self._lost_s = 0.0
            self._notice(error.message)
            await asyncio.sleep((error.retry_after_ms or 0) / 1000)
        return error.code.retryable

    async def _pause(self) -> None:
        pause_s = BACKOFF_S[min(self._tries, len(BACKOFF_S) - 1)]
        self._tries += 1
        await asyncio.sleep(pause_s * random.uniform(1 - JITTER, 1 + JITTER))

    def _say(self, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._lost_s is None:
            self._lost_s = now_s
        elif now_s - self._lost_s >= NOTICE_S:
            self._notice(text)


async def attend(
    socket: ClientConnection,
    machine: Stream,
    hello: StreamHello,
    take: Callable[[StreamServerMessage | bytes], Done | None],
    write: Callable[[], Awaitable[None]] | None = None,
) -> Done:
    """One stream from its hello, which the machine has just given, to its end: `take` gets what comes.

    `write` runs beside it.

    Raises:
        ConnectionClosed: it was lost, or is dead. Or what `take` and `write` raise.
    """
    await socket.send(encode_stream(hello))
    reading = asyncio.create_task(_read(socket, take))
    tasks: set[asyncio.Task[Any]] = {reading, asyncio.create_task(_watch(socket, machine))}
    if write is not None:
        tasks.add(asyncio.create_task(_until_closed(write)))
    waiting = tasks
    try:
        while True:
            finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if reading in finished:
                return reading.result()
            for task in finished:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(socket: ClientConnection, take: Callable[[StreamServerMessage | bytes], Done | None]) -> Done:
    while True:
        frame = await socket.recv()
        done = take(decode_stream_server(frame) if isinstance(frame, str) else frame)
        if done is not None:
            return done


async def _until_closed(write: Callable[[], Awaitable[None]]) -> None:
    """The end of the connection is for the reader to see: what the server has said before comes first."""
    try:
        await write()
    except ConnectionClosed:
        await asyncio.Future()


async def _watch(socket: ClientConnection, machine: Stream) -> None:
    now_s = asyncio.get_running_loop().time
    while not machine.is_dead(now_s()):
        await asyncio.sleep(LOOK_S)
        ping = machine.ping(now_s())
        if ping is not None:
            asyncio.get_running_loop().create_task(_say(socket, encode_stream(ping)))
    drop(socket)


async def _say(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except ConnectionClosed:
        return
