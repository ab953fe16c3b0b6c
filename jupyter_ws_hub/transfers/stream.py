"""What upload and download streams have in common: how they tell of errors, end, and let go of their operation."""

from __future__ import annotations

import asyncio
from typing import Final

from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import Done, StreamError, StreamServerMessage, encode_stream
from .operation import Operation
from .ports import Wire
from .store import TransferStore

FAREWELL_S: Final = 1.0
"""How long a socket may take to be told why its stream ends: whoever replaces it does not wait for longer."""


class TransferStream:
    """One socket's life on an operation."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire) -> None:
        """Nothing happens before the client's hello."""
        self._op = operation
        self._store = store
        self._wire = wire
        self._ended = False

    async def receive(self, frame: str | bytes) -> None:
        """Take a frame from the client; what is wrong is told to it and ends the stream."""
        if self._ended:
            return
        try:
            await self._take(frame)
        except HubError as error:
            if error.code is Code.UNKNOWN_TYPE and not isinstance(error, RemoteProtocolError):
                await self._send(StreamError(error.info))
            else:
                await self._fail(error)

    async def _take(self, frame: str | bytes) -> None:
        """Take a frame; raises HubError for what is wrong with it."""
        raise NotImplementedError

    async def _settle(self) -> None:
        """Return when nothing touches the file any more."""
        raise NotImplementedError

    async def _send(self, message: StreamServerMessage) -> None:
        await self._wire.send(encode_stream(message))

    async def _finish_with(self, done: Done) -> None:
        self._ended = True
        await self._send(done)
        self._wire.end(NORMAL_CLOSURE, "done")

    async def _fail(self, error: HubError) -> None:
        if self._ended:
            return
        self._ended = True
        expected = (error.details or {}).get("expected") if error.code is Code.WRONG_OFFSET else None
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._send(StreamError(error.info, expected))
        except TimeoutError:
            pass  # a socket that takes nothing more is not told why; the close code is
        self._wire.end(int(error.code), error.message)

    async def give_up(self, error: HubError) -> None:
        """See Stream."""
        await self._fail(error)
        await self._settle()

    async def closed(self) -> None:
        """The socket is gone: finish what has arrived, and wait for the client's next stream."""
        self._ended = True
        await self._settle()
        op = self._op
        if op.stream is self:
            op.stream = None
            if op.state == "running":
                op.state = "paused"
                await self._store.changed(op, force=True)
