"""Service `transfers`: make, pause, list and cancel transfers of large files; their bytes go over /ws/file-stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from ..hub.declare import Latest, Newest
from ..ports import Peer
from ..protocol.codec import INBOUND_CHUNK_FRAME_BYTES
from ..protocol.codes import Code
from ..protocol.errors import ErrorInfo, HubError
from ..protocol.transfer import BLOCK_BYTES, TREE_FILE_BYTES, DigestName, Direction, IfExists, Kind
from ..transfers.operation import DownloadPlan, Occupied, Operation, State, UploadPlan
from .base import Health, Nothing, Service, Topic, method

READ = ("read", "contents")
ME: Final = "transfers/me"
NAMES_AT_A_TIME: Final = 1000


class CreateTransfer(msgspec.Struct, frozen=True):
    """A transfer to make.

    An upload needs its `size` in bytes (of a tree: what it will be in all, as far as is known, with `entries`), and
    `path` is where the file goes, or the directory into which the tree goes. `expect` is the etag that an upload's
    target, or a download's source, must have; `absent`: there must be no target.
    """

    direction: Direction
    path: str
    kind: Kind = "file"
    size: int | None = None
    entries: int = 0
    mtime_ms: int | None = None
    if_exists: IfExists = "fail"
    expect: str | None = None
    digest: DigestName = "xxh3-128"


class TransferLimits(msgspec.Struct, frozen=True):
    """What a stream takes: bytes of a frame, of a digest's block, and of a file in a tree."""

    frame_bytes: int
    block_bytes: int
    tree_file_bytes: int


class TransferCreated(msgspec.Struct, frozen=True):
    """A transfer that was made; open its stream to move the bytes. `name` is how a download is to be called."""

    op: str
    path: str
    size: int
    limits: TransferLimits
    kind: Kind
    name: str
    etag: str | None
    entries: int


class TransferStatus(msgspec.Struct, frozen=True):
    """How a transfer is. `byte_offset` is how far it has come, in bytes; `settled` how many of a tree's `entries`."""

    op: str
    direction: Direction
    path: str
    size: int
    byte_offset: int
    state: State
    error: ErrorInfo | None = None
    gone: bool = False
    kind: Kind = "file"
    entries: int = 0
    settled: int = 0
    failed: int = 0
    warning: str | None = None
    created_ms: int = 0


class Transfers(msgspec.Struct, frozen=True):
    """A user's transfers, oldest first."""

    transfers: list[TransferStatus]


class TransferParams(msgspec.Struct, frozen=True):
    """A transfer by its id."""

    op: str


class CheckParams(msgspec.Struct, frozen=True):
    """Names, relative to a directory, that an upload would make; at most 1,000."""

    path: str
    names: list[str]


class Checked(msgspec.Struct, frozen=True):
    """Which of the names exist, in their order."""

    existing: list[Occupied]


def _status(op: Operation) -> TransferStatus:
    return TransferStatus(
        op=op.id,
        direction=op.direction,
        path=op.path,
        size=op.size,
        byte_offset=op.byte_offset,
        state=op.state,
        error=op.error.info if op.error is not None else None,
        kind=op.kind,
        entries=op.entries,
        settled=op.settled,
        failed=op.failed,
        warning=op.done.warning if op.done is not None else None,
        created_ms=int(op.created_s * 1000),
    )


class TransfersService(Service):
    """Uploads and downloads of this user."""

    name = "transfers"

    def all_topics(self) -> Sequence[Topic]:
        """Its only topic keeps nothing: what waits is in the journal, whence it comes for whoever begins to follow."""
        return (Topic(ME, {"transfer": TransferStatus}, READ, Latest(key="op", values=self._values)),)

    async def _values(self, principal: str) -> AsyncIterator[Newest]:
        async for op in self.context.transfers.each(principal):
            yield Newest("transfer", int(op.touched_s * 1000), _status(op))

    async def start(self) -> None:
        """Publish what the store tells of progress, and learn what other servers have begun, or those before this."""
        self.context.transfers.on_change = self._changed
        self.context.transfers.on_forget = self._forgotten
        async for op in self.context.transfers.news():
            await self._changed(op)

    def health(self) -> Health:
        """Down where the system cannot do it."""
        lacks = self.context.transfers.lacks
        return Health(self.name, "down", lacks) if lacks else super().health()

    async def _changed(self, op: Operation) -> None:
        await self.context.publish(ME, "transfer", _status(op), principal=op.principal)

    async def _forgotten(self, op: Operation) -> None:
        gone = msgspec.structs.replace(_status(op), gone=True)
        await self.context.publish(ME, "transfer", gone, principal=op.principal)

    @method("transfers.create", permission=READ)
    async def create(self, params: CreateTransfer, peer: Peer) -> TransferCreated:
        """Prepare an upload or a download; an upload needs the permission to write."""
        if params.direction == "upload":
            await peer.require("write", "contents", "transfers.create")
            op = await self._create_upload(params, peer)
        else:
            plan = DownloadPlan(params.kind, params.expect, params.digest)
            op = await self.context.transfers.create_download(peer, params.path, plan)
        limits = TransferLimits(INBOUND_CHUNK_FRAME_BYTES, BLOCK_BYTES, TREE_FILE_BYTES)
        return TransferCreated(op.id, op.path, op.size, limits, op.kind, op.name, op.etag, op.entries)

    async def _create_upload(self, params: CreateTransfer, peer: Peer) -> Operation:
        if params.size is None:
            raise HubError(Code.INVALID, "An upload needs its size.")
        mtime_s = None if params.mtime_ms is None else params.mtime_ms / 1000
        plan = UploadPlan(params.if_exists, params.expect, mtime_s, params.kind, params.entries, params.digest)
        return await self.context.transfers.create_upload(peer, params.path, params.size, plan)

    @method("transfers.check", permission=READ, idempotent=True)
    async def check(self, params: CheckParams, peer: Peer) -> Checked:
        """Say which of the names that an upload would make are taken, so that a person can be asked once."""
        if len(params.names) > NAMES_AT_A_TIME:
            raise HubError(Code.INVALID, f"At most {NAMES_AT_A_TIME} names are checked at a time.")
        return Checked([*await self.context.transfers.existing(params.path, params.names)])

    @method("transfers.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: Nothing, peer: Peer) -> Transfers:
        """List this user's transfers."""
        statuses = [_status(op) async for op in self.context.transfers.each(peer.principal)]
        return Transfers(sorted(statuses, key=lambda status: status.created_ms))

    @method("transfers.pause", permission=READ, idempotent=True)
    async def pause(self, params: TransferParams, peer: Peer) -> TransferStatus:
        """Stop moving bytes until `transfers.resume`; the stream ends with `paused`, what has arrived is kept."""
        op = await self.context.transfers.find(params.op, peer.principal)
        await self.context.transfers.pause(op)
        return _status(op)

    @method("transfers.resume", permission=READ, idempotent=True)
    async def resume(self, params: TransferParams, peer: Peer) -> TransferStatus:
        """Let a paused transfer go on: whoever has the file opens its stream again."""
        op = await self.context.transfers.find(params.op, peer.principal)
        await self.context.transfers.resume(op)
        return _status(op)

    @method("transfers.cancel", permission=READ, idempotent=True)
    async def cancel(self, params: TransferParams, peer: Peer) -> TransferStatus:
        """End a transfer and remove what it has left; one that has ended stays as it is."""
        op = await self.context.transfers.find(params.op, peer.principal)
        await self.context.transfers.cancel(op)
        return _status(op)

    @method("transfers.forget", permission=READ, idempotent=True)
    async def forget(self, params: TransferParams, peer: Peer) -> None:
        """Take a transfer that has ended out of the list."""
        op = await self.context.transfers.find(params.op, peer.principal)
        await self.context.transfers.forget(op)
