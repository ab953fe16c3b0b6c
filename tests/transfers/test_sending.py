"""What both ways of a download's bytes do alike: one owner, one state of the source, progress, and an end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Done
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation
from jupyter_ws_hub.transfers.reading import Reader, digest_before
from jupyter_ws_hub.transfers.sending import Delivery
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.fakes import FakeClock, fake_peer

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
    assert len(op.blocks) == 16


@pytest.mark.parametrize("has_begun", [True, False])
async def test_two_who_close_at_the_same_time_close_it_once(
    store: TransferStore, op: Operation, monkeypatch: pytest.MonkeyPatch, has_begun: bool
) -> None:
    """The number of a descriptor that is closed twice may be another file's, or a socket's, by then."""
    delivery, closed = Delivery(op, store, FakeStream()), []
    source = await delivery.open(fake_peer())
    assert source is not None
    if has_begun:
        delivery.begin(Reader(source, None, 0))
    close = source.close

    def slowly() -> None:
        closed.append(1)
        time.sleep(0.02)
        close()

    monkeypatch.setattr(source, "close", slowly)
    await asyncio.gather(delivery.close(), delivery.close())
    await delivery.close()
    assert len(closed) == 1
    assert open_files() == 0


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
