"""What upload and download streams have in common: how they tell of errors, end, and let go of their operation.

A frame is taken in the turn of the loop in which it comes; what takes its time is done beside that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from ..ports import Peer
from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import (
    BLOCK_BYTES,
    SILENCE_S,
    Done,
    StreamClientMessage,
    StreamError,
    StreamHello,
    StreamPing,
    StreamPong,
    StreamServerMessage,
    StreamWelcome,
    decode_stream_client,
    encode_stream,
)
from .operation import Operation
from .ports import Wire
from .store import TransferStore

FAREWELL_S: Final = 1.0
"""How long a socket may take to be told why its stream ends: whoever replaces it does not wait for longer."""

TASKS: Final = 64
"""So much may be under way for a stream; a client that asks for more does not read the answers."""


class TransferStream:
    """One socket's life on an operation. `peer` is the user of the socket."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire, peer: Peer) -> None:
        """Nothing happens before the client's hello."""
        self._op = operation
        self._store = store
        self._wire = wire
        self._peer = peer
        self._over = asyncio.Event()
        self._hello: StreamHello | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard_s = store.runtime.monotonic()
        self._heard = True

    @property
    def _ended(self) -> bool:
        """Whether nothing is taken from the client any more."""
        return self._over.is_set()

    def receive(self, frame: str | bytes) -> None:
        """Take a frame from the client; what is wrong is told to it and ends the stream."""
        if self._ended:
            return
        self._heard = True
        try:
            if isinstance(frame, bytes):
                self._take_data(frame)
            else:
                self._take_text(decode_stream_client(frame))
        except HubError as error:
            if error.code is Code.UNKNOWN_TYPE and not isinstance(error, RemoteProtocolError):
                self._begin(self._send(StreamError(error.info)))
            else:
                self._refuse(error)

    def _take_text(self, message: StreamClientMessage) -> None:
        if isinstance(message, StreamPing):
            self._begin(self._send(StreamPong()))
        elif isinstance(message, StreamHello):
            if self._hello is not None:
                raise RemoteProtocolError(Code.BAD_FRAME, "A stream says hello once.")
            self._hello = message
            self._begin(self._open(message))
        elif self._hello is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "The first message of a stream must be hello.")
        else:
            self._take_message(message)

    def _take_data(self, frame: bytes) -> None:
        """Take a data frame; raises HubError for what is wrong with it."""
        raise NotImplementedError

    def _take_message(self, message: StreamClientMessage) -> None:
        """Take a message after hello; raises HubError for what is wrong with it."""
        raise NotImplementedError

    async def _open(self, hello: StreamHello) -> None:
        """Answer hello; raises HubError."""
        raise NotImplementedError

    async def _settle(self) -> None:
        """Return when nothing touches the file any more."""
        raise NotImplementedError

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes its time; what goes wrong ends the stream."""
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if len(self._tasks) > TASKS:
            self._refuse(HubError(Code.SLOW_CONSUMER, "The client asks, and does not take the answers."))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except HubError as error:
            await self._fail(error)
        except Exception as error:
            self._store.runtime.logger.error("The stream of %s failed", self._op.path, exc_info=error)
            await self._fail(HubError(Code.INTERNAL, "The server failed; its log has the reason."))

    def _refuse(self, error: HubError) -> None:
        """End for an error, from where nothing can be awaited."""
        if not self._ended:
            self._over.set()
            task = asyncio.create_task(self._farewell(error))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Return when all that was begun is done."""
        current = asyncio.current_task()
        while others := {task for task in self._tasks if task is not current}:
            await asyncio.wait(others)

    def tick(self, now_s: float) -> None:
        """Let time pass: a client that says nothing for long is gone."""
        if self._heard:
            self._heard, self._heard_s = False, now_s
        elif now_s - self._heard_s > SILENCE_S:
            self._refuse(HubError(Code.HEARTBEAT_TIMEOUT, f"Nothing was heard for {SILENCE_S:.0f} s."))

    async def _send(self, message: StreamServerMessage) -> None:
        await self._wire.send(encode_stream(message))

    async def _welcome(
        self, byte_offset: int, limit: int, frame_bytes: int, entry: int, durable: int, digests: list[str] | None = None
    ) -> None:
        op = self._op
        await self._send(
            StreamWelcome(
                direction=op.direction,
                path=op.path,
                byte_offset=byte_offset,
                durable=durable,
                size=op.size,
                limit=limit,
                block_bytes=BLOCK_BYTES,
                digest=op.digest,
                kind=op.kind,
                frame_bytes=frame_bytes,
                entry=entry,
                digests=digests,
            )
        )

    async def _finish_with(self, done: Done) -> None:
        self._over.set()
        await self._send(done)
        self._wire.end(NORMAL_CLOSURE, "done")

    async def _fail(self, error: HubError) -> None:
        if not self._ended:
            self._over.set()
            await self._farewell(error)

    async def _farewell(self, error: HubError) -> None:
        expected = (error.details or {}).get("expected") if error.code is Code.WRONG_OFFSET else None
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._send(StreamError(error.info, expected))
        except TimeoutError:
            pass  # a socket that takes nothing more is not told why; the close code is
        self._wire.end(int(error.code), error.message)

    async def _wait(self, wait_s: float) -> None:
        """Let time pass, but not beyond the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._over.wait()

    async def give_up(self, error: HubError) -> None:
        """See Stream."""
        await self._fail(error)
        await self._settle()

    async def touch(self) -> None:
        """See Stream."""
        raise NotImplementedError

    async def closed(self) -> None:
        """The socket is gone: finish what has arrived, and wait for the client's next stream."""
        self._over.set()
        try:
            await self._settle()
        finally:
            await self._store.released(self._op, self)
