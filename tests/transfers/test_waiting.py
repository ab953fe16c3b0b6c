"""What waits lives in the journal only, and is all that it was for whoever lists, opens, resumes or cancels it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Done
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation
from jupyter_ws_hub.transfers.reading import Reader
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until
from tests.support.fakes import FakeClock, fake_peer

from .test_download import Downloader
from .test_store import ALICE, ANY, FakeFiles, FakeStream, Make, clock, files, listed, make_store, refusal, store
from .uploader import DATA, Uploader, begun, upload

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


def in_memory(store: TransferStore, id: str) -> bool:
    """Whether anybody holds this operation."""
    gc.collect()
    return id in store._known._held


async def left(store: TransferStore, data: bytes = DATA[:4]) -> str:
    """The id of an upload that its client has left, after some bytes."""
    client = await begun(store, data)
    await client.stream._written()
    await client.stream.closed()
    return str(client.op.id)


async def left_download(store: TransferStore, sent: int) -> str:
    """The id of a download that its client has left, when this much was sent."""
    client = Downloader(store, await store.create_download(ALICE, "big.bin", DownloadPlan()))
    await client.hello()
    await until(lambda: client.op.byte_offset >= sent, "bytes")
    await client.stream.closed()
    return client.op.id


async def test_one_that_was_left_is_listed_as_it_was_and_goes_on(store: TransferStore, files: FakeFiles) -> None:
    id = await left(store)
    assert not in_memory(store, id)
    (op,) = await listed(store, "alice")
    assert (op.id, op.state, op.byte_offset, op.path, op.size) == (id, "paused", 4, "a.bin", len(DATA))
    del op
    assert isinstance(await Uploader(store, await store.find(id, "alice")).whole(DATA), Done)
    assert files.read("a.bin") == DATA


async def test_one_that_was_paused_says_so_until_it_is_resumed(store: TransferStore) -> None:
    id = await left(store)
    told: list[tuple[str, int]] = []

    async def tell(op: Operation) -> None:
        told.append((op.state, op.byte_offset))

    store.on_change = tell
    await store.pause(await store.find(id, "alice"))
    assert not in_memory(store, id)
    (op,) = await listed(store, "alice")
    assert op.error is not None and (op.state, op.error.code) == ("paused", Code.PAUSED)
    refused = await Uploader(store, op).hello()
    assert refused.error.code == "paused"
    await refused.stream.closed()
    del op, refused
    await store.resume(await store.find(id, "alice"))
    assert not in_memory(store, id)
    assert isinstance(await Uploader(store, await store.find(id, "alice")).whole(DATA), Done)
    assert told[:3] == [("paused", 4), ("paused", 4), ("waiting", 4)], "the second is of the stream that was refused"


async def test_one_that_waits_can_be_cancelled_and_leaves_nothing(store: TransferStore, files: FakeFiles) -> None:
    id = await left(store)
    assert len(files.names()) == 1
    await store.cancel(await store.find(id, "alice"))
    assert (files.names(), store.journal.ids()) == ([], set())
    assert [op.state for op in await listed(store, "alice")] == ["cancelled"]


async def test_one_that_nobody_holds_expires(make_store: Make, clock: FakeClock, files: FakeFiles) -> None:
    store, told = make_store(keep_idle_s=3600, keep_ended_s=600), list[str]()

    async def tell(op: Operation) -> None:
        told.append(op.state)

    store.on_change = store.on_forget = tell
    id = await left(store)
    told.clear()
    clock.advance(3599)
    await store.sweep()
    assert (told, len(files.names())) == ([], 1)
    clock.advance(2)
    await store.sweep()
    assert (told, files.names()) == (["failed"], [])
    clock.advance(601)
    await store.sweep()
    assert (told, store.journal.ids(), in_memory(store, id)) == (["failed", "failed"], set(), False)


async def test_one_that_waits_counts_for_its_user(make_store: Make) -> None:
    store = make_store(max_operations=2)
    ids = [(await upload(store)).op.id for _ in range(2)]
    assert not in_memory(store, ids[0])
    assert (await refusal(store.create_upload(ALICE, "c", 1, ANY))).code is Code.BUSY
    after = make_store(max_operations=2)
    assert {op.id for op in await listed(after, "alice")} == {*ids}
    assert (await refusal(after.create_upload(ALICE, "c", 1, ANY))).code is Code.BUSY
    await store.cancel(await store.find(ids[0], "alice"))
    assert await store.create_upload(ALICE, "c", 1, ANY)


async def test_two_who_open_one_that_waits_are_not_both_its_owner(store: TransferStore) -> None:
    id = await left(store)
    first, second = FakeStream(), FakeStream()
    await store.claim(await store.find(id, "alice"), first)
    await store.claim(await store.find(id, "alice"), second)
    assert [error.code for error in first.errors] == [Code.SUPERSEDED]
    assert store.running() == 1


async def test_one_that_another_server_has_cancelled_is_told_to_be_gone_and_nothing_after_that(
    make_store: Make,
) -> None:
    one, two, told = make_store(), make_store(), list[str]()
    id = await left(one)

    async def change(op: Operation) -> None:
        told.append(op.state)

    async def gone(op: Operation) -> None:
        told.append(f"{op.id} is gone")

    op = await one.find(id, "alice")
    one.on_change, one.on_forget = change, gone
    await two.cancel(await two.find(id, "alice"))
    late = await Uploader(one, op).hello()
    assert late.error.code == "not_found"
    await late.stream.closed()
    assert told == [f"{id} is gone"]
    assert await listed(one, "alice") == []


async def test_how_far_a_download_has_come_is_known_when_it_waits(store: TransferStore, files: FakeFiles) -> None:
    files.write("big.bin", bytes(2 * BLOCK_BYTES))
    id = await left_download(store, BLOCK_BYTES)
    assert not in_memory(store, id)
    (op,) = await listed(store, "alice")
    assert op.state == "paused" and BLOCK_BYTES <= op.byte_offset <= 2 * BLOCK_BYTES


async def test_blocks_that_a_download_has_sent_are_not_read_again(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("big.bin", bytes(3 * BLOCK_BYTES))
    id = await left_download(store, BLOCK_BYTES)
    begins: list[int] = []
    come = Reader.come

    def watched(reader: Reader) -> bool:
        begins.append(reader._begin)
        return come(reader)

    monkeypatch.setattr(Reader, "come", watched)
    again = Downloader(store, await store.find(id, "alice"))
    await again.hello(have=BLOCK_BYTES + 10)
    await until(lambda: begins, "it to begin")
    await again.stream.closed()
    assert {*begins} == {BLOCK_BYTES}


async def test_a_disk_that_cannot_be_read_is_told_to_who_asks(
    store: TransferStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await left(store)

    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    for ask in (store.find(id, "alice"), listed(store, "alice")):
        with pytest.raises(HubError) as caught:
            await ask
        assert caught.value.code is not Code.NOT_FOUND
    monkeypatch.undo()
    assert [op.id for op in await listed(store, "alice")] == [id]
    assert (await store.find(id, "alice")).principal == fake_peer().principal
