"""A download's bytes for a client that cannot write a stream to a file: part of them, in order, over plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done
from .operation import Operation
from .reading import ReadAhead, Reader
from .sending import Delivery
from .store import TransferStore

READ_BYTES: Final = 512 * 1024
STATUS: Final = {
    Code.NOT_FOUND: 404,
    Code.FORBIDDEN: 403,
    Code.INVALID: 400,
    Code.PAUSED: 409,
    Code.SUPERSEDED: 409,
    Code.SOURCE_CHANGED: 410,
    Code.CANCELLED: 410,
    Code.BUSY: 429,
}
"""How HTTP says why there are no bytes; else 500."""
WRITE_BYTES: Final = 128 * 1024
"""Written in one turn of the loop."""


class Body(Protocol):
    """Where the bytes go."""

    async def write_content(self, data: memoryview) -> bool:
        """Write, and return when the kernel has it all; False if the socket is gone."""
        ...

    def abort(self) -> None:
        """Cut the connection, so that the client sees that something is missing. Idempotent."""
        ...


class ContentStream:
    """One answer that has a download's bytes. It owns the operation as any other stream does."""

    def __init__(self, operation: Operation, store: TransferStore, peer: Peer, body: Body) -> None:
        """Nothing happens before `open`."""
        self._op = operation
        self._store = store
        self._peer = peer
        self._body = body
        self._delivery = Delivery(operation, store, self)
        self._reader: Reader | None = None
        self._given_up = False
        self._over = asyncio.Event()

    async def open(self, begin: int) -> None:
        """Own the operation, open its source, come to the byte `begin`; raises as Delivery.open."""
        try:
            source = await self._delivery.open(self._peer)
        except HubError as error:
            await self._delivery.failed(error)
            raise
        if source is None or self._given_up:
            raise HubError(Code.SUPERSEDED, "A newer stream goes on with this transfer.")
        self._reader = self._delivery.begin(Reader(source, None, begin))
        while not self._given_up and not await self._store.run(self._reader.come):
            pass

    async def send(self, end: int) -> bool:
        """Send up to the byte `end`; whether all of it was sent. What goes wrong cuts the connection."""
        reader, run = self._reader, self._store.run
        assert reader is not None
        at = reader.byte_offset

        def read(buffer: memoryview) -> Coroutine[Any, Any, memoryview] | None:
            nonlocal at
            piece = buffer[: min(READ_BYTES, end - at)]
            at += len(piece)
            return run(_read, reader, piece) if piece else None

        ahead, sent = ReadAhead(READ_BYTES, read), at
        try:
            while not self._given_up and (piece := await ahead.take()) is not None:
                if sent + len(piece) == self._op.size:  # before the client can take it for whole
                    await run(reader.check)
                for begin in range(0, len(piece), WRITE_BYTES):
                    if not await self._body.write_content(piece[begin : begin + WRITE_BYTES]):
                        return False
                    await asyncio.sleep(0)  # awaiting a write that is done already does not let others run
                sent += len(piece)
                if sent == self._op.size:
                    await self._delivery.finish(Done(self._op.path, sent, "", self._op.etag or ""))
                else:
                    await self._delivery.sent(sent)
        except HubError as error:
            await self._delivery.failed(error)
            return False
        finally:
            ahead.stop()
            if sent != end:
                self._body.abort()
        return sent == end

    async def give_up(self, error: HubError) -> None:
        """See Stream: there is no way to say why."""
        self._given_up = True
        self._body.abort()
        await self._over.wait()

    async def touch(self) -> None:
        """See Stream."""
        await self._delivery.touch()

    def leave(self) -> None:
        """The client is gone: read no more."""
        self._given_up = True

    async def close(self) -> None:
        """Let go of the operation; to be called in the end, whatever has happened."""
        self._given_up = True
        try:
            await self._delivery.close()
        finally:
            self._over.set()
            await self._store.released(self._op, self)


def _read(reader: Reader, piece: memoryview) -> memoryview:
    reader.read_into([piece])
    return piece
