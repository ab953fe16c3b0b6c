"""One upload stream: data frames in, acknowledgements and credit back.

The socket's reader never waits for the disk: chunks queue up, bounded by the credit, and one task writes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ..ports import Peer
from ..protocol.codec import INBOUND_CHUNK_FRAME_BYTES, MAX_CHUNK_PAYLOAD_BYTES, decode_chunk
from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import (
    MAX_WINDOW_BYTES,
    Finish,
    StreamClientMessage,
    StreamHello,
)
from ..protocol.transfer_server import UploadReceiver
from .journal import Ownership
from .operation import ENDED, Operation
from .ports import Wire
from .store import TransferStore
from .stream import TransferStream

CHUNKS_AT_A_TIME: Final = 32
"""Written by one trip to a thread: 2 MiB."""

SMALL_BYTES: Final = 4096
"""A chunk of less is put together with others where many wait."""

GATHERED_CHUNKS: Final = 8
GATHER_S: Final = 0.001
"""A trip to a thread costs as much as to write many chunks: with few of them it waits a moment for more."""

SYNC_EVERY_BYTES: Final = 64 * 1024 * 1024
"""So much is sent to the disk at the latest; it bounds what a power loss costs, and the wait at the end."""


class UploadStream(TransferStream):
    """The stream of one upload's socket. What becomes of the bytes is told by its subclasses."""

    def __init__(self, operation: Operation, store: TransferStore, wire: Wire, peer: Peer) -> None:
        """See TransferStream."""
        super().__init__(operation, store, wire, peer)
        self._machine: UploadReceiver | None = None
        self._ownership: Ownership | None = None
        self._chunks: list[memoryview | bytearray] = []
        self._writer: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._lent_bytes = 0
        self._settling = asyncio.Lock()

    async def _prepare(self) -> None:
        """Get ready to go on where the operation is; raises HubError."""
        raise NotImplementedError

    async def _put(self, chunks: Sequence[memoryview]) -> int:
        """Write chunks; give the byte offset up to which all is written."""
        raise NotImplementedError

    async def _sync(self) -> int:
        """Bring what is written to the disk; give the byte offset up to which it is there."""
        raise NotImplementedError

    async def _complete(self, machine: UploadReceiver, message: Finish) -> None:
        """All is written: check and publish; raises HubError."""
        raise NotImplementedError

    async def _let_go(self) -> None:
        """Close what is open; nothing is written any more."""
        raise NotImplementedError

    @property
    def _has_work(self) -> bool:
        return bool(self._chunks)

    def _receiver(self) -> UploadReceiver:
        return UploadReceiver(self._op.size, self._op.byte_offset, min(self._op.durable, self._op.byte_offset))

    def _digests(self) -> list[str]:
        return []

    @property
    def owned(self) -> Ownership:
        """The right to write; there is one from the welcome on."""
        assert self._ownership is not None
        return self._ownership

    # Frames

    def _take_data(self, frame: bytes) -> None:
        if self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "Data came before the welcome.")
        chunk = decode_chunk(frame)
        self._machine.receive(chunk)
        self._check(self._machine)
        self._queue(chunk.payload)
        self._wake()

    def _check(self, machine: UploadReceiver) -> None:
        """Raise HubError for data that may not come; it is not queued yet."""

    def _queue(self, payload: memoryview) -> None:
        """The credit bounds the bytes that wait, and this their number: what is small is put together."""
        last = self._chunks[-1] if len(self._chunks) >= CHUNKS_AT_A_TIME else None
        if isinstance(last, bytearray) and len(last) + len(payload) <= MAX_CHUNK_PAYLOAD_BYTES:
            last += payload
        elif payload:
            small = len(payload) < SMALL_BYTES
            self._chunks.append(bytearray(payload) if small else payload)

    def _take_message(self, message: StreamClientMessage) -> None:
        if not isinstance(message, Finish) or self._machine is None:
            raise RemoteProtocolError(Code.BAD_FRAME, "This message has no place here.")
        self._begin(self._finish(self._machine, message))

    async def _open(self, hello: StreamHello) -> None:
        op, store = self._op, self._store
        await store.claim(op, self)
        async with op.lock:
            if not await self._resumable():
                return
            self._ownership = await store.own(op)
            if not await self._resumable():
                return
            await self._prepare()
            if not await self._resumable():
                return
            op.state, op.error = "running", None
            await store.save(op, self.owned)
        self._machine = machine = self._receiver()
        digests = await store.run(self._digests) if hello.digests else None
        frame_bytes = INBOUND_CHUNK_FRAME_BYTES
        await self._welcome(op.byte_offset, machine.limit, frame_bytes, op.settled, machine.durable, digests)
        await store.changed(op, force=True)

    async def _resumable(self) -> bool:
        """Whether to go on; says `done` to a client that has missed it, raises what has ended the operation."""
        op = self._op
        if op.done is not None:
            await self._finish_with(op.done)
            return False
        if op.held or op.state in ENDED:
            raise op.error or HubError(Code.NOT_FOUND, "The transfer has ended.")
        return not self._ended

    # Writing

    def _wake(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._guard(self._write()))

    async def _write(self) -> None:
        machine, op, store = self._machine, self._op, self._store
        assert machine is not None
        try:
            while self._has_work:
                if len(self._chunks) < GATHERED_CHUNKS and machine.received < machine.size and not self._ended:
                    await asyncio.sleep(GATHER_S)
                batch, self._chunks = self._chunks[:CHUNKS_AT_A_TIME], self._chunks[CHUNKS_AT_A_TIME:]
                before, op.byte_offset = op.byte_offset, await self._put([memoryview(chunk) for chunk in batch])
                await self._acknowledge(machine)
                if machine.written - machine.durable >= SYNC_EVERY_BYTES:
                    self._sync_beside(machine)
                await store.changed(op)
                wait_s = store.pace.delay_s(op.principal, op.byte_offset - before)
                if wait_s > 0:
                    await self._wait(wait_s)
        except HubError as error:
            self._chunks.clear()
            op.error = error
            if not error.code.retryable and error.code is not Code.SUPERSEDED:
                await store.fail(op, error, self.owned)
            raise

    async def _acknowledge(self, machine: UploadReceiver) -> None:
        now_s = self._store.runtime.monotonic()
        credit = machine.wrote(self._op.byte_offset)
        if machine.has_outgrown(now_s):
            lent = self._store.windows.take(min(machine.window_bytes, MAX_WINDOW_BYTES - machine.window_bytes))
            self._lent_bytes += lent
            machine.widen(lent)
            credit = machine.wrote(self._op.byte_offset) or credit
        ack = machine.ack_due(now_s, idle=not self._chunks)
        for message in (credit, ack):
            if message is not None and not self._ended:
                await self._send(message)

    def _sync_beside(self, machine: UploadReceiver) -> None:
        """Begin to bring it to the disk, while more is written."""

        async def sync() -> None:
            self._op.durable = min(await self._sync(), machine.written)
            machine.synced(max(machine.durable, self._op.durable))
            await self._store.save(self._op, self.owned, sync=True)

        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._guard(sync()))

    async def _written(self) -> None:
        """Return when all that has come is written."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        if self._syncing is not None:  # the writer may have begun it just now
            await asyncio.wait([self._syncing])

    async def _finish(self, machine: UploadReceiver, message: Finish) -> None:
        machine.finish(message)
        await self._written()
        async with self._op.lock:
            if self._ended or machine.written != machine.size:
                return
            await self._complete(machine, message)

    async def touch(self) -> None:
        """See Stream."""
        if self._ownership is not None and not self._ended:
            await self._store.save(self._op, self._ownership)

    async def _settle(self) -> None:
        async with self._settling:  # whoever takes over waits as well as the socket's end
            try:
                await self._written()
                await self.idle()
                if self._op.stream is self and self._op.state == "running":
                    self._op.state = "paused"
                await self._let_go()
                await self._note()
            finally:
                self._store.windows.give_back(self._lent_bytes)
                self._lent_bytes = 0
                ownership, self._ownership = self._ownership, None
                if ownership is not None:
                    ownership.close()

    async def _note(self) -> None:
        """Write down how far it has come, for whoever asks; whoever goes on looks at the bytes themselves."""
        if self._ownership is None or self._machine is None or self._op.state in ENDED:
            return
        try:
            await self._store.save(self._op, self._ownership)
        except HubError as error:
            if error.code is not Code.SUPERSEDED:
                self._store.runtime.logger.warning("How far %s has come is not kept: %s", self._op.path, error)
