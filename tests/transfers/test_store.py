"""The store of operations: made, listed, owned by one stream at a time, cancelled, forgotten.

Here are also the fakes of the transfer tests: a wire and a local file system, with hooks.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation, UploadPlan
from jupyter_ws_hub.transfers.remote import RemoteFiles
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.fakes import FakeClock, fake_journal, fake_peer, fake_runtime
from tests.support.wire import FakeWire, nothing

__all__ = ["FakeWire"]  # for the other tests of transfers


@dataclass
class FakeFiles:
    """LocalFiles on a directory. `hook` is awaited with the name of each call before it does anything."""

    root: Path
    hook: Callable[[str, str], Awaitable[None]] = nothing
    events: list[str] = field(default_factory=list)
    warning: str | None = None
    remote: RemoteFiles | None = None
    released: list[str] = field(default_factory=list)

    def _place(self, path: str) -> Path:
        parts = path.strip("/").split("/")
        if ".." in parts or any(part.startswith(".") for part in parts):
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        return self.root.joinpath(*parts)

    def names(self) -> list[str]:
        """What is in the root."""
        return sorted(os.listdir(self.root))

    def read(self, path: str) -> bytes:
        """A file's content."""
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Put a file there, as somebody else would."""
        (self.root / path).write_bytes(data)

    async def source(self, path: str) -> Path:
        """See LocalFiles."""
        await self.hook("source", path)
        return self._place(path)

    async def release(self, path: str) -> None:
        """See LocalFiles."""
        self.released.append(path)

    async def directory(self, path: str) -> Path:
        """See LocalFiles."""
        await self.hook("directory", path)
        place = self._place(path) if path else self.root
        if place.is_file():
            raise HubError(Code.INVALID, f"{path!r} is a file.")
        if not place.is_dir():
            raise HubError(Code.NOT_FOUND, f"There is no directory {path!r}.")
        return place

    def allows(self, name: str) -> bool:
        """See LocalFiles."""
        return not name.startswith(".")

    async def target(self, path: str) -> Path:
        """See LocalFiles."""
        await self.hook("target", path)
        return self._free(path)

    def _free(self, path: str) -> Path:
        place = self._place(path)
        if not place.parent.is_dir():
            raise HubError(Code.NOT_FOUND, f"There is no directory for {path!r}.")
        if place.is_dir():
            raise HubError(Code.INVALID, f"{path!r} is a directory.")
        return place

    def api_path(self, target: Path) -> str:
        """See LocalFiles."""
        return target.relative_to(self.root).as_posix()

    async def before_save(self, path: str, size: int) -> None:
        """See LocalFiles."""
        await self.hook("before_save", path)

    async def after_save(self, path: str, target: Path) -> str | None:
        """See LocalFiles."""
        await self.hook("after_save", path)
        self.events.append(path)
        return self.warning


@dataclass
class FakeStream:
    """A stream that notes why it had to give up."""

    errors: list[HubError] = field(default_factory=list)
    touched: int = 0

    async def give_up(self, error: HubError) -> None:
        """See Stream."""
        self.errors.append(error)

    async def touch(self) -> None:
        """See Stream."""
        self.touched += 1


Make = Callable[..., TransferStore]


@pytest.fixture
def files(tmp_path: Path) -> FakeFiles:
    """A file system with nothing in it."""
    root = tmp_path / "root"
    root.mkdir()
    return FakeFiles(root)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told."""
    return FakeClock()


@pytest.fixture
def make_store(files: FakeFiles, clock: FakeClock, jp_asyncio_loop: Any) -> Iterator[Make]:
    """Make stores with settings; they are stopped after the test."""
    stores: list[TransferStore] = []

    def make(**settings: Any) -> TransferStore:
        settings = {"progress_interval_s": 0.0, **settings}
        stores.append(TransferStore(files, fake_runtime(clock), TransferSettings(**settings), fake_journal(files.root)))
        return stores[-1]

    yield make
    for store in stores:
        jp_asyncio_loop.run_until_complete(store.stop())


@pytest.fixture
def store(make_store: Make) -> TransferStore:
    """A store with the usual limits, that tells of every change."""
    return make_store()


ALICE, BOB = fake_peer("alice"), fake_peer("bob")
ANY = UploadPlan("overwrite")


async def listed(store: TransferStore, principal: str) -> list[Operation]:
    """A principal's operations."""
    return [operation async for operation in store.each(principal)]


async def refusal(work: Awaitable[Any]) -> HubError:
    """The error that `work` raises."""
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


async def test_operations_belong_to_their_principal(store: TransferStore) -> None:
    op = await store.create_upload(ALICE, "a", 1, ANY)
    assert await listed(store, "alice") == [op]
    assert await listed(store, "bob") == []
    assert await store.find(op.id, "alice") is op
    foreign, unknown = await refusal(store.find(op.id, "bob")), await refusal(store.find("unknown", "bob"))
    assert foreign.code is unknown.code is Code.NOT_FOUND
    assert foreign.message == unknown.message


async def test_what_cannot_become_an_upload_is_refused_at_once(files: FakeFiles, make_store: Make) -> None:
    store = make_store(max_upload_bytes=10)
    (files.root / "there").write_text("old")
    (files.root / "folder").mkdir()
    for path, size, plan, code in [
        ("a", -1, ANY, Code.INVALID),
        ("a", 11, ANY, Code.TOO_BIG),
        ("../a", 1, ANY, Code.NOT_FOUND),
        (".a", 1, ANY, Code.NOT_FOUND),
        ("missing/a", 1, ANY, Code.NOT_FOUND),
        ("folder", 1, ANY, Code.INVALID),
        ("there", 1, UploadPlan("fail"), Code.EXISTS),
    ]:
        assert (await refusal(store.create_upload(ALICE, path, size, plan))).code is code, path
    assert await listed(store, "alice") == []
    assert (files.root / "there").read_text() == "old"
    assert (await store.create_upload(ALICE, "a", 10, ANY)).state == "waiting"


async def test_a_pre_save_hook_may_refuse_an_upload(files: FakeFiles, store: TransferStore) -> None:
    async def refuse(call: str, path: str) -> None:
        if call == "before_save":
            raise HubError(Code.FORBIDDEN, "no such files here")

    files.hook = refuse
    assert (await refusal(store.create_upload(ALICE, "a", 1, ANY))).code is Code.FORBIDDEN
    assert await listed(store, "alice") == []


async def test_a_download_of_what_is_no_file_is_refused(files: FakeFiles, store: TransferStore) -> None:
    os.mkfifo(files.root / "fifo")
    (files.root / "folder").mkdir()
    for path, code in [("missing", Code.NOT_FOUND), ("fifo", Code.INVALID), ("folder", Code.INVALID)]:
        error = await refusal(store.create_download(ALICE, path, DownloadPlan()))
        assert error.code is code, path
        assert str(files.root) not in error.message


async def test_too_many_operations_are_refused_until_one_ends(make_store: Make) -> None:
    store = make_store(max_operations=2)
    ops = [await store.create_upload(ALICE, name, 1, ANY) for name in "ab"]
    error = await refusal(store.create_upload(ALICE, "c", 1, ANY))
    assert error.code is Code.BUSY
    assert error.code.retryable
    assert await store.create_upload(BOB, "c", 1, ANY)
    await store.cancel(ops[0])
    assert await store.create_upload(ALICE, "c", 1, ANY)


async def test_too_many_streams_are_refused_until_one_ends(make_store: Make) -> None:
    store = make_store(max_active=1)
    first, second = [await store.create_upload(ALICE, name, 1, ANY) for name in "ab"]
    foreign = await store.create_upload(BOB, "c", 1, ANY)
    stream = FakeStream()
    await store.claim(first, stream)
    error = await refusal(store.claim(second, FakeStream()))
    assert (error.code, error.retry_after_ms, second.stream) == (Code.BUSY, 1000, None)
    await store.claim(foreign, FakeStream())
    await store.claim(first, FakeStream())
    await store.released(first, stream)
    assert (await refusal(store.claim(second, FakeStream()))).code is Code.BUSY, "it was replaced, not ended"


async def test_the_last_stream_owns_the_operation(store: TransferStore) -> None:
    op = await store.create_upload(ALICE, "a", 1, ANY)
    first, second = FakeStream(), FakeStream()
    await store.claim(op, first)
    await store.claim(op, first)
    assert first.errors == []
    await store.claim(op, second)
    assert [error.code for error in first.errors] == [Code.SUPERSEDED]
    assert op.stream is second


async def test_cancel_ends_the_stream_once_and_what_has_ended_stays(store: TransferStore) -> None:
    op = await store.create_upload(ALICE, "a", 1, ANY)
    stream = FakeStream()
    await store.claim(op, stream)
    await store.cancel(op)
    await store.cancel(op)
    assert [error.code for error in stream.errors] == [Code.CANCELLED]
    assert op.state == "cancelled"
    op.state = "done"
    await store.cancel(op)
    assert op.state == "done"


async def test_what_is_being_published_cannot_be_cancelled(store: TransferStore) -> None:
    op = await store.create_upload(ALICE, "a", 1, ANY)
    op.stream = FakeStream()
    op.state = "committing"
    assert (await refusal(store.cancel(op))).code is Code.CONFLICT
    assert op.state == "committing"


async def test_progress_is_told_but_not_too_often(make_store: Make, clock: FakeClock) -> None:
    store = make_store(progress_interval_s=0.2)
    told: list[tuple[str, int]] = []

    async def tell(op: Operation) -> None:
        told.append((op.state, op.byte_offset))

    store.on_change = tell
    op = await store.create_upload(ALICE, "a", 100, ANY)
    for op.byte_offset in range(1, 100):
        clock.advance(0.01)
        await store.changed(op)
    assert told[0] == ("waiting", 0)
    assert 4 <= len(told) - 1 <= 5
    await store.changed(op, force=True)
    assert told[-1] == ("waiting", 99)


async def test_only_a_transfer_that_moves_counts_as_activity(make_store: Make, files: FakeFiles) -> None:
    active: list[str] = []
    runtime = replace(fake_runtime(), active=lambda: active.append("active"))
    store = TransferStore(files, runtime, TransferSettings(progress_interval_s=0), fake_journal(files.root))
    op = await store.create_upload(ALICE, "a", 1, ANY)
    assert (active, store.running()) == ([], 0)
    op.state = "running"
    await store.claim(op, FakeStream())
    await store.changed(op)
    assert (active, store.running()) == (["active"], 1)
    await store.stop()


async def test_ended_operations_are_forgotten_and_idle_ones_end(make_store: Make, clock: FakeClock) -> None:
    store = make_store(keep_ended_s=600, keep_idle_s=3600)
    forgotten: list[str] = []

    async def forget(op: Operation) -> None:
        forgotten.append(op.path)

    store.on_forget = forget
    ended, idle, busy = [await store.create_upload(ALICE, name, 1, ANY) for name in ("ended", "idle", "busy")]
    await store.cancel(ended)
    await store.claim(busy, FakeStream())
    clock.advance(601)
    await store.sweep()
    assert forgotten == ["ended"]
    assert {*await listed(store, "alice")} == {idle, busy}
    clock.advance(3000)
    await store.sweep()
    assert idle.state == "failed"
    assert idle.error is not None
    assert busy.state == "waiting"


async def test_stop_ends_the_streams_and_keeps_what_has_arrived(
    files: FakeFiles, store: TransferStore, make_store: Make
) -> None:
    op = await store.create_upload(ALICE, "a", 1, ANY)
    stream = FakeStream()
    await store.claim(op, stream)
    await store.stop()
    assert [error.code for error in stream.errors] == [Code.SHUTTING_DOWN]
    found = await make_store().find(op.id, "alice")
    assert (found.path, found.size, found.plan, found.state) == ("a", 1, ANY, "waiting")


async def test_what_somebody_goes_on_with_does_not_expire_on_another_server(make_store: Make, clock: FakeClock) -> None:
    here, there = make_store(keep_idle_s=3600, touch_interval_s=300), make_store(keep_idle_s=3600)
    op = await here.create_upload(ALICE, "a", 1, ANY)
    stream = FakeStream()
    await here.claim(op, stream)
    (seen,) = [op async for op in there.news()]
    for _ in range(30):
        clock.advance(200)
        await here.sweep()
        if stream.touched:
            stream.touched = 0
            ownership = await here.own(op)
            await here.save(op, ownership)
            ownership.close()
        await there.sweep()
    assert (op.state, seen.state) == ("waiting", "waiting")
    clock.advance(3601)
    await there.sweep()
    assert seen.state == "failed"
