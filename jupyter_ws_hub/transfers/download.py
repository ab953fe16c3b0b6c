"""One download stream: the bytes as data frames, as far as the client's credit goes, and the root at the end."""

from __future__ import annotations

import asyncio
from typing import Final

from ..ports import Peer
from ..protocol.bulk import BUFFER_BYTES, READ_BYTES, lay_out
from ..protocol.codec import MAX_CHUNK_FRAME_BYTES
from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import Credit, Done, StreamClientMessage, StreamHello
from ..protocol.transfer_server import DownloadSender
from .digest import BlockDigest
from .operation import Operation
from .ports import Wire
from .reading import Reader, digest_before
from .sending import Delivery
from .store import TransferStore
from .stream import TransferStream
from .tree_source import Announcer

TURN_BYTES: Final = 32 * READ_BYTES
"""Sent by trips to a thread that follow each other at once, 16 MiB; with 4 MiB a download is slower by a seventh."""


class DownloadStream(TransferStream):
    """The stream of one download's socket."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire, peer: Peer) -> None:
        """See TransferStream."""
        super().__init__(operation, store, wire, peer)
        self._delivery = Delivery(operation, store, self)
        self._machine: DownloadSender | None = None
        self._credit = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def _take_data(self, frame: bytes) -> None:
        raise RemoteProtocolError(Code.BAD_FRAME, "A download's client sends no data.")

    def _take_message(self, message: StreamClientMessage) -> None:
        if not isinstance(message, Credit):
            raise RemoteProtocolError(Code.BAD_FRAME, "This message has no place here.")
        if self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "Credit came before the welcome.")
        self._machine.credit(message)
        self._credit.set()

    async def _open(self, hello: StreamHello) -> None:
        op = self._op
        source = await self._delivery.open(self._peer)
        if source is None or self._ended:
            return
        if not 0 <= hello.entries <= len(source.members):
            message = f"The directory has {len(source.members)} entries; {hello.entries} cannot be had already."
            raise HubError(Code.WRONG_OFFSET, message)
        machine = self._machine = DownloadSender(op.size, hello.have)
        digest = digest_before(hello.have, op.digest, await self._delivery.blocks())
        reader = self._delivery.begin(Reader(source, digest, hello.have))
        announcer = Announcer(source.members, hello.entries)
        await self._welcome(hello.have, machine.limit, MAX_CHUNK_FRAME_BYTES, hello.entries, durable=hello.have)
        self._pump = asyncio.create_task(self._guard(self._send_all(machine, reader, digest, announcer)))
        await self._store.changed(op, force=True)

    async def _send_all(
        self, machine: DownloadSender, reader: Reader, digest: BlockDigest, announcer: Announcer
    ) -> None:
        await self._delivery.come(reader)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        turn_bytes = self._store.pace.turn_bytes(TURN_BYTES)
        while True:
            await self._announce(announcer, min(machine.sent + turn_bytes, machine.limit), machine.sent == machine.size)
            if machine.complete:
                break
            begin = machine.sent
            if machine.take(turn_bytes) == 0:
                self._credit.clear()
                await self._credit.wait()
                continue
            frames = _Frames(reader, buffer, begin, machine.sent)
            while not frames.is_over:
                if not await self._wire.send_from(frames.next):
                    return
                await self._delivery.sent(frames.sent)
        await self._store.run(reader.check)
        op = self._op
        done = Done(op.path, op.size, digest.root(), op.etag or "", entries=announcer.next)
        await self._delivery.finish(done)
        await self._finish_with(done)

    async def _announce(self, announcer: Announcer, byte_offset: int, is_all: bool) -> None:
        while (entries := announcer.due(byte_offset, is_all)) is not None:
            await self._send(entries)

    async def _fail(self, error: HubError) -> None:
        if self._ended:
            return
        await super()._fail(error)
        await self._delivery.failed(error)

    async def give_up(self, error: HubError) -> None:
        """See Stream. First nothing more is sent: what is cancelled must not be done a moment later."""
        await self._stop_pump()
        await self._fail(error)
        await self._settle()

    async def touch(self) -> None:
        """See Stream."""
        await self._delivery.touch()

    async def _stop_pump(self) -> None:
        if self._pump is not None and self._pump is not asyncio.current_task():
            self._pump.cancel()
            await asyncio.wait([self._pump])

    async def _settle(self) -> None:
        await self._stop_pump()
        await self.idle()
        await self._delivery.close()


class _Frames:
    """The data frames from one byte offset to another, one buffer after the other."""

    def __init__(self, reader: Reader, buffer: memoryview, begin: int, end: int) -> None:
        self._reader, self._buffer = reader, buffer
        self._at, self._end = begin, end
        self._last = begin

    @property
    def is_over(self) -> bool:
        """Whether there are no more."""
        return self._at == self._end

    @property
    def sent(self) -> int:
        """Up to there all has been sent; of the newest buffer that is known only at the end."""
        return self._at if self.is_over else self._last

    def next(self) -> memoryview:
        """The next ones, laid out for the wire; empty at the end. Blocks."""
        count = min(READ_BYTES, self._end - self._at)
        payloads, frames = lay_out(self._buffer, self._at, count)
        self._reader.read_into(payloads)
        self._last, self._at = self._at, self._at + count
        return frames
