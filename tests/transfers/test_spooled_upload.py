"""One upload stream to a manager that keeps its files elsewhere: as any upload, and whole or not at all."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from jupyter_ws_hub.host_files import FilesAdapter
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import ABSENT, Done, StreamError, StreamHello, encode_stream
from jupyter_ws_hub.transfers import remote
from jupyter_ws_hub.transfers.file_upload import FileUpload
from jupyter_ws_hub.transfers.journal import Journal
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation, Publishing, UploadPlan
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.spool import Spool
from jupyter_ws_hub.transfers.spooled_upload import SpooledUpload
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.streams import stream_of
from tests.support.client import root_of, until
from tests.support.fakes import FakeClock, fake_journal, fake_peer, fake_runtime
from tests.support.managers import Async, Ignorant, Shelf, Sync, SyncIgnorant

from .test_remote import LARGE, refusal
from .test_store import FakeWire
from .uploader import Uploader

KINDS = [Async, Sync, Ignorant, SyncIgnorant]


class Elsewhere:
    """Servers, one after the other, with one home and one manager."""

    def __init__(self, shelf: Shelf, tmp_path: Path) -> None:
        """Start the first server."""
        self.shelf, self.tmp_path, self.clock = shelf, tmp_path, FakeClock()
        self.spool = tmp_path / "spool"
        self.stores: list[TransferStore] = []
        self.restart()

    def restart(self) -> None:
        """Another server, which knows what is in the journal."""
        serverapp: Any = SimpleNamespace(contents_manager=self.shelf)
        files = FilesAdapter(serverapp, Spool(self.spool, "/root"), logging.getLogger("test"))
        settings = TransferSettings(progress_interval_s=0.0)
        journal = fake_journal(self.tmp_path / "root")
        self.stores.append(TransferStore(files, fake_runtime(self.clock), settings, journal))

    @property
    def store(self) -> TransferStore:
        """The newest server's operations."""
        return self.stores[-1]

    async def create(self, size: int = len(LARGE), path: str = "a.bin", **plan: Any) -> Operation:
        """Make an upload."""
        return await self.store.create_upload(fake_peer(), path, size, UploadPlan(**plan))

    def client(self, op: Operation) -> Uploader:
        """A client of the newest server."""
        client = Uploader(self.store, op)
        stream = stream_of(op, self.store, client.wire, fake_peer())
        assert isinstance(stream, SpooledUpload)
        client.stream = stream
        return client

    async def upload(self, data: bytes = LARGE, **plan: Any) -> Done | StreamError:
        """Make an upload, and send all."""
        return await self.client(await self.create(len(data), **plan)).whole(data)

    def spooled(self) -> list[str]:
        """What is in the spool."""
        return sorted(os.listdir(self.spool)) if self.spool.exists() else []


@pytest.fixture
def make(tmp_path: Path, jp_asyncio_loop: Any) -> Iterator[Callable[[Shelf], Elsewhere]]:
    made: list[Elsewhere] = []

    def begin(shelf: Shelf) -> Elsewhere:
        made.append(Elsewhere(shelf, tmp_path))
        return made[-1]

    yield begin
    for elsewhere in made:
        for store in elsewhere.stores:
            jp_asyncio_loop.run_until_complete(store.stop())


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def elsewhere(request: pytest.FixtureRequest, make: Callable[[Shelf], Elsewhere]) -> Elsewhere:
    return make(request.param())


def events_of(shelf: Shelf) -> list[tuple[str, str]]:
    """What is emitted from now on."""
    events: list[tuple[str, str]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        events.append((data["action"], data["path"]))

    shelf.event_logger.add_listener(
        schema_id="https://events.jupyter.org/jupyter_server/contents_service/v1", listener=listen
    )
    return events


async def test_an_upload_is_spooled_saved_and_told_of_once(elsewhere: Elsewhere) -> None:
    shelf: Any = elsewhere.shelf
    events, hooks = events_of(shelf), []
    shelf.register_pre_save_hook(lambda model, path, contents_manager: hooks.append(("pre", path)))
    shelf.register_post_save_hook(lambda model, os_path, contents_manager: hooks.append(("post", os_path)))
    op = await elsewhere.create()
    client = elsewhere.client(op)
    await (await client.hello()).send(LARGE)
    (partial,) = elsewhere.spooled()
    assert (elsewhere.spool / partial).stat().st_mode & 0o777 == 0o600
    assert shelf.names() == []
    await client.finish(LARGE)
    done = client.last
    assert isinstance(done, Done)
    (seen,) = await elsewhere.store.existing("", ["a.bin"])
    assert done == Done("a.bin", len(LARGE), root_of(LARGE), seen.etag)
    assert (shelf.names(), shelf.read("a.bin"), elsewhere.spooled()) == (["a.bin"], LARGE, [])
    await until(lambda: ("save", "a.bin") in events, "the event")
    assert [event for event in events if event[1] == "a.bin"] == [("save", "a.bin")]
    assert [hook for hook in hooks if hook[1] == "a.bin"] == [("pre", "a.bin"), ("post", "a.bin")]


async def test_policies_and_etags_hold_for_files_elsewhere(elsewhere: Elsewhere) -> None:
    elsewhere.shelf.put("a.bin", b"old")
    (seen,) = await elsewhere.store.existing("", ["a.bin"])
    assert (await refusal(elsewhere.create())).code is Code.EXISTS
    plans: list[dict[str, Any]] = [{"if_exists": "overwrite", "expect_etag": "other"}, {"expect_etag": ABSENT}]
    for plan in plans:
        error = await elsewhere.upload(**plan)
        assert isinstance(error, StreamError)
        assert error.error.code == "conflict"
    assert (elsewhere.shelf.read("a.bin"), elsewhere.spooled()) == (b"old", [])
    renamed = await elsewhere.upload(if_exists="rename")
    assert isinstance(renamed, Done)
    assert renamed.path == "a-1.bin"
    replaced = await elsewhere.upload(if_exists="overwrite", expect_etag=seen.etag)
    assert isinstance(replaced, Done)
    assert elsewhere.shelf.names() == ["a-1.bin", "a.bin"]
    assert elsewhere.shelf.read("a.bin") == LARGE
    assert elsewhere.spooled() == []


async def test_an_upload_that_was_cut_goes_on_in_another_server(elsewhere: Elsewhere) -> None:
    op = await elsewhere.create()
    half = len(LARGE) // 2
    client = elsewhere.client(op)
    await (await client.hello()).send(LARGE[:half])
    await client.stream.closed()
    elsewhere.restart()
    again = elsewhere.client(await elsewhere.store.find(op.id, "alice"))
    assert isinstance(await again.whole(LARGE), Done)
    assert again.welcome.byte_offset == half
    assert (elsewhere.shelf.read("a.bin"), elsewhere.spooled()) == (LARGE, [])


@pytest.mark.parametrize("kind", [Async, Sync])
async def test_a_store_that_fails_is_tried_again_with_what_is_spooled(
    kind: Any, make: Callable[[Shelf], Elsewhere]
) -> None:
    elsewhere = make(kind())
    elsewhere.shelf.put("a.bin", b"old")
    elsewhere.shelf.fail_at = 2
    op = await elsewhere.create(if_exists="overwrite")
    error = await elsewhere.client(op).whole(LARGE)
    assert isinstance(error, StreamError)
    assert (error.error.code, error.error.retryable) == ("internal", True)
    assert (elsewhere.shelf.names(), elsewhere.shelf.read("a.bin")) == (["a.bin"], b"old")
    again = elsewhere.client(op)
    assert isinstance(await again.whole(LARGE), Done)
    assert again.welcome.byte_offset == len(LARGE), "nothing is sent again"
    assert (elsewhere.shelf.names(), elsewhere.shelf.read("a.bin")) == (["a.bin"], LARGE)
    assert elsewhere.spooled() == []


OLD, TEMPORARY, MOVED = bytes(len(LARGE)), "a.bin.{op}.1.part~", "a.bin.{op}.1.old~"
"""What was there before has the same size."""

DEATHS: list[tuple[str, dict[str, bytes]]] = [
    ("", {"a.bin": OLD}),
    ("", {"a.bin": OLD, TEMPORARY: LARGE[:1000]}),
    ("", {"a.bin": OLD, TEMPORARY: LARGE}),
    ("a.bin", {"a.bin": OLD, TEMPORARY: LARGE}),
    ("a.bin", {MOVED: OLD, TEMPORARY: LARGE}),
    ("a.bin", {MOVED: OLD, "a.bin": LARGE}),
    ("a.bin", {"a.bin": LARGE}),
    ("a.bin", {"a.bin": OLD}),
]
"""What the journal says of the name, and what is there, when a server has died."""


@pytest.mark.parametrize("death", range(len(DEATHS)))
async def test_a_server_that_died_in_the_midst_is_gone_on_with(elsewhere: Elsewhere, death: int) -> None:
    elsewhere.shelf.put("a.bin", OLD)
    op = await elsewhere.create(if_exists="overwrite")
    client = elsewhere.client(op)
    await (await client.hello()).send(LARGE)
    await client.stream.closed()
    path, there = DEATHS[death]
    del elsewhere.shelf.kept["a.bin"]
    for name, data in there.items():
        elsewhere.shelf.put(name.format(op=op.id[:12]), data)
    owned = await elsewhere.store.own(op)
    op.publishing = Publishing(0, 0, root_of(LARGE), TEMPORARY.format(op=op.id[:12]), path)
    await elsewhere.store.save(op, owned)
    owned.close()
    elsewhere.restart()
    done = await elsewhere.client(await elsewhere.store.find(op.id, "alice")).whole(LARGE)
    assert isinstance(done, Done)
    assert done.path == "a.bin"
    assert (elsewhere.shelf.names(), elsewhere.spooled()) == (["a.bin"], [])
    assert elsewhere.shelf.read("a.bin") == LARGE


async def test_a_failure_after_the_last_step_had_begun_is_not_taken_for_a_success(
    make: Callable[[Shelf], Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file has the same size, and is too large to be compared."""
    monkeypatch.setattr(remote, "MAX_WHOLE_BYTES", 0)
    elsewhere = make(Async())
    elsewhere.shelf.put("a.bin", OLD)
    op = await elsewhere.create(if_exists="overwrite")

    def fail(self: Shelf, old: str, new: str) -> None:
        raise HTTPError(500, "away")

    with monkeypatch.context() as context:
        context.setattr(Shelf, "_rename", fail)
        error = await elsewhere.client(op).whole(LARGE)
        assert isinstance(error, StreamError)
        assert error.error.code == "internal"
    assert (elsewhere.shelf.names(), elsewhere.shelf.read("a.bin")) == (["a.bin"], OLD)
    assert isinstance(await elsewhere.client(op).whole(LARGE), Done)
    assert elsewhere.shelf.read("a.bin") == LARGE


async def test_another_server_that_took_over_keeps_this_one_from_finishing(
    make: Callable[[Shelf], Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make(Async())
    op = await elsewhere.create()
    client = elsewhere.client(op)
    await (await client.hello()).send(LARGE)
    saved = 0

    def save(self: Shelf, model: Any, path: str, save: Any = Shelf._save) -> Any:
        nonlocal saved
        saved += 1
        if saved == 3:
            Journal.take(elsewhere.store.journal, op.id).close()
        return save(self, model, path)

    monkeypatch.setattr(Shelf, "_save", save)
    await client.finish(LARGE)
    assert client.error.code == "superseded"
    assert elsewhere.shelf.names() == []
    assert len(elsewhere.spooled()) == 1, "it belongs to the other one"


async def test_nobody_takes_over_while_a_file_gets_its_name(
    make: Callable[[Shelf], Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make(Async())
    elsewhere.shelf.put("a.bin", b"old")
    op = await elsewhere.create(if_exists="overwrite")
    held: list[bool] = []

    def rename(self: Shelf, old: str, new: str, rename: Any = Shelf._rename) -> None:
        (owner,) = (elsewhere.tmp_path / "root-journal").glob("*.owner")
        with owner.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
        rename(self, old, new)

    monkeypatch.setattr(Shelf, "_rename", rename)
    assert isinstance(await elsewhere.client(op).whole(LARGE), Done)
    assert held == [True, True]


@pytest.mark.parametrize("kind", [Ignorant])
async def test_what_cannot_be_kept_fails_clearly_and_leaves_nothing(
    kind: Any, make: Callable[[Shelf], Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_WHOLE_BYTES", len(LARGE) - 1)
    elsewhere = make(kind())
    elsewhere.shelf.put("a.bin", b"old")
    op = await elsewhere.create(if_exists="overwrite")
    error = await elsewhere.client(op).whole(LARGE)
    assert isinstance(error, StreamError)
    assert (error.error.code, op.state, elsewhere.spooled()) == ("unsupported", "failed", [])
    assert (elsewhere.shelf.names(), elsewhere.shelf.read("a.bin")) == (["a.bin"], b"old")
    assert (await refusal(elsewhere.create(path="b.bin"))).code is Code.UNSUPPORTED, "now that it is known"


async def test_a_cancelled_or_expired_upload_leaves_nothing(elsewhere: Elsewhere) -> None:
    for end in (elsewhere.store.cancel, None):
        op = await elsewhere.create()
        client = elsewhere.client(op)
        await (await client.hello()).send(LARGE[:1000])
        await client.stream.closed()
        assert len(elsewhere.spooled()) == 1
        if end is not None:
            await end(op)
        else:
            elsewhere.clock.advance(elsewhere.store.settings.keep_idle_s + 1)
            await elsewhere.store.sweep()
        assert (elsewhere.shelf.names(), elsewhere.spooled()) == ([], [])


async def test_a_directory_that_is_gone_at_the_end_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.shelf.put("sub", None)
    op = await elsewhere.create(path="sub/a.bin")
    client = elsewhere.client(op)
    await (await client.hello()).send(LARGE)
    del elsewhere.shelf.kept["sub"]
    await client.finish(LARGE)
    assert (client.error.code, op.state) == ("not_found", "failed")
    assert (elsewhere.shelf.names(), elsewhere.spooled()) == ([], [])


async def test_an_upload_begun_before_the_files_came_to_this_disk_is_refused(
    make: Callable[[Shelf], Elsewhere], tmp_path: Path
) -> None:
    elsewhere = make(Async())
    op = await elsewhere.create()
    client = elsewhere.client(op)
    await client.hello()
    local: Any = LargeFileManager(root_dir=str(tmp_path))
    files: Any = elsewhere.store.files
    files._serverapp.contents_manager = local
    await client.send(LARGE)
    await client.finish(LARGE)
    assert client.error.code == "conflict"
    assert not (tmp_path / "a.bin").exists()


# Downloads, which go by way of the spool


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
