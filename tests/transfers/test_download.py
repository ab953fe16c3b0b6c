"""One download stream on a fake wire: any offset, any credit, changes of the source, and sockets that take nothing."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Self

import pytest

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import (
    BLOCK_BYTES,
    WINDOW_BYTES,
    Credit,
    Done,
    StreamError,
    StreamHello,
    StreamWelcome,
    encode_stream,
)
from jupyter_ws_hub.transfers.operation import DownloadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import root_of, until
from tests.support.fakes import fake_peer, turns

from .stream_user import StreamUser
from .test_store import FakeFiles, FakeWire, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


class Downloader(StreamUser):
    """A client that downloads, and the stream that serves it."""

    async def hello(self, have: int = 0) -> Self:
        """Say hello."""
        await self.take(encode_stream(StreamHello(have)))
        return self

    async def credit(self, limit: int) -> None:
        """Take data up to an offset."""
        await self.take(encode_stream(Credit(limit)))

    async def whole(self, have: int = 0) -> Done | StreamError:
        """Take everything; the last message."""
        await self.hello(have)
        await self.credit(self.op.size)
        await until(lambda: self.wire.closed, "the end")
        await self.stream.closed()
        return self.last


async def download(store: TransferStore, peer: Peer | None = None, wire: FakeWire | None = None) -> Downloader:
    peer = peer or fake_peer()
    return Downloader(store, await store.create_download(peer, "a.bin", DownloadPlan()), wire, peer)


async def settled(client: Downloader) -> int:
    """How many bytes came, when for many turns of the loop no more come."""
    before = -1
    for _ in range(200):
        if len(client.wire.data) == before:
            break
        before = len(client.wire.data)
        await asyncio.sleep(0.02)
    return before


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
async def test_a_file_of_any_size_comes_whole(store: TransferStore, files: FakeFiles, size: int) -> None:
    data = os.urandom(size)
    files.write("a.bin", data)
    client = await download(store)
    done = await client.whole()
    assert isinstance(done, Done)
    assert (done.path, done.size, done.root) == ("a.bin", size, root_of(data))
    assert client.wire.data == data
    assert client.wire.closed == (1000, "done")
    assert (client.op.state, client.op.byte_offset) == ("done", size)
    assert files.events == []


async def test_it_goes_on_at_any_offset_with_the_same_root(store: TransferStore, files: FakeFiles) -> None:
    size = BLOCK_BYTES + 100_000
    data = os.urandom(size)
    files.write("a.bin", data)
    op = await store.create_download(fake_peer(), "a.bin", DownloadPlan())
    for have in (0, 1, 65_519, 65_520, 65_521, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, size - 1, size):
        client = Downloader(store, op)
        done = await client.whole(have)
        assert isinstance(done, Done), have
        assert done.root == root_of(data)
        assert client.wire.data == data[have:]
        (welcome, *_) = client.wire.texts
        assert isinstance(welcome, StreamWelcome)
        assert (welcome.byte_offset, welcome.size, welcome.block_bytes) == (have, size, BLOCK_BYTES)


async def test_no_byte_goes_beyond_the_credit(store: TransferStore, files: FakeFiles) -> None:
    data = os.urandom(WINDOW_BYTES + 1_000_000)
    files.write("a.bin", data)
    client = await (await download(store)).hello()
    assert await settled(client) == WINDOW_BYTES
    for limit, expected in [
        (WINDOW_BYTES + 1, WINDOW_BYTES + 1),
        (WINDOW_BYTES + 100_000, WINDOW_BYTES + 100_000),
        (5, WINDOW_BYTES + 100_000),
        (10**12, len(data)),
    ]:
        await client.credit(limit)
        assert await settled(client) == expected
    assert isinstance(client.last, Done)
    assert client.wire.data == data
    chunks = [len(message) for message in client.wire.sent if isinstance(message, bytes)]
    assert max(chunks) <= MAX_CHUNK_PAYLOAD_BYTES + 16
    await client.stream.closed()


@pytest.mark.parametrize("have", [-1, 11, 10**18])
async def test_more_than_there_is_cannot_be_had(store: TransferStore, files: FakeFiles, have: int) -> None:
    files.write("a.bin", b"0123456789")
    client = await (await download(store)).hello(have)
    assert (client.error.code, client.wire.closed) == ("wrong_offset", (Code.WRONG_OFFSET, client.error.message))
    assert isinstance(client.last, StreamError)
    assert client.last.expected == 10
    assert client.wire.data == b""
    await client.stream.closed()


@pytest.mark.parametrize("frame", [b"data", '{"type":"finish","size":1,"root":""}', '{"type":"hello"}', "no JSON"])
async def test_what_a_downloader_may_not_send_ends_the_stream(
    store: TransferStore, files: FakeFiles, frame: str | bytes
) -> None:
    files.write("a.bin", os.urandom(WINDOW_BYTES + 1))
    client = await (await download(store)).hello()
    await client.take(frame)
    assert client.error.code == "bad_frame"
    await client.stream.closed()
    assert client.op.state == "paused"
    assert isinstance(await Downloader(store, client.op).whole(WINDOW_BYTES), Done)


# The source changes


async def test_a_source_that_changed_before_the_stream_opened_is_told(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"0123456789")
    client = await download(store)
    files.write("a.bin", b"9876543210")
    os.utime(files.root / "a.bin", (1, 1))
    await client.whole()
    assert (client.error.code, client.error.retryable) == ("source_changed", False)
    assert client.wire.data == b""
    assert client.op.state == "failed"
    again = await Downloader(store, client.op).hello()
    assert again.error.code == "source_changed"


@pytest.mark.parametrize("change", ["rewritten", "shortened", "appended"])
async def test_a_source_that_changes_while_it_is_read_never_ends_as_done(
    store: TransferStore, files: FakeFiles, change: str
) -> None:
    data = os.urandom(WINDOW_BYTES + 2_000_000)
    files.write("a.bin", data)
    client = await (await download(store)).hello()
    await settled(client)
    if change == "rewritten":
        files.write("a.bin", bytes(len(data)))
    else:
        os.truncate(files.root / "a.bin", len(data) + (5 if change == "appended" else -5))
    await client.credit(len(data))
    await until(lambda: client.wire.closed, "the end")
    assert client.error.code == "source_changed"
    assert client.op.state == "failed"
    await client.stream.closed()


async def test_a_source_that_is_replaced_or_deleted_is_still_read_whole(store: TransferStore, files: FakeFiles) -> None:
    data = os.urandom(WINDOW_BYTES + 1_000_000)
    files.write("a.bin", data)
    client = await (await download(store)).hello()
    await settled(client)
    os.unlink(files.root / "a.bin")
    files.write("a.bin", b"another file")
    await client.credit(len(data))
    await until(lambda: client.wire.closed, "the end")
    assert isinstance(client.last, Done) or client.error.code == "source_changed"
    assert client.wire.data == data[: len(client.wire.data)]
    await client.stream.closed()


async def test_a_permission_revoked_meanwhile_gives_no_byte(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"0123456789")
    denied: set[tuple[str, str]] = set()
    client = await download(store, fake_peer(denied=denied))
    denied.add(("read", "contents"))
    await client.hello()
    assert (client.error.code, client.wire.data) == ("forbidden", b"")
    await client.stream.closed()


# Streams that end


async def test_the_newest_stream_owns_the_download(store: TransferStore, files: FakeFiles) -> None:
    data = os.urandom(WINDOW_BYTES + 1_000_000)
    files.write("a.bin", data)
    old = await (await download(store)).hello()
    await settled(old)
    new = Downloader(store, old.op)
    assert isinstance(await new.whole(WINDOW_BYTES), Done)
    assert old.error.code == "superseded"
    await old.credit(len(data))
    await turns()
    assert len(old.wire.data) == WINDOW_BYTES
    await old.stream.closed()


async def test_a_socket_that_takes_nothing_more_does_not_hold_up_the_one_that_replaces_it(
    store: TransferStore, files: FakeFiles
) -> None:
    """A laptop that changed its network leaves a socket whose buffer is full: it takes minutes until TCP gives up."""
    files.write("a.bin", b"0123456789")
    stuck, never = asyncio.Event(), asyncio.Event()

    async def take_nothing(message: str | bytes) -> None:
        if isinstance(message, bytes) or stuck.is_set():
            stuck.set()
            await never.wait()

    old = await (await download(store, wire=FakeWire(take_nothing))).hello()
    await stuck.wait()
    new = Downloader(store, old.op)
    opening = asyncio.create_task(new.whole())
    try:
        async with asyncio.timeout(3):
            assert isinstance(await opening, Done)
    finally:
        never.set()
        await asyncio.wait([opening], timeout=3)
        await old.stream.closed()


async def test_a_socket_that_takes_nothing_more_does_not_hold_up_cancel(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"0123456789")
    stuck, never = asyncio.Event(), asyncio.Event()

    async def take_nothing(message: str | bytes) -> None:
        if isinstance(message, bytes) or stuck.is_set():
            stuck.set()
            await never.wait()

    client = await (await download(store, wire=FakeWire(take_nothing))).hello()
    await stuck.wait()
    cancelling = asyncio.create_task(store.cancel(client.op))
    try:
        async with asyncio.timeout(3):
            await cancelling
    finally:
        never.set()
        await asyncio.wait([cancelling], timeout=3)
        await client.stream.closed()
    assert client.op.state == "cancelled"


async def test_what_was_cancelled_stays_cancelled_though_the_last_byte_goes_out_meanwhile(
    store: TransferStore, files: FakeFiles
) -> None:
    files.write("a.bin", b"0123456789")
    sending, go_on, telling = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(message: str | bytes) -> None:
        if isinstance(message, bytes):
            sending.set()
            await go_on.wait()
        elif '"error"' in message:
            go_on.set()
            async with asyncio.timeout(1):
                await telling.wait()

    client = await (await download(store, wire=FakeWire(slow))).hello()
    await sending.wait()
    cancelling = asyncio.create_task(store.cancel(client.op))
    await go_on.wait()
    for _ in range(100):
        if client.op.state != "cancelled":
            break
        await asyncio.sleep(0.002)
    telling.set()
    await cancelling
    await client.stream.closed()
    assert client.op.state == "cancelled"
    assert not any(isinstance(message, Done) for message in client.wire.texts)


async def test_a_lost_socket_pauses_and_closes_the_file(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", os.urandom(WINDOW_BYTES + 1))
    client = await (await download(store)).hello()
    await settled(client)
    before = open_files()
    await client.stream.closed()
    assert (client.op.state, client.op.stream) == ("paused", None)
    assert open_files() == before - 1


def open_files() -> int:
    """How many descriptors this process has on downloads."""
    links: list[Any] = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    return sum(str(link).endswith("a.bin") for link in links)


async def test_a_done_download_can_be_had_again(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"0123456789")
    client = await download(store)
    first = await client.whole()
    second = await Downloader(store, client.op).whole(5)
    assert first == second
    await store.cancel(client.op)
    assert client.op.state == "done"
