"""Which stream serves which operation."""

from __future__ import annotations

from ..ports import Peer
from .download import DownloadStream
from .file_upload import FileUpload
from .operation import Operation
from .ports import Wire
from .spooled_tree import SpooledTree
from .spooled_upload import SpooledUpload
from .store import TransferStore
from .stream import TransferStream
from .tree_upload import TreeUpload


def stream_of(operation: Operation, store: TransferStore, wire: Wire, peer: Peer) -> TransferStream:
    """A new stream on an operation, for a socket of this user."""
    if operation.direction == "download":
        return DownloadStream(operation, store, wire, peer)
    if store.files.remote is not None:
        spooled = SpooledUpload if operation.kind == "file" else SpooledTree
        return spooled(operation, store, wire, peer)
    kind = FileUpload if operation.kind == "file" else TreeUpload
    return kind(operation, store, wire, peer)
