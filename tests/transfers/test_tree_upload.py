"""The stream of a tree on a fake wire and a real directory: entries, their outcomes, and going on after a break."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import ENTRIES_AHEAD, Done, EntryResult, Settled, TreeEntry
from jupyter_ws_hub.transfers.digest import file_root
from jupyter_ws_hub.transfers.operation import UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until
from tests.support.fakes import fake_peer

from .test_store import FakeFiles, Make, clock, files, make_store, store
from .uploader import Uploader

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures

Entries: TypeAlias = Sequence[tuple[str, bytes | None]]
THREE: Entries = [("a.txt", b"1"), ("sub/b.txt", b"22"), ("sub/deep/c.txt", b"333")]


class TreeClient(Uploader):
    """A client that sends entries and their bytes."""

    async def entries(self, entries: Entries, first: int = 0, at: int = 0, **more: Any) -> None:
        """Announce and send; None as the content makes a directory."""
        await self.announce([entry_of(path, data, **more) for path, data in entries], first)
        data = b"".join(data or b"" for _, data in entries)
        if data and self.wire.closed is None:
            await self.take(encode_chunk(at, data))

    async def announce(self, entries: list[TreeEntry], first: int = 0) -> None:
        """Announce only."""
        await self.take(transfer.encode_stream(transfer.TreeEntries(first, entries)))

    async def settled(self, number: int) -> None:
        """Return when so many entries are settled, or the stream has ended."""
        await until(lambda: self.wire.closed or self.op.settled >= number, "the entries to be settled")
        await self.stream._written()  # type: ignore[attr-defined]  # of an upload's stream

    async def end(self, size: int, entries: int) -> None:
        """Say that all is sent."""
        await self.take(transfer.encode_stream(transfer.Finish(size, entries=entries)))

    @property
    def results(self) -> list[EntryResult]:
        """What was told of entries."""
        return [result for message in self.wire.texts if isinstance(message, Settled) for result in message.results]


def entry_of(path: str, data: bytes | None, **more: Any) -> TreeEntry:
    if data is None:
        return TreeEntry(path, type="directory", **more)
    return TreeEntry(path, len(data), **{"root": file_root(data, "xxh3-128"), **more})


async def opened(store: TransferStore, plan: UploadPlan | None = None, path: str = "", **more: Any) -> TreeClient:
    plan = plan or UploadPlan(kind="tree")
    peer = more.pop("peer", fake_peer())
    client = TreeClient(store, await store.create_upload(peer, path, 0, plan), peer=peer)
    await client.hello()
    return client


def content(files: FakeFiles) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(files.root)): path.read_bytes() if path.is_file() else None
        for path in files.root.rglob("*")
    }


def whole(entries: Entries) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for path, data in entries:
        parts = path.split("/")
        found |= {"/".join(parts[:depth]): None for depth in range(1, len(parts))}
        found[path] = data
    return found


async def test_a_tree_arrives_with_one_event_for_each_file(store: TransferStore, files: FakeFiles) -> None:
    entries = [*THREE, ("empty", None), ("zero", b"")]
    client = await opened(store)
    await client.entries(entries)
    await client.end(6, 5)
    assert isinstance(client.last, Done)
    assert (client.last.entries, client.last.failed, client.last.size) == (5, 0, 6)
    assert content(files) == whole(entries)
    assert files.events == ["a.txt", "sub/b.txt", "sub/deep/c.txt", "zero"]
    assert client.results == []
    assert (await TreeClient(store, client.op).hello()).last == client.last


async def test_a_tree_of_nothing_is_done(store: TransferStore, files: FakeFiles) -> None:
    client = await opened(store)
    await client.end(0, 0)
    assert isinstance(client.last, Done)


async def test_what_was_special_is_told_and_the_rest_is_there(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.txt", b"old")
    client = await opened(store, UploadPlan("rename", kind="tree"))
    await client.entries([*THREE, ("../x", b"x"), ("sub", b"y"), ("a.txt/z", b"z")])
    await client.settled(6)
    assert [(one.entry, one.state, one.path) for one in client.results] == [
        (0, "renamed", "a-1.txt"),
        (3, "failed", None),
        (4, "renamed", "sub-1"),
        (5, "failed", None),
    ]
    assert [one.error.code for one in client.results if one.error] == ["invalid", "exists"]
    await client.end(9, 6)
    assert isinstance(client.last, Done) and client.last.failed == 2
    assert files.events == ["a-1.txt", "sub/b.txt", "sub/deep/c.txt", "sub-1"]


async def test_links_to_files_stay_and_what_they_lead_to_is_replaced(store: TransferStore, files: FakeFiles) -> None:
    outside = files.root.with_name("outside")
    outside.mkdir()
    for name in ("a.txt", "b.txt"):
        (outside / f"real-{name}").write_bytes(b"old")
        (files.root / name).symlink_to(outside / f"real-{name}")
    client = await opened(store, UploadPlan("overwrite", kind="tree"))
    await client.entries([("a.txt", b"1"), ("b.txt", b"22")])
    await client.end(3, 2)
    assert isinstance(client.last, Done) and (client.last.failed, client.results) == (0, [])
    assert [(files.root / name).is_symlink() for name in ("a.txt", "b.txt")] == [True, True]
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"real-a.txt": b"1", "real-b.txt": b"22"}
    assert files.events == ["a.txt", "b.txt"]


async def test_a_hook_that_refuses_one_file_refuses_only_that(store: TransferStore, files: FakeFiles) -> None:
    async def refuse(call: str, path: str) -> None:
        if (call, path) == ("before_save", "sub/b.txt"):
            raise HubError(Code.FORBIDDEN, "not this one")

    files.hook = refuse
    client = await opened(store)
    await client.entries(THREE)
    await client.end(6, 3)
    assert isinstance(client.last, Done) and client.last.failed == 1
    assert [one.entry for one in client.results] == [1]
    assert {path for path, data in content(files).items() if data} == {"a.txt", "sub/deep/c.txt"}


async def test_a_hook_that_fails_afterwards_fails_nothing(store: TransferStore, files: FakeFiles) -> None:
    async def fail(call: str, path: str) -> None:
        if call == "after_save":
            raise ValueError("a bug in somebody's hook")

    files.hook = fail
    client = await opened(store)
    await client.entries(THREE)
    await client.end(6, 3)
    assert isinstance(client.last, Done) and client.last.failed == 0
    assert content(files) == whole(THREE)


async def test_a_broken_tree_goes_on_with_the_entry_that_was_half_sent(make_store: Make, files: FakeFiles) -> None:
    store = make_store()
    client = await opened(store)
    await client.announce([entry_of(path, data) for path, data in THREE])
    await client.take(encode_chunk(0, b"1223"))
    await client.settled(2)
    await client.stream.closed()
    assert ([path.name for path in files.root.rglob(".~*")], client.op.state) == ([], "paused")
    for after in (store, make_store()):
        again = TreeClient(after, await after.find(client.op.id, "alice"))
        await again.hello()
        assert (again.welcome.entry, again.welcome.byte_offset) == (2, 3)
    await again.entries(THREE[2:], 2, 3)
    await again.end(6, 3)
    assert isinstance(again.last, Done)
    assert content(files) == whole(THREE)
    assert files.events == [path for path, _ in THREE]


async def test_the_times_of_directories_that_are_told_after_their_files_outlive_a_break(
    store: TransferStore, files: FakeFiles
) -> None:
    client = await opened(store)
    await client.entries(THREE)
    await client.settled(3)
    folders = ["sub/new", "sub/deep", "sub"]
    await client.announce([entry_of(path, None, mtime_ms=n * 1000) for n, path in enumerate(folders)], 3)
    await client.settled(6)
    await client.stream.closed()
    again = await TreeClient(store, client.op).hello()
    assert again.welcome.entry == 6
    await again.end(6, 6)
    assert isinstance(again.last, Done)
    assert [(files.root / path).stat().st_mtime for path in folders] == [0, 1, 2]


async def test_a_tree_that_was_killed_in_a_group_and_then_cancelled_leaves_nothing_hidden(
    make_store: Make, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    client = await opened(store)
    with monkeypatch.context() as patch:
        patch.setattr("jupyter_ws_hub.transfers.tree_writer.TreeWriter.clean", lambda self, group: None)
        patch.setattr(os, "link", fail_with(errno.EIO))
        patch.setattr(store, "save", nothing)
        client.op.settled = 0
        patch.setattr("jupyter_ws_hub.transfers.tree_upload.TreeUpload._settled", nothing)
        await client.entries(THREE)
        await client.stream._written()  # type: ignore[attr-defined]  # of an upload's stream
    assert len(list(files.root.rglob(".~*"))) == 3
    after = make_store()
    await after.cancel(await after.find(client.op.id, "alice"))
    assert {path for path, data in content(files).items() if data is not None} == set()


async def nothing(*arguments: object, **more: object) -> None:
    """The hook that does nothing."""


def fail_with(number: int) -> Any:
    def fail(*arguments: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


async def test_a_full_disk_pauses_a_tree_and_the_group_comes_again(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await opened(store)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail_with(errno.ENOSPC))
        await client.entries(THREE)
        await until(lambda: client.wire.closed, "the error")
    assert client.error.code == "no_space"
    await client.stream.closed()
    assert (client.op.state, client.op.settled, files.events) == ("paused", 0, [])
    assert {path for path, data in content(files).items() if data is not None} == set()
    again = TreeClient(store, client.op)
    await again.hello()
    await again.entries(THREE)
    await again.end(6, 3)
    assert isinstance(again.last, Done)
    assert content(files) == whole(THREE)


@pytest.mark.parametrize("how", ["gone", "another", "link", "forbidden"])
async def test_a_directory_that_changes_meanwhile_ends_the_tree(
    store: TransferStore, files: FakeFiles, how: str
) -> None:
    (files.root / "into").mkdir()
    outside = files.root.with_name("outside")
    outside.mkdir()
    denied: set[tuple[str, str]] = set()
    client = await opened(store, path="into", peer=fake_peer(denied=denied))
    if how == "forbidden":
        denied.add(("write", "contents"))
    else:
        shutil.move(files.root / "into", files.root.with_name("moved"))
    if how == "another":
        (files.root / "into").mkdir()
    if how == "link":
        (files.root / "into").symlink_to(outside)
    await client.entries(THREE)
    await until(lambda: client.wire.closed, "the error")
    assert client.error.code == ("forbidden" if how == "forbidden" else "not_found")
    assert client.op.state == "failed"
    assert (list(outside.iterdir()), files.events) == ([], [])
    assert list(files.root.with_name("moved").glob("*")) == []


async def test_bytes_without_entries_are_refused_and_nothing_of_them_is_taken(
    store: TransferStore, files: FakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    client = await opened(store)
    await client.announce([entry_of("a", b"1234")])
    await client.take(encode_chunk(0, b"12345"))
    assert client.error.code == "too_big"
    await client.stream.closed()
    assert content(files) == {}
    assert not caplog.records, "it was the client's mistake, and nothing of ours failed"


async def test_entries_beyond_what_may_be_announced_end_the_stream(store: TransferStore, files: FakeFiles) -> None:
    client = await opened(store)
    await client.announce([entry_of(f"f{number}", b"x") for number in range(ENTRIES_AHEAD)])
    await client.announce([entry_of("more", b"x")], ENTRIES_AHEAD)
    assert client.error.code == "bad_frame"


async def test_a_finish_that_counts_wrongly_keeps_the_tree(store: TransferStore, files: FakeFiles) -> None:
    client = await opened(store)
    await client.entries(THREE)
    await client.end(6, 4)
    assert client.error.code == "conflict"
    await client.stream.closed()
    assert client.op.state == "paused"
    again = TreeClient(store, client.op)
    await again.hello()
    await again.end(6, 3)
    assert isinstance(again.last, Done)


async def test_a_tree_larger_than_the_limit_is_refused(make_store: Make) -> None:
    client = await opened(make_store(max_upload_bytes=5))
    await client.entries(THREE)
    assert client.error.code == "too_big"


async def test_many_small_files_are_put_in_order_while_others_come(store: TransferStore, files: FakeFiles) -> None:
    entries: Entries = [(f"d{number % 7}/f{number}", b"%d" % number) for number in range(600)]
    client, at = await opened(store), 0
    for first in range(0, 600, 150):
        part = entries[first : first + 150]
        await client.entries(part, first, at)
        at += sum(len(data or b"") for _, data in part)
    await client.end(at, 600)
    assert isinstance(client.last, Done)
    assert content(files) == whole(entries)
    assert files.events == [path for path, _ in entries]
    told = [message.entry for message in client.wire.texts if isinstance(message, Settled)]
    assert told == sorted(told) and told[-1] == 600


async def test_a_cancel_in_the_midst_leaves_only_whole_files(store: TransferStore, files: FakeFiles) -> None:
    client = await opened(store)
    await client.announce([entry_of(path, data) for path, data in THREE])
    await client.take(encode_chunk(0, b"122"))
    await client.settled(2)
    await asyncio.gather(store.cancel(client.op), client.take(encode_chunk(3, b"3")))
    assert client.error.code == "cancelled"
    assert {path: data for path, data in content(files).items() if data} == {"a.txt": b"1", "sub/b.txt": b"22"}
