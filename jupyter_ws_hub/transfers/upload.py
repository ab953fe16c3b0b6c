"""One upload stream: data frames into the partial file, acknowledgements and credit back, publication at the end.

The socket's reader never waits for the disk: chunks queue up, bounded by the credit, and one task writes them.
"""

from __future__ import annotations

import asyncio

from ..protocol.codec import decode_chunk
from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import (
    BLOCK_BYTES,
    Done,
    Finish,
    StreamAck,
    StreamHello,
    StreamWelcome,
    decode_stream_client,
)
from ..protocol.transfer_server import UploadReceiver
from .digest import ALGORITHM
from .disk import PartialFile
from .operation import ENDED, Operation
from .ports import Wire
from .store import TransferStore
from .stream import TransferStream


class UploadStream(TransferStream):
    """The stream of one upload's socket."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire) -> None:
        """See TransferStream."""
        super().__init__(operation, store, wire)
        self._machine: UploadReceiver | None = None
        self._chunks: list[memoryview] = []
        self._writer: asyncio.Task[None] | None = None

    async def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._data(frame)
        else:
            await self._text(frame)

    def _data(self, frame: bytes) -> None:
        if self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "Data came before hello.")
        chunk = decode_chunk(frame)
        self._machine.receive(chunk)
        self._chunks.append(chunk.payload)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _text(self, text: str) -> None:
        message = decode_stream_client(text)
        if isinstance(message, StreamHello):
            await self._open()
        elif self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "The first message of a stream must be hello.")
        elif isinstance(message, Finish):
            await self._finish(self._machine, message)
        else:
            raise RemoteProtocolError(Code.BAD_FRAME, "An upload's client gives no credit.")

    async def _open(self) -> None:
        if self._machine is not None:
            raise RemoteProtocolError(Code.BAD_FRAME, "A stream says hello once.")
        op = self._op
        await self._store.claim(op, self)
        async with op.lock:
            if op.done is not None:
                await self._finish_with(op.done)
                return
            if op.state in ENDED:
                raise op.error or HubError(Code.NOT_FOUND, "The transfer has ended.")
            if op.file is None:
                target = await self._store.files.target(op.path)
                op.file = await self._store.run(PartialFile, target, op.id, op.path)
            offset = op.byte_offset = op.file.digest.byte_offset
        self._machine = UploadReceiver(op.size, offset, 0)
        op.state, op.error = "running", None
        limit = self._machine.limit
        welcome = StreamWelcome("upload", op.path, offset, 0, op.size, limit, BLOCK_BYTES, ALGORITHM)
        await self._send(welcome)
        await self._store.changed(op, force=True)

    async def _write(self) -> None:
        machine, file, op = self._machine, self._op.file, self._op
        assert machine is not None and file is not None
        try:
            while self._chunks:
                batch, self._chunks = self._chunks, []
                op.byte_offset = await self._store.run(file.write, batch)
                credit = machine.wrote(op.byte_offset)
                ack = machine.ack_due(self._store.runtime.monotonic(), idle=not self._chunks)
                for message in (credit, ack):
                    if message is not None and not self._ended:
                        await self._send(message)
                await self._store.changed(op)
        except HubError as error:
            self._chunks.clear()
            op.error = error
            await self._fail(error)

    async def _settle(self) -> None:
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _finish(self, machine: UploadReceiver, message: Finish) -> None:
        op = self._op
        machine.finish(message)
        await self._settle()
        async with op.lock:
            file = op.file
            if self._ended or file is None or machine.written != machine.size:
                return
            root = file.digest.root()
            if root != message.root:
                error = HubError(
                    Code.DIGEST_MISMATCH,
                    f"What arrived of {op.path!r} is not what was sent; upload it again.",
                    details={"expected": message.root, "received": root},
                )
                await self._store.fail(op, error)
                raise error
            op.state = "committing"
            try:
                done = await self._commit(file, root)
            finally:
                if op.state == "committing":
                    op.state = "paused"
        machine.finished()
        await self._send(StreamAck(machine.size, machine.size, machine.size))
        await self._finish_with(done)
        await self._store.changed(op, force=True)

    async def _commit(self, file: PartialFile, root: str) -> Done:
        """Publish; on failure the target is as it was. Permission and place are asked again: both may have changed."""
        op, store = self._op, self._store
        plan = op.plan
        try:
            await op.peer.require("write", "contents", f"the upload to {op.path!r}")
            await store.files.target(op.path)
            target, validator = await store.run(file.publish, plan.if_exists, plan.expect_etag, plan.mtime_s)
        except HubError as error:
            if error.code is Code.NO_SPACE:
                op.state = "paused"
            else:
                await store.fail(op, error)
            raise
        op.file = None
        path = store.files.api_path(target)
        op.done = Done(path, op.size, root, validator.etag)
        op.state, op.path = "done", path
        try:
            warning = await store.files.after_save(path, target)
        except Exception as error:
            store.runtime.logger.error("After the upload to %s something failed", path, exc_info=error)
            warning = "The file is there, but what should happen after it failed; the server's log says why."
        if warning is not None:
            op.done = Done(path, op.size, root, validator.etag, warning)
        return op.done
