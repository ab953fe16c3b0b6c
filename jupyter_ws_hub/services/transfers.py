"""Service `transfers`: make, list and cancel transfers of large files; their bytes go over /ws/file-stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

import msgspec

from ..hub.declare import Latest
from ..ports import Peer
from ..protocol.codec import MAX_CHUNK_FRAME_BYTES
from ..protocol.codes import Code
from ..protocol.errors import ErrorInfo, HubError
from ..protocol.transfer import BLOCK_BYTES, Direction
from ..transfers.store import Operation, State, UploadPlan
from .base import Nothing, Service, Topic, method

READ = ("read", "contents")
ME: Final = "transfers/me"


class CreateTransfer(msgspec.Struct, frozen=True):
    """A transfer to make. `size` (bytes) is needed for an upload; `expect` asks for the target's etag or `absent`."""

    direction: Direction
    path: str
    size: int | None = None
    mtime_ms: int | None = None
    if_exists: Literal["fail", "overwrite", "rename"] = "fail"
    expect: str | None = None
    digest: Literal["xxh3-128"] = "xxh3-128"


class TransferLimits(msgspec.Struct, frozen=True):
    """What a stream takes."""

    frame_bytes: int
    block_bytes: int


class TransferCreated(msgspec.Struct, frozen=True):
    """A transfer that was made; open its stream to move the bytes."""

    op: str
    path: str
    size: int
    limits: TransferLimits


class TransferStatus(msgspec.Struct, frozen=True):
    """How a transfer is. `byte_offset` is how far it has come, in bytes."""

    op: str
    direction: Direction
    path: str
    size: int
    byte_offset: int
    state: State
    error: ErrorInfo | None = None
    gone: bool = False


class Transfers(msgspec.Struct, frozen=True):
    """A user's transfers, oldest first."""

    transfers: list[TransferStatus]


class TransferParams(msgspec.Struct, frozen=True):
    """A transfer by its id."""

    op: str


def _status(op: Operation) -> TransferStatus:
    error = op.error.info if op.error is not None else None
    return TransferStatus(op.id, op.direction, op.path, op.size, op.byte_offset, op.state, error)


class TransfersService(Service):
    """Uploads and downloads of this user."""

    name = "transfers"
    topics: ClassVar[Sequence[Topic]] = (Topic(ME, {"transfer": TransferStatus}, READ, Latest(key="op")),)

    async def start(self) -> None:
        """Publish what the store tells of progress."""
        self.context.transfers.on_change = self._changed
        self.context.transfers.on_forget = self._forgotten

    async def _changed(self, op: Operation) -> None:
        await self.context.publish(ME, "transfer", _status(op), principal=op.principal)

    async def _forgotten(self, op: Operation) -> None:
        gone = TransferStatus(op.id, op.direction, op.path, op.size, op.byte_offset, op.state, gone=True)
        await self.context.publish(ME, "transfer", gone, principal=op.principal)

    @method("transfers.create", permission=READ)
    async def create(self, params: CreateTransfer, peer: Peer) -> TransferCreated:
        """Prepare an upload or a download of one file; an upload needs the permission to write."""
        store = self.context.transfers
        if params.direction == "download":
            op = await store.create_download(peer, params.path)
        else:
            await peer.require("write", "contents", "transfers.create")
            if params.size is None:
                raise HubError(Code.INVALID, "An upload needs its size.")
            mtime_s = None if params.mtime_ms is None else params.mtime_ms / 1000
            plan = UploadPlan(params.if_exists, params.expect, mtime_s)
            op = await store.create_upload(peer, params.path, params.size, plan)
        return TransferCreated(op.id, op.path, op.size, TransferLimits(MAX_CHUNK_FRAME_BYTES, BLOCK_BYTES))

    @method("transfers.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: Nothing, peer: Peer) -> Transfers:
        """List this user's transfers."""
        return Transfers([_status(op) for op in self.context.transfers.list(peer.principal)])

    @method("transfers.cancel", permission=READ, idempotent=True)
    async def cancel(self, params: TransferParams, peer: Peer) -> TransferStatus:
        """End a transfer and remove what it has left; one that has ended stays as it is."""
        op = self.context.transfers.get(params.op, peer.principal)
        await self.context.transfers.cancel(op)
        return _status(op)
