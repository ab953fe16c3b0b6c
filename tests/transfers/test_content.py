"""A download's bytes over plain HTTP, on a fake connection: parts, progress, and everything that breaks them off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.budget import MIN_TURN_BYTES
from jupyter_ws_hub.transfers.content import READ_BYTES, ContentStream
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until
from tests.support.fakes import fake_peer, turns

from .test_download import open_files
from .test_store import FakeFiles, Make, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures

SIZE = 3 * READ_BYTES + 10


@dataclass
class FakeBody:
    """A connection that takes bytes while its gate is open."""

    data: bytearray = field(default_factory=bytearray)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    writing: int = 0
    aborted: bool = False
    gone: bool = False

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """See Body."""
        while piece := await asyncio.to_thread(fill):
            self.writing += 1
            await self.gate.wait()
            if self.aborted or self.gone:
                return False
            self.data += piece
        return not (self.aborted or self.gone)

    def abort(self) -> None:
        """See Body: whoever writes is told."""
        self.aborted = True
        self.gate.set()


@pytest.fixture
def op(store: TransferStore, files: FakeFiles, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Operation:
    files.write("a.bin", os.urandom(SIZE))
    return jp_asyncio_loop.run_until_complete(store.create_download(fake_peer(), "a.bin", DownloadPlan()))


@dataclass
class Part:
    """One answer, from `begin` to `end`."""

    store: TransferStore
    op: Operation
    begin: int = 0
    end: int = SIZE
    body: FakeBody = field(default_factory=FakeBody)
    whole: bool | None = None

    def __post_init__(self) -> None:
        self.content = ContentStream(self.op, self.store, fake_peer(), self.body)

    async def run(self) -> Part:
        """As the handler does it."""
        try:
            await self.content.open(self.begin)
            self.whole = await self.content.send(self.end)
        finally:
            await self.content.close()
        return self

    async def flow(self) -> Part:
        """The same, with nothing in the way."""
        self.body.gate.set()
        return await self.run()


async def test_parts_make_the_whole(store: TransferStore, files: FakeFiles, op: Operation) -> None:
    found, cuts = b"", [0, 1, READ_BYTES, READ_BYTES + 1, SIZE - 1, SIZE]
    for begin, end in pairwise(cuts):
        part = await Part(store, op, begin, end).flow()
        assert (part.whole, part.body.aborted) == (True, False)
        found += part.body.data
        assert op.state == ("done" if end == SIZE else "paused")
        assert op.byte_offset == end
    assert found == files.read("a.bin")
    assert open_files() == 0


async def test_what_is_done_can_be_had_again(store: TransferStore, files: FakeFiles, op: Operation) -> None:
    for _ in range(2):
        part = await Part(store, op).flow()
        assert bytes(part.body.data) == files.read("a.bin")
        assert op.state == "done"


@pytest.mark.parametrize("tells", [True, False])
async def test_who_leaves_as_soon_as_they_have_the_last_byte_has_it_all(
    store: TransferStore, op: Operation, tells: bool
) -> None:
    class Hasty(FakeBody):
        async def send_from(self, fill: Callable[[], memoryview]) -> bool:
            while len(self.data) < SIZE:
                self.data += fill()
            if not tells:  # the thread that writes has asked once more, and found the connection closed
                assert not fill()
            part.content.leave()
            return tells

    part = Part(store, op, body=Hasty())
    await part.run()
    assert (part.whole, op.state, op.byte_offset) == (True, "done", SIZE)


@pytest.mark.parametrize("how", ["paused", "cancelled", "superseded", "left", "gone", "changed"])
async def test_what_breaks_off_is_cut_and_settled_at_once(
    store: TransferStore, files: FakeFiles, op: Operation, how: str
) -> None:
    part = Part(store, op)
    running = asyncio.create_task(part.run())
    await until(lambda: part.body.writing, "a write that hangs")
    async with asyncio.timeout(3):
        if how == "paused":
            await store.pause(op)
        elif how == "cancelled":
            await store.cancel(op)
        elif how == "superseded":
            assert (await Part(store, op, 0, 5).flow()).whole
        elif how == "left":
            part.content.leave()
            part.body.gone = True
            part.body.gate.set()
        elif how == "gone":
            part.body.gone = True
            part.body.gate.set()
        else:
            os.truncate(files.root / "a.bin", 5)
            part.body.gate.set()
        await running
    assert (part.whole, part.body.aborted) == (False, True)
    assert len(part.body.data) < SIZE
    assert op.stream is None
    assert op.state == {"cancelled": "cancelled", "changed": "failed"}.get(how, "paused")
    assert open_files() == 0


async def test_a_change_at_the_very_end_is_no_success(store: TransferStore, files: FakeFiles, op: Operation) -> None:
    part = Part(store, op)
    running = asyncio.create_task(part.run())
    await until(lambda: part.body.writing, "the first bytes")
    os.utime(files.root / "a.bin", (1, 1))
    part.body.gate.set()
    await running
    assert (part.whole, part.body.aborted, op.state) == (False, True, "failed")


async def test_what_changed_before_gives_no_byte(store: TransferStore, files: FakeFiles, op: Operation) -> None:
    files.write("a.bin", b"another")
    part = Part(store, op)
    with pytest.raises(HubError) as caught:
        await part.flow()
    assert (caught.value.code, op.state, bytes(part.body.data)) == (Code.SOURCE_CHANGED, "failed", b"")


@pytest.mark.parametrize("how", ["paused", "cancelled", "left"])
async def test_a_limited_rate_holds_up_no_end(make_store: Make, files: FakeFiles, how: str) -> None:
    store = make_store(bytes_per_s=MIN_TURN_BYTES / 60)
    files.write("a.bin", os.urandom(SIZE))
    op = await store.create_download(fake_peer(), "a.bin", DownloadPlan())
    part = Part(store, op)
    running = asyncio.create_task(part.flow())
    await until(lambda: op.byte_offset > 0, "the first turn")
    await turns()
    assert len(part.body.data) == MIN_TURN_BYTES, "no more than the rate gives"
    async with asyncio.timeout(3):
        if how == "paused":
            await store.pause(op)
        elif how == "cancelled":
            await store.cancel(op)
        else:
            part.content.leave()
        await running
    assert (part.whole, part.body.aborted, op.stream) == (False, True, None)
    assert op.state == ("cancelled" if how == "cancelled" else "paused")
    assert len(part.body.data) == MIN_TURN_BYTES
    assert open_files() == 0


async def test_at_a_rate_all_of_it_comes_in_turns(make_store: Make, files: FakeFiles) -> None:
    store = make_store(bytes_per_s=10_000_000)
    files.write("a.bin", os.urandom(2 * SIZE))
    op = await store.create_download(fake_peer(), "a.bin", DownloadPlan())
    part = await Part(store, op, end=2 * SIZE).flow()
    assert (part.whole, op.state) == (True, "done")
    assert bytes(part.body.data) == files.read("a.bin")
