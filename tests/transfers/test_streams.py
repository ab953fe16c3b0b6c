"""Which stream serves which operation."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.transfers.download import DownloadStream
from jupyter_ws_hub.transfers.file_upload import FileUpload
from jupyter_ws_hub.transfers.operation import Operation
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.streams import stream_of
from jupyter_ws_hub.transfers.tree_upload import TreeUpload
from tests.support.fakes import fake_peer

from .test_store import FakeWire, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (Operation("id1", "upload", "alice", "a", 1), FileUpload),
        (Operation("id1", "upload", "alice", "a", 1, kind="tree"), TreeUpload),
        (Operation("id1", "download", "alice", "a", 1), DownloadStream),
    ],
)
def test_each_operation_has_its_stream(store: TransferStore, operation: Operation, kind: type) -> None:
    assert type(stream_of(operation, store, FakeWire(), fake_peer())) is kind
