"""Download streams of directories, as trees and as archives: resumed anywhere, whole, and never mixed."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.transfer import (
    BLOCK_BYTES,
    WINDOW_BYTES,
    Credit,
    DigestName,
    Done,
    Kind,
    StreamHello,
    StreamPing,
    StreamPong,
    StreamWelcome,
    TreeEntries,
    TreeEntry,
    encode_stream,
)
from jupyter_ws_hub.transfers.digest import BlockDigest
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until
from tests.support.fakes import fake_peer

from .test_download import Downloader, settled
from .test_store import FakeFiles, Make, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


def fill(root: Path, big: int = 300_000) -> None:
    (root / "d/empty").mkdir(parents=True)
    for name, size in {"a": 10, "b/c": 0, "b/d": big, "z": 65_521}.items():
        (root / "d" / name).parent.mkdir(exist_ok=True)
        (root / "d" / name).write_bytes(os.urandom(size))
    os.utime(root / "d/a", (1_700_000_000, 1_700_000_000))


def sequence(root: Path) -> bytes:
    """The bytes of a tree, by the order that is told: names, depth first."""
    return b"".join((root / "d" / name).read_bytes() for name in ("a", "b/c", "b/d", "z"))


async def begin(store: TransferStore, kind: Kind, digest: DigestName = "xxh3-128") -> Operation:
    return await store.create_download(fake_peer(), "d", DownloadPlan(kind, digest=digest))


async def get(store: TransferStore, op: Operation, have: int = 0, entries: int = 0) -> Downloader:
    client = Downloader(store, op)
    await client.take(encode_stream(StreamHello(have, entries)))
    await client.credit(op.size)
    await until(lambda: client.wire.closed, "the end")
    await client.stream.closed()
    return client


def entries_of(client: Downloader, first: int = 0) -> list[TreeEntry]:
    found: list[TreeEntry] = []
    for message in client.wire.texts:
        if isinstance(message, TreeEntries):
            assert message.first == first + len(found)
            found += message.entries
    return found


@pytest.mark.parametrize("digest", ["xxh3-128", "sha256"])
async def test_a_tree_comes_whole_with_its_entries(store: TransferStore, files: FakeFiles, digest: DigestName) -> None:
    fill(files.root)
    op = await begin(store, "tree", digest)
    client = await get(store, op)
    data = sequence(files.root)
    assert client.wire.data == data
    whole = BlockDigest(digest)
    whole.update(data)
    assert client.last == Done("d", len(data), whole.root(), op.etag or "", entries=6)
    entries = entries_of(client)
    assert [(e.path, e.type, e.size) for e in entries] == [
        ("a", "file", 10),
        ("b", "directory", 0),
        ("b/c", "file", 0),
        ("b/d", "file", 300_000),
        ("empty", "directory", 0),
        ("z", "file", 65_521),
    ]
    assert entries[0].mtime_ms == 1_700_000_000_000
    welcome = client.wire.texts[0]
    assert isinstance(welcome, StreamWelcome)
    assert (welcome.kind, welcome.digest, welcome.entry, welcome.size) == ("tree", digest, 0, len(data))
    assert (op.state, op.settled, op.entries) == ("done", 6, 6)


async def test_entries_come_before_their_bytes(store: TransferStore, files: FakeFiles) -> None:
    fill(files.root)
    client = await get(store, await begin(store, "tree"))
    kinds = [isinstance(message, bytes) for message in client.wire.sent]
    assert kinds.index(True) > kinds.index(False)
    told = next(n for n, m in enumerate(client.wire.sent) if isinstance(m, str) and '"entries"' in m[:20])
    assert told < kinds.index(True)


@pytest.mark.parametrize("kind", ["tree", "zip"])
async def test_it_goes_on_at_any_offset(store: TransferStore, files: FakeFiles, kind: Kind) -> None:
    fill(files.root, BLOCK_BYTES)
    op = await begin(store, kind)
    first = await get(store, op)
    whole = first.wire.data
    assert len(whole) == op.size
    for have in (1, 10, 11, 65_520, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, op.size - 1, op.size):
        for is_known in (True, False):
            if not is_known:
                store.journal.blocks_path(op.id).unlink(missing_ok=True)
            client = await get(store, op, have)
            assert client.wire.data == whole[have:], have
            assert client.last == first.last


@pytest.mark.parametrize("entries", [0, 1, 5, 6])
async def test_entries_that_the_client_has_are_not_told_again(
    store: TransferStore, files: FakeFiles, entries: int
) -> None:
    fill(files.root)
    op = await begin(store, "tree")
    client = await get(store, op, 10, entries)
    assert len(entries_of(client, entries)) == 6 - entries
    assert isinstance(client.last, Done)


@pytest.mark.parametrize("entries", [-1, 7, 10**12])
async def test_more_entries_than_there_are_cannot_be_had(store: TransferStore, files: FakeFiles, entries: int) -> None:
    fill(files.root)
    op = await begin(store, "tree")
    client = Downloader(store, op)
    await client.take(encode_stream(StreamHello(0, entries)))
    assert client.error.code == "wrong_offset"
    await client.stream.closed()
    assert isinstance((await get(store, op)).last, Done)


async def test_an_archive_is_what_it_should_be(store: TransferStore, files: FakeFiles) -> None:
    fill(files.root)
    op = await begin(store, "zip", "sha256")
    client = await get(store, op)
    data = client.wire.data
    assert (op.name, len(data)) == ("d.zip", op.size)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert opened.read("d/b/d") == (files.root / "d/b/d").read_bytes()
    assert isinstance(client.last, Done)
    one_block = hashlib.sha256(hashlib.sha256(data).digest()).hexdigest()
    assert client.last.root == one_block
    assert entries_of(client) == []


@pytest.mark.parametrize("kind", ["tree", "zip"])
@pytest.mark.parametrize("when", ["before it is opened", "while it is read"])
async def test_a_change_in_it_is_told_and_ends_it(
    store: TransferStore, files: FakeFiles, kind: Kind, when: str
) -> None:
    fill(files.root, WINDOW_BYTES + 1_000_000)
    op = await begin(store, kind)
    client = Downloader(store, op)
    if when == "while it is read":
        await client.hello()
        assert await settled(client) == WINDOW_BYTES
    os.utime(files.root / "d/z", (5, 5))
    if when == "while it is read":
        await client.credit(op.size)
    else:
        await client.hello()
    await until(lambda: client.wire.closed, "the end")
    assert client.error.code == "source_changed"
    assert op.state == "failed"
    await client.stream.closed()


@pytest.mark.parametrize("kind", ["tree", "zip"])
async def test_it_is_paused_and_cancelled_at_once(store: TransferStore, files: FakeFiles, kind: Kind) -> None:
    fill(files.root, WINDOW_BYTES + 1_000_000)
    op = await begin(store, kind)
    client = await Downloader(store, op).hello()
    await settled(client)
    await store.pause(op)
    assert client.error.code == "paused"
    await client.stream.closed()
    refused = await Downloader(store, op).hello()
    assert refused.error.code == "paused"
    await refused.stream.closed()
    await store.resume(op)
    again = await Downloader(store, op).hello()
    await settled(again)
    await store.cancel(op)
    assert again.error.code == "cancelled"
    await again.stream.closed()
    assert op.state == "cancelled"


async def test_a_ping_is_answered_while_nothing_may_be_sent(store: TransferStore, files: FakeFiles) -> None:
    fill(files.root, WINDOW_BYTES + 1_000_000)
    client = await Downloader(store, await begin(store, "tree")).hello()
    await settled(client)
    await client.take(encode_stream(StreamPing()))
    assert isinstance(client.wire.texts[-1], StreamPong)
    await client.stream.closed()


async def test_credit_that_lies_gets_no_more_than_there_is(store: TransferStore, files: FakeFiles) -> None:
    fill(files.root)
    op = await begin(store, "tree")
    client = Downloader(store, op)
    await client.take(encode_stream(StreamHello()))
    await client.take(encode_stream(Credit(2**63)))
    await until(lambda: client.wire.closed, "the end")
    assert client.wire.data == sequence(files.root)
    await client.stream.closed()


async def test_after_a_restart_it_goes_on_from_what_the_journal_knows(
    store: TransferStore, make_store: Make, files: FakeFiles
) -> None:
    fill(files.root)
    op = await begin(store, "zip", "sha256")
    whole = (await get(store, op)).wire.data
    again = await make_store().find(op.id, op.principal)
    assert (again.kind, again.digest, again.etag, again.size, again.name) == (
        "zip",
        "sha256",
        op.etag,
        op.size,
        "d.zip",
    )
    client = await get(store, again, 1000)
    assert client.wire.data == whole[1000:]


async def test_an_empty_directory_is_done_at_once(store: TransferStore, files: FakeFiles) -> None:
    (files.root / "d").mkdir()
    client = await get(store, await begin(store, "tree"))
    assert client.last == Done("d", 0, BlockDigest().root(), client.op.etag or "")
