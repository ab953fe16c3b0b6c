"""The upload of one file: policies, what changes until it is published, and what a crash in between leaves."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Done, IfExists
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.operation import UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import root_of, until
from tests.support.fakes import fake_peer

from .test_store import FakeFiles, FakeWire, clock, files, make_store, store
from .uploader import DATA, Uploader, begun, upload

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


# What goes well


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
async def test_a_file_of_any_size_arrives_with_one_save_event(
    store: TransferStore, files: FakeFiles, size: int
) -> None:
    data = os.urandom(size)
    client = await upload(store, size=size)
    done = await client.whole(data)
    assert isinstance(done, Done)
    etag = Validator.of(os.stat(files.root / "a.bin")).etag
    assert done == Done("a.bin", size, root_of(data), etag)
    assert client.wire.closed == (1000, "done")
    assert files.read("a.bin") == data
    assert files.names() == ["a.bin"]
    assert files.events == ["a.bin"]
    assert (client.op.state, client.op.byte_offset) == ("done", size)


# Policies


@pytest.mark.parametrize("late", [False, True], ids=["before the end", "just before it is published"])
@pytest.mark.parametrize("policy", ["fail", "overwrite", "rename"])
async def test_a_target_that_appears_meanwhile_is_treated_as_the_policy_says(
    store: TransferStore, files: FakeFiles, policy: IfExists, late: bool
) -> None:
    async def appear(call: str, path: str) -> None:
        if call == "target":  # asked once more when all is prepared
            files.write("a.bin", b"theirs")

    client = await begun(store, DATA, UploadPlan(policy))
    if late:
        files.hook = appear
    else:
        files.write("a.bin", b"theirs")
    await client.finish(DATA)
    if policy == "fail":
        assert (client.error.code, client.wire.closed[0]) == ("exists", Code.EXISTS)
    else:
        assert client.last.path == ("a.bin" if policy == "overwrite" else "a-1.bin")
    assert client.op.state == ("failed" if policy == "fail" else "done")
    there = {"fail": [b"theirs"], "overwrite": [DATA], "rename": [DATA, b"theirs"]}[policy]
    assert [files.read(name) for name in files.names()] == there
    assert files.events == ([] if policy == "fail" else [client.last.path])


async def test_overwrite_and_rename_do_what_they_say(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"old")
    renamed = await (await upload(store, UploadPlan("rename"))).whole(DATA)
    assert (renamed.path, files.read("a.bin")) == ("a-1.bin", b"old")
    replaced = await (await upload(store, UploadPlan("overwrite"))).whole(DATA)
    assert (replaced.path, files.read("a.bin")) == ("a.bin", DATA)
    assert files.events == ["a-1.bin", "a.bin"]


# What the client does wrong


@pytest.mark.parametrize("leads", ["in", "out", "nowhere"])
async def test_another_name_is_found_beside_a_link_and_not_where_it_leads(
    store: TransferStore, files: FakeFiles, leads: str
) -> None:
    elsewhere = (files.root.parent if leads == "out" else files.root) / "elsewhere"
    elsewhere.mkdir()
    if leads != "nowhere":
        (elsewhere / "real.bin").write_bytes(b"old")
    (files.root / "a.bin").symlink_to(elsewhere / "real.bin")
    done = await (await upload(store, UploadPlan("rename"))).whole(DATA)
    assert isinstance(done, Done) and done.path == "a-1.bin"
    assert (files.root / "a-1.bin").read_bytes() == DATA
    assert (files.root / "a.bin").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["real.bin"] * (leads != "nowhere")
    assert files.events == ["a-1.bin"]


async def test_links_that_lead_in_a_circle_are_told(store: TransferStore, files: FakeFiles) -> None:
    (files.root / "a.bin").symlink_to("b.bin")
    (files.root / "b.bin").symlink_to("a.bin")
    client = await upload(store, UploadPlan("overwrite"))
    await client.hello()
    assert client.error.code == "not_found"


async def test_a_digest_that_does_not_match_publishes_nothing(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"old")
    client = await begun(store, DATA, UploadPlan("overwrite"))
    await client.finish(DATA, root_of(b"something else"))
    assert client.error.code == "digest_mismatch"
    assert client.error.details == {"expected": root_of(b"something else"), "received": root_of(DATA)}
    assert (files.read("a.bin"), files.names()) == (b"old", ["a.bin"])
    assert client.op.state == "failed"
    again = await Uploader(store, client.op).hello()
    assert again.error.code == "digest_mismatch"


async def test_no_space_at_the_very_end_pauses_too(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", full)
    client = await upload(store)
    await client.whole(DATA)
    assert (client.error.code, client.op.state) == ("no_space", "paused")
    monkeypatch.setattr(os, "fsync", fsync)
    assert isinstance(await Uploader(store, client.op).whole(DATA), Done)
    assert files.names() == ["a.bin"]


def vanish(files: FakeFiles) -> None:
    shutil.rmtree(files.root)


def become_a_file(files: FakeFiles) -> None:
    vanish(files)
    files.root.write_bytes(b"a file now")


def become_a_link(files: FakeFiles) -> None:
    files.root.rename(files.root.with_name("moved"))
    files.root.symlink_to(outside(files))


def get_a_link_as_target(files: FakeFiles) -> None:
    (files.root / "a.bin").symlink_to(outside(files) / "real.bin")


def outside(files: FakeFiles) -> Path:
    """A directory that is none of the root's."""
    made = files.root.with_name("outside")
    made.mkdir(exist_ok=True)
    return made


def become_a_directory(files: FakeFiles) -> None:
    (files.root / "a.bin").mkdir()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (vanish, "not_found"),
        (become_a_file, "not_found"),
        (become_a_link, "not_found"),
        (get_a_link_as_target, "not_found"),
        (become_a_directory, "invalid"),
    ],
)
async def test_a_place_that_changes_meanwhile_ends_the_upload_with_its_error(
    store: TransferStore, files: FakeFiles, change: Callable[[FakeFiles], None], code: str
) -> None:
    client = await begun(store, DATA, UploadPlan("overwrite"))
    change(files)
    await client.finish(DATA)
    assert (client.error.code, client.op.state) == (code, "failed")
    assert files.events == []
    assert list(outside(files).iterdir()) == []
    everywhere = [path for path in files.root.parent.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert DATA not in [path.read_bytes() for path in everywhere], "it is published all the same"


async def test_a_permission_revoked_between_start_and_commit_publishes_nothing(
    store: TransferStore, files: FakeFiles
) -> None:
    denied: set[tuple[str, str]] = set()
    client = await begun(store, DATA, peer=fake_peer(denied=denied))
    denied.add(("write", "contents"))
    await client.finish(DATA)
    assert (client.error.code, client.op.state, files.names()) == ("forbidden", "failed", [])


async def test_a_post_save_hook_that_fails_is_a_warning(store: TransferStore, files: FakeFiles) -> None:
    files.warning = "the hook failed"
    client = await upload(store)
    done = await client.whole(DATA)
    assert isinstance(done, Done)
    assert (done.warning, client.op.state, files.events) == ("the hook failed", "done", ["a.bin"])
    assert files.read("a.bin") == DATA


async def test_a_failure_that_nobody_foresaw_does_not_leave_the_upload_committing(
    store: TransferStore, files: FakeFiles
) -> None:
    async def fail(name: str, path: str) -> None:
        raise ValueError("a bug in somebody's contents manager")

    client = await begun(store, DATA)
    files.hook = fail
    await asyncio.gather(client.finish(DATA), return_exceptions=True)  # tornado logs it and closes the socket
    await client.stream.closed()
    assert client.op.state in ("paused", "failed")
    await store.cancel(client.op)


async def test_a_modification_time_that_cannot_be_is_told(store: TransferStore) -> None:
    client = await upload(store, UploadPlan("fail", None, 1e27))
    await client.whole(DATA)
    assert client.error.retryable is False


async def test_a_client_that_is_gone_when_it_is_done_gets_the_answer_on_its_next_stream(
    store: TransferStore, files: FakeFiles
) -> None:
    wire = FakeWire()
    client = Uploader(store, (await upload(store)).op, wire)
    await (await client.hello()).send(DATA)
    wire.closed = (1006, "gone")
    await client.finish(DATA)
    await client.stream.closed()
    again = await Uploader(store, client.op).hello()
    assert isinstance(again.last, Done)
    assert files.events == ["a.bin"]


async def test_a_stream_opened_during_the_commit_waits_for_its_end(store: TransferStore, files: FakeFiles) -> None:
    client = await begun(store, DATA)
    committing, go_on = asyncio.Event(), asyncio.Event()

    async def pause(name: str, path: str) -> None:
        if name == "after_save":
            committing.set()
            await go_on.wait()

    files.hook = pause
    finishing = asyncio.create_task(client.finish(DATA))
    await committing.wait()
    second = Uploader(store, client.op)
    opening = asyncio.create_task(second.hello())
    await until(lambda: client.wire.closed, "the first stream to be told")
    go_on.set()
    await asyncio.gather(finishing, opening)
    assert isinstance(second.last, Done)
    assert files.events == ["a.bin"]
