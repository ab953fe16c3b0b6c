"""Downloads from a manager that keeps its files elsewhere, by way of the spool; and managers that need none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager

from jupyter_ws_hub.protocol.transfer import Done, StreamError, StreamHello, encode_stream
from jupyter_ws_hub.transfers.file_upload import FileUpload
from jupyter_ws_hub.transfers.operation import DownloadPlan
from jupyter_ws_hub.transfers.streams import stream_of
from tests.support.client import root_of, until
from tests.support.fakes import fake_peer
from tests.support.managers import Shelf

from .test_remote import LARGE
from .test_spooled_upload import Elsewhere, elsewhere, events_of, make
from .test_store import FakeWire
from .uploader import Uploader

__all__ = ["elsewhere", "make"]  # the fixtures


async def test_a_download_is_spooled_until_it_is_forgotten(elsewhere: Elsewhere) -> None:
    elsewhere.shelf.put("a.bin", LARGE)
    one = await elsewhere.store.create_download(fake_peer(), "a.bin", DownloadPlan())
    two = await elsewhere.store.create_download(fake_peer(), "a.bin", DownloadPlan())
    assert (one.size, one.etag) == (len(LARGE), two.etag)
    assert len(elsewhere.spooled()) == 1
    wire = FakeWire()
    stream = stream_of(one, elsewhere.store, wire, fake_peer())
    stream.receive(encode_stream(StreamHello(1000)))
    await until(lambda: wire.closed is not None, "the end")
    done = wire.texts[-1]
    assert isinstance(done, Done)
    assert (wire.data, done.root) == (LARGE[1000:], root_of(LARGE))
    await elsewhere.store.forget(one)
    assert len(elsewhere.spooled()) == 1, "the other one needs it"
    await elsewhere.store.cancel(two)
    assert elsewhere.spooled() == []


async def test_a_download_of_what_has_changed_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.shelf.put("a.bin", LARGE)
    op = await elsewhere.store.create_download(fake_peer(), "a.bin", DownloadPlan())
    elsewhere.shelf.put("a.bin", LARGE[::-1])
    wire = FakeWire()
    stream_of(op, elsewhere.store, wire, fake_peer()).receive(encode_stream(StreamHello()))
    await until(lambda: wire.closed is not None, "the end")
    error = wire.texts[-1]
    assert isinstance(error, StreamError)
    assert error.error.code == "source_changed"
    await until(lambda: op.state == "failed", "the operation to end")
    await until(lambda: elsewhere.spooled() == [], "the spool to be empty")


@pytest.mark.parametrize(
    "kind", [LargeFileManager, AsyncLargeFileManager, FileContentsManager, AsyncFileContentsManager]
)
async def test_files_on_this_disk_go_the_usual_way(
    kind: Any, make: Callable[[Shelf], Elsewhere], tmp_path: Path
) -> None:
    """Beside the target, with one event, and with nothing in the spool."""
    root = tmp_path / "root"
    root.mkdir()
    elsewhere = make(kind(root_dir=str(root)))
    events = events_of(elsewhere.shelf)
    op = await elsewhere.create()
    client = Uploader(elsewhere.store, op)
    stream = stream_of(op, elsewhere.store, client.wire, fake_peer())
    assert type(stream) is FileUpload
    client.stream = stream
    assert isinstance(await client.whole(LARGE), Done)
    assert (os.listdir(root), (root / "a.bin").read_bytes()) == (["a.bin"], LARGE)
    down = await elsewhere.store.create_download(fake_peer(), "a.bin", DownloadPlan())
    await elsewhere.store.cancel(down)
    assert not elsewhere.spool.exists()
    await until(lambda: bool(events), "the event")
    assert events == [("save", "a.bin")]
