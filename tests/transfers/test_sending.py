"""What both ways of a download's bytes do alike: one owner, one state of the source, progress, and an end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Done
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation
from jupyter_ws_hub.transfers.reading import Reader, digest_before
from jupyter_ws_hub.transfers.sending import Delivery
from jupyter_ws_hub.transfers.source import FileSource
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until
from tests.support.fakes import FakeClock, fake_peer, turns

from .test_download import open_files
from .test_store import FakeFiles, FakeStream, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


@pytest.fixture
def op(store: TransferStore, files: FakeFiles, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Operation:
    files.write("a.bin", os.urandom(BLOCK_BYTES + 10))
    return jp_asyncio_loop.run_until_complete(store.create_download(fake_peer(), "a.bin", DownloadPlan()))


async def refused(delivery: Delivery, denied: set[tuple[str, str]] | None = None) -> Code:
    with pytest.raises(HubError) as caught:
        await delivery.open(fake_peer(denied=denied or set()))
    await delivery.failed(caught.value)
    await delivery.close()
    return caught.value.code


async def test_the_source_is_open_from_open_to_close(store: TransferStore, op: Operation) -> None:
    delivery = Delivery(op, store, FakeStream())
    source = await delivery.open(fake_peer())
    assert source is not None
    assert (op.state, open_files()) == ("running", 1)
    reader = delivery.begin(Reader(source, digest_before(BLOCK_BYTES + 5, "xxh3-128", b""), BLOCK_BYTES + 5))
    await delivery.come(reader)
    assert op.byte_offset == BLOCK_BYTES + 5
    await delivery.close()
    await delivery.close()
    assert open_files() == 0
    assert len(await delivery.blocks()) == 16


async def test_who_closes_at_the_same_time_waits_for_the_one_close(
    store: TransferStore, op: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost socket and a newer stream: to close a descriptor twice would close one that somebody else has got."""
    delivery, gate, closed = Delivery(op, store, FakeStream()), threading.Event(), 0
    source = await delivery.open(fake_peer())
    assert source is not None
    delivery.begin(Reader(source, digest_before(0, "xxh3-128", b""), 0))

    def close(self: FileSource, close: Callable[[FileSource], None] = FileSource.close) -> None:
        nonlocal closed
        closed += 1
        gate.wait(5)
        close(self)

    monkeypatch.setattr(FileSource, "close", close)
    first = asyncio.create_task(delivery.close())
    await until(lambda: closed == 1, "the first to close")
    second = asyncio.create_task(delivery.close())
    await turns()
    assert not second.done(), "something still holds the file"
    gate.set()
    await asyncio.gather(first, second)
    assert (closed, open_files()) == (1, 0)


def change(files: FakeFiles, op: Operation) -> None:
    files.write("a.bin", b"another")


def hold(files: FakeFiles, op: Operation) -> None:
    op.held, op.error = True, HubError(Code.PAUSED, "paused")


def end(files: FakeFiles, op: Operation) -> None:
    op.state = "cancelled"


@pytest.mark.parametrize(
    ("trouble", "code", "state"),
    [
        (change, Code.SOURCE_CHANGED, "failed"),
        (hold, Code.PAUSED, "waiting"),
        (end, Code.NOT_FOUND, "cancelled"),
    ],
)
async def test_what_cannot_go_on_is_refused(
    store: TransferStore,
    files: FakeFiles,
    op: Operation,
    trouble: Callable[[FakeFiles, Operation], None],
    code: Code,
    state: str,
) -> None:
    trouble(files, op)
    assert await refused(Delivery(op, store, FakeStream())) is code
    assert op.state == state
    assert open_files() == 0


async def test_without_permission_nothing_is_opened(store: TransferStore, op: Operation) -> None:
    assert await refused(Delivery(op, store, FakeStream()), {("read", "contents")}) is Code.FORBIDDEN
    assert op.state == "waiting"


async def test_the_next_one_takes_its_place(store: TransferStore, op: Operation) -> None:
    first, second = FakeStream(), FakeStream()
    before = Delivery(op, store, first)
    await before.open(fake_peer())
    after = Delivery(op, store, second)
    await after.open(fake_peer())
    assert [error.code for error in first.errors] == [Code.SUPERSEDED]
    with pytest.raises(HubError) as caught:
        await before.touch()
    assert caught.value.code is Code.SUPERSEDED
    await after.touch()
    await before.close()
    await after.close()


async def test_the_end_is_written_down(store: TransferStore, op: Operation, clock: FakeClock) -> None:
    delivery = Delivery(op, store, FakeStream())
    await delivery.open(fake_peer())
    await delivery.sent(5)
    assert op.byte_offset == 5
    await delivery.finish(Done("a.bin", op.size, "root", op.etag or ""))
    await delivery.close()
    record = store.journal.load(op.id)
    assert record is not None
    assert (record.state, record.byte_offset, record.done) == ("done", op.size, op.done)
    assert open_files() == 0
