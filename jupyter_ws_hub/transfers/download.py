"""One download stream: the file's bytes as data frames, as far as the client's credit goes, and the root at the end."""

from __future__ import annotations

import asyncio

from ..ports import Peer
from ..protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import (
    BLOCK_BYTES,
    Credit,
    Done,
    StreamClientMessage,
    StreamHello,
    StreamWelcome,
)
from ..protocol.transfer_server import DownloadSender
from .disk import SourceFile
from .operation import Operation
from .ports import Wire
from .store import TransferStore
from .stream import TransferStream

READ_BYTES = 16 * MAX_CHUNK_PAYLOAD_BYTES
"""Read from the disk at a time: a trip to a thread costs as much as many small reads."""


class DownloadStream(TransferStream):
    """The stream of one download's socket."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire, peer: Peer) -> None:
        """See TransferStream."""
        super().__init__(operation, store, wire, peer)
        self._machine: DownloadSender | None = None
        self._file: SourceFile | None = None
        self._credit = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def _take_data(self, frame: bytes) -> None:
        raise RemoteProtocolError(Code.BAD_FRAME, "A download's client sends no data.")

    def _take_message(self, message: StreamClientMessage) -> None:
        if not isinstance(message, Credit) or self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "This message has no place here.")
        self._machine.credit(message)
        self._credit.set()

    async def _open(self, hello: StreamHello) -> None:
        op, store = self._op, self._store
        await store.claim(op, self)
        if op.held or op.state in ("failed", "cancelled"):
            raise op.error or HubError(Code.NOT_FOUND, "The transfer has ended.")
        op.peer = self._peer
        await self._peer.require("read", "contents", f"the download of {op.path!r}")
        source = await store.files.source(op.path)
        self._file = await store.run(SourceFile, source, op.path)
        if self._file.validator.etag != op.etag:
            raise HubError(Code.SOURCE_CHANGED, f"{op.path!r} changed since the download began; start it again.")
        self._machine = DownloadSender(op.size, hello.have)
        await store.run(self._file.skip, hello.have)
        op.state, op.byte_offset = "running", hello.have
        limit = self._machine.limit
        welcome = StreamWelcome("download", op.path, hello.have, hello.have, op.size, limit, BLOCK_BYTES, op.digest)
        await self._send(welcome)
        self._pump = asyncio.create_task(self._send_all(self._machine, self._file))

    async def _send_all(self, machine: DownloadSender, file: SourceFile) -> None:
        op, store = self._op, self._store
        try:
            while not machine.complete:
                start = machine.sent
                count = machine.take(READ_BYTES)
                if count == 0:
                    self._credit.clear()
                    await self._credit.wait()
                    continue
                data = memoryview(await store.run(file.read, count))
                for at in range(0, count, MAX_CHUNK_PAYLOAD_BYTES):
                    if not await self._wire.send(encode_chunk(start + at, data[at : at + MAX_CHUNK_PAYLOAD_BYTES])):
                        return
                    # Awaiting a write that is done already does not let others run.
                    await asyncio.sleep(0)
                op.byte_offset = machine.sent
                await store.changed(op)
            await store.run(file.check)
            op.done = Done(op.path, op.size, file.digest.root(), file.validator.etag)
            op.state = "done"
            await self._finish_with(op.done)
            await store.changed(op, force=True)
        except HubError as error:
            await self._fail(error)

    async def _fail(self, error: HubError) -> None:
        if self._ended:
            return
        await super()._fail(error)
        if error.code is Code.SOURCE_CHANGED:
            await self._store.fail(self._op, error)

    async def give_up(self, error: HubError) -> None:
        """See Stream. First nothing more is sent: what is cancelled must not be done a moment later."""
        await self._settle()
        await self._fail(error)

    async def _settle(self) -> None:
        if self._pump is not None and self._pump is not asyncio.current_task():
            self._pump.cancel()
            await asyncio.wait([self._pump])
        if self._file is not None:
            await self._store.run(self._file.close)
