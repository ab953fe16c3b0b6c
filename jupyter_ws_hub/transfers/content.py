"""A download's bytes for a client that cannot write a stream to a file: part of them, in order, over plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done
from .operation import Operation
from .reading import Reader
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


class Body(Protocol):
    """Where the bytes go."""

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """See Wire.send_from; here that are just the bytes."""
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
        await self._store.changed(self._op, force=True)
        while not self._given_up and not await self._store.run(self._reader.come):
            pass

    async def send(self, end: int) -> bool:
        """Send up to the byte `end`; whether all of it was sent. What goes wrong cuts the connection."""
        assert self._reader is not None
        pieces, pace = _Pieces(self._reader, end), self._store.pace
        try:
            while not pieces.is_over and not self._given_up:
                pieces.begin_turn(pace.turn_bytes(end))
                if await self._body.send_from(pieces.next):
                    pieces.taken()
                elif not pieces.is_over:
                    return False
                if pieces.sent < self._op.size:
                    await self._delivery.sent(pieces.sent)
            if pieces.is_over and end == self._op.size:
                await self._delivery.finish(Done(self._op.path, end, "", self._op.etag or ""))
        except HubError as error:
            await self._delivery.failed(error)
            return False
        finally:
            if not pieces.is_over:
                self._body.abort()
        return pieces.is_over

    async def give_up(self, error: HubError) -> None:
        """See Stream: there is no way to say why."""
        self.leave()
        self._body.abort()
        await self._over.wait()

    async def touch(self) -> None:
        """See Stream."""
        await self._delivery.touch()

    def leave(self) -> None:
        """The client is gone: read no more."""
        self._given_up = True
        self._delivery.stop()

    async def close(self) -> None:
        """Let go of the operation; to be called in the end, whatever has happened."""
        self._given_up = True
        try:
            await self._delivery.close()
        finally:
            self._over.set()
            await self._store.released(self._op, self)


class _Pieces:
    """The bytes up to `end`, one buffer after the other."""

    def __init__(self, reader: Reader, end: int) -> None:
        self._reader, self._end = reader, end
        self._buffer = memoryview(bytearray(READ_BYTES))
        self.sent = reader.byte_offset
        self._turn_end = end

    @property
    def is_over(self) -> bool:
        """Whether all of them are on their way."""
        return self.sent == self._end

    def begin_turn(self, turn_bytes: int) -> None:
        """Give so many bytes next, and then none."""
        self._turn_end = min(self._end, self._reader.byte_offset + turn_bytes)

    def taken(self) -> None:
        """All that was given is on its way: a client that has the last byte may leave before more is asked for."""
        self.sent = self._reader.byte_offset

    def next(self) -> memoryview:
        """The next ones, for those before were taken; empty at the end of the turn. Blocks."""
        self.taken()
        piece = self._buffer[: min(READ_BYTES, self._turn_end - self.sent)]
        self._reader.read_into([piece])
        if self._reader.byte_offset == self._reader.source.size:
            self._reader.check()  # before the client can take it for whole
        return piece
