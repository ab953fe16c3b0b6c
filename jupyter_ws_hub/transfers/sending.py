"""What a download's stream and its twin over HTTP do alike: own the operation, open the source, note progress."""

from __future__ import annotations

import asyncio
import contextlib

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done
from .downloads import open_source
from .journal import Ownership
from .operation import ENDED, Operation, Stream
from .reading import Reader
from .source import Source
from .store import TransferStore


class Delivery:
    """One delivery of a download's bytes, whole or in part, by whoever owns the operation now."""

    def __init__(self, operation: Operation, store: TransferStore, stream: Stream) -> None:
        """`stream` is whoever delivers, and is told to give up when another one begins."""
        self._op = operation
        self._store = store
        self._stream = stream
        self._ownership: Ownership | None = None
        self._source: Source | None = None
        self._reader: Reader | None = None
        self._known_bytes = 0
        self._closed = False
        self._stopped = asyncio.Event()
        self._closing = asyncio.Lock()

    async def open(self, peer: Peer) -> Source | None:
        """Own the operation and open what it is of; None if this was closed meanwhile.

        Raises:
            HubError: `paused`, `source_changed`, `forbidden`, `busy`; what has ended the operation; as `open_source`.
        """
        op, store = self._op, self._store
        await store.claim(op, self._stream)
        async with op.lock:
            self._check()
            self._ownership = await store.own(op)
            self._check()
            await peer.require("read", "contents", f"the download of {op.path!r}")
            kind, limit = op.kind, store.settings.max_entries
            source = self._source = await open_source(store.files, store.run, op.path, kind, limit)
            if self._closed:
                await store.run(source.close)
                return None
            if source.etag != op.etag:
                error = HubError(Code.SOURCE_CHANGED, f"{op.path!r} changed since the download began; start it again.")
                raise error
            if op.done is None:
                op.state, op.error = "running", None
            await store.save(op, self._ownership)
        return source

    def _check(self) -> None:
        op = self._op
        if op.held or op.state in ("failed", "cancelled"):
            raise op.error or HubError(Code.NOT_FOUND, "The transfer has ended.")

    def begin(self, reader: Reader) -> Reader:
        """Deliver what this reads; it is closed with the rest."""
        self._reader = reader
        self._op.byte_offset = reader.byte_offset
        return reader

    async def come(self, reader: Reader) -> None:
        """Let the reader come to where it is to begin, in pieces."""
        while not await self._store.run(reader.come):
            pass

    async def sent(self, byte_offset: int) -> None:
        """All up to there was sent; return when more may be, or at `stop`."""
        op, store = self._op, self._store
        before, op.byte_offset = op.byte_offset, byte_offset
        wait_s = store.pace.delay_s(op.principal, byte_offset - before)
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopped.wait()
        await store.changed(op)

    def stop(self) -> None:
        """Nothing more is to be sent: wait for no rate any more."""
        self._stopped.set()

    async def touch(self) -> None:
        """Write down that this goes on; raises `superseded` if another server has taken the operation over."""
        if self._ownership is not None:
            await self._store.save(self._op, self._ownership)

    async def finish(self, done: Done) -> None:
        """All was sent."""
        op = self._op
        op.done, op.state, op.error = done, "done", None
        op.byte_offset, op.settled = op.size, op.entries
        if self._ownership is not None:
            await self._store.save(op, self._ownership)
        await self._store.changed(op, force=True)

    async def failed(self, error: HubError) -> None:
        """It broke off: for good, if the source is another one now."""
        op = self._op
        if error.code is not Code.SOURCE_CHANGED or op.state in ENDED:
            return
        try:
            await self._store.fail(op, error, self._ownership)
        except HubError as lost:  # another server goes on with it, and will find the same
            self._store.runtime.logger.warning("That %s has changed cannot be noted: %s", op.path, lost)

    async def blocks(self) -> bytes:
        """The digests of the first whole blocks, as far as they are known."""
        known = await self._store.ledger.blocks(self._op)
        self._known_bytes = len(known)
        return known

    async def close(self) -> None:
        """Read nothing more, and write down how far it has come. Idempotent."""
        self._closed = True
        async with self._closing:  # a lost socket and a newer stream may close it at the same time
            reader, self._reader = self._reader, None
            if reader is not None:
                await self._store.run(reader.close)
            elif self._source is not None:
                await self._store.run(self._source.close)
            self._source = None
            ownership, self._ownership = self._ownership, None
            if ownership is not None:
                try:
                    await self._note(ownership, reader)
                finally:
                    ownership.close()

    async def _note(self, ownership: Ownership, reader: Reader | None) -> None:
        """Write down what whoever goes on, or asks, needs to know."""
        op, store = self._op, self._store
        if op.stream is self._stream and op.state == "running":
            op.state = "paused"
        if reader is None or op.state in ENDED:
            return
        try:
            known = b"".join(reader.digest.whole) if reader.digest is not None else b""
            if len(known) > self._known_bytes:
                await store.ledger.save_blocks(op, ownership, known)
            await store.save(op, ownership)
        except HubError as error:
            if error.code is not Code.SUPERSEDED:
                store.runtime.logger.warning("How far %s has come is not kept: %s", op.path, error)
