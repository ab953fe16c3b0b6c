"""The storage goes on in memory when its file fails, tells so, loses nothing that it can keep, and comes back."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.base import Draft, Spare, Storage, StorageFailure
from jupyter_ws_hub.storage.failover import FailoverStorage
from jupyter_ws_hub.storage.memory import MemoryStorage
from jupyter_ws_hub.storage.moving import PAGE, PROBE_BYTES, Move
from jupyter_ws_hub.storage.sqlite import SqliteStorage
from jupyter_ws_hub.storage.sqlite.opening import SqliteFile
from tests.support.fakes import FakeClock, counting_ids, until

from .contract import TopicLogContract, draft, drafts, offsets, whole
from .contract_documents import DocumentsContract, fill, found
from .contract_values import KeyValueContract
from .sqlite import PRELUDE, WAIT_S, locked, output_on_tiny_disk

NEVER_S: Final = 3600.0
SOON_S: Final = 0.01
BIG: Final = bytes(20_000)

FULL_DISK: Final = (
    PRELUDE
    + """
from jupyter_ws_hub.storage.failover import FailoverStorage
from jupyter_ws_hub.storage.memory import MemoryStorage
from jupyter_ws_hub.storage.moving import PAGE, Move
from jupyter_ws_hub.storage.sqlite.opening import SqliteFile
async def main(storage):
    told = []
    storage.on_switched(lambda: told.append(storage.degraded))
    path.with_name("filler").write_bytes(bytes(450_000))
    for number in range(12):
        await storage.log.append("t", [Draft(f"m{number}", "k", 0, bytes(10_000))])
    print(len(told), "full" in told[0])
    await asyncio.sleep(0.3)
    print(len(told), "full" in storage.degraded)
    path.with_name("filler").unlink()
    while storage.degraded:
        await asyncio.sleep(0.01)
    print(len(told), [r.id for r in await storage.log.read("t", 0, 99)] == [f"m{number}" for number in range(12)])
logger = logging.getLogger("test")
logger.disabled = True
new_id = lambda: os.urandom(8).hex()
file = SqliteFile(path, lambda: 0.0, new_id, logger)
def open_storage():
    return FailoverStorage(file.open, lambda: MemoryStorage(lambda: 0.0, new_id), logger, retry_s=0.05)
run(main)
"""
)


class Bench:
    """A failover storage over a real file; the test decides when the file may be opened again."""

    def __init__(self, path: Path, clock: FakeClock, retry_s: float) -> None:
        """Open it."""
        self.path = path
        self.clock = clock
        self.new_id = counting_ids("epoch")
        self.file = SqliteFile(path, clock, self.new_id, logging.getLogger("test"))
        self.may_open = threading.Event()
        self.may_open.set()
        self.told = 0
        spare: Callable[[], Spare] = lambda: MemoryStorage(clock, self.new_id)  # noqa: E731
        self.storage = FailoverStorage(self._reopen, spare, logging.getLogger("test"), retry_s)
        self.storage.on_switched(self._tell)

    def _reopen(self, failure: StorageFailure | None) -> Storage:
        if not self.may_open.is_set():
            raise StorageFailure(Code.NO_SPACE, "Still full.")
        return self.file.open(failure)

    def _tell(self) -> None:
        self.told += 1

    @property
    def in_file(self) -> SqliteStorage:
        """The storage of the file, while it is used."""
        current = self.storage.current
        assert isinstance(current, SqliteStorage)
        return current

    async def fill_up(self) -> None:
        """Let the file take no more: SQLite itself then says that it is full."""
        await self.in_file._writer.submit(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())

    def spoil(self) -> None:
        """Overwrite the middle of the file with what is no database, and empty its write-ahead log."""
        with self.path.open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))
        with suppress(FileNotFoundError):
            with self.path.with_name(f"{self.path.name}-wal").open("r+b") as file:
                file.truncate(0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def retry_s() -> float:
    return NEVER_S


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock, retry_s: float) -> Iterator[Bench]:
    made = Bench(tmp_path / "hub.sqlite", clock, retry_s)
    yield made
    made.storage.close()


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "file":
        yield bench.storage
        return
    bench.may_open.clear()
    spare: Callable[[], Spare] = lambda: MemoryStorage(bench.clock, bench.new_id)  # noqa: E731
    opened = FailoverStorage(bench._reopen, spare, logging.getLogger("test"), NEVER_S)
    yield opened
    opened.close()


class TestFailoverLog(TopicLogContract):
    """TopicLog over a file and over memory."""


class TestFailoverValues(KeyValueContract):
    """KeyValue over a file and over memory."""


class TestFailoverDocuments(DocumentsContract):
    """Documents over a file and over memory."""


soon = pytest.mark.parametrize("retry_s", [SOON_S])


async def test_what_a_full_file_does_not_take_memory_takes(bench: Bench) -> None:
    storage = bench.storage
    await storage.log.append("t", drafts(1, 3))
    before = await storage.log.head("t")
    versions = {key: await storage.values.put(key, key.encode(), ttl_s=50) for key in ("a", "b")}
    assert storage.degraded is None
    await bench.fill_up()
    records = await storage.log.append("t", [Draft("big", "k", 0, BIG)])
    assert offsets(records) == [1]
    assert bench.told == 1
    assert storage.degraded is not None
    assert "full" in storage.degraded and "memory" in storage.degraded
    head = await storage.log.head("t")
    assert head.epoch != before.epoch
    assert (head.offset, head.id) == (1, "big")
    # Values are taken along, with their versions and times.
    assert await storage.values.put("a", b"2", expect=versions["a"]) > max(versions.values())
    bench.clock.advance(50)
    assert list(await storage.values.scan("")) == ["a"]


def test_a_disk_that_is_really_full_and_has_room_again(tmp_path: Path) -> None:
    assert output_on_tiny_disk(FULL_DISK, tmp_path / "hub.sqlite") == ["1 True", "1 True", "2 True"]


async def test_all_that_is_under_way_goes_on_and_the_listener_is_told_once(bench: Bench) -> None:
    await bench.storage.log.append("t", drafts(1, 3))
    await bench.fill_up()
    appends = (bench.storage.log.append("t", [Draft(f"big{n}", "k", 0, BIG)]) for n in range(600))
    puts = (bench.storage.values.put(f"key{n}", BIG) for n in range(300))
    done: list[Any] = await asyncio.gather(*appends, *puts)
    assert sorted(records[0].offset for records in done[:600]) == list(range(1, 601))
    assert len(await bench.storage.values.scan("key")) == len(set(done[600:])) == 300
    assert bench.told == 1


@soon
async def test_what_memory_gathered_is_in_the_file_when_that_takes_writes_again(bench: Bench) -> None:
    storage = bench.storage
    await storage.log.append("t", drafts(1, 3))
    epoch = (await storage.log.head("t")).epoch
    versions = {key: await storage.values.put(key, b"1") for key in ("kept", "changed", "deleted")}
    bench.may_open.clear()
    await bench.fill_up()
    await storage.log.append("t", [Draft("big", "k", 5, BIG), draft("m2")])
    await storage.log.append("new", drafts(1, 1200))
    versions["changed"] = await storage.values.put("changed", b"2", expect=versions["changed"])
    versions["new"] = await storage.values.put("new", b"3", ttl_s=10)
    await storage.values.delete("deleted", expect=versions["deleted"])
    assert bench.told == 1
    bench.may_open.set()
    await until(lambda: storage.degraded is None, WAIT_S)
    assert bench.told == 2
    assert bench.in_file
    head = await storage.log.head("t")
    assert (head.epoch, head.offset, head.id) == (epoch, 4, "big")
    assert [record.id for record in await whole(storage.log, "t")] == ["m1", "m2", "m3", "big"]
    assert len(await whole(storage.log, "new")) == 1200
    found = await storage.values.scan("")
    assert {key: item.version for key, item in found.items()} == {
        key: version for key, version in versions.items() if key != "deleted"
    }
    assert await storage.values.put("another", b"") > max(versions.values())
    bench.clock.advance(10)
    assert sorted(await storage.values.scan("")) == ["another", "changed", "kept"]


@soon
async def test_documents_that_memory_gathered_are_found_in_the_file_later(bench: Bench) -> None:
    documents = bench.storage.documents
    await fill(documents, "c", "one", "two")
    bench.may_open.clear()
    await bench.fill_up()
    adds = (documents.add("c", f"big{n}", n, BIG, f"big {'word ' * 2000}") for n in range(3))
    assert sorted([document.seq for document, _ in await asyncio.gather(*adds)]) == [1, 2, 3]
    assert bench.storage.degraded is not None
    await documents.change("c", "big1", b"", "changed", expect=1)
    assert await found(documents, "one") == []
    bench.may_open.set()
    await until(lambda: bench.storage.degraded is None, WAIT_S)
    assert bench.in_file
    assert [await found(documents, word) for word in ("one", "chang", "big")] == [["d1"], ["big1"], ["big2", "big0"]]
    assert await documents.ends(["c"]) == {"c": 5}


@soon
async def test_what_comes_during_the_way_back_is_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, told, one_by_one = bench.storage, list[str](), asyncio.Lock()

    async def say(count: int) -> None:
        for _ in range(count):
            async with one_by_one:
                told.append((await storage.log.append("t", [draft(f"late{len(told)}")]))[0].id)

    async def publish() -> None:
        while storage.degraded is not None or len(told) < 300:
            await say(20)
            await asyncio.sleep(0.002)  # without, hundreds of thousands come first, as many as the machine likes

    async def most_and_more(self: Move) -> None:
        await most(self)
        await say(2 * PAGE)

    most = Move.most
    monkeypatch.setattr(Move, "most", most_and_more)
    bench.may_open.clear()
    await bench.fill_up()
    await storage.log.append("t", [Draft(f"early{n}", "k", 0, BIG) for n in range(200)])
    bench.may_open.set()
    await asyncio.wait_for(publish(), 30)
    records = await whole(storage.log, "t")
    assert [record.id for record in records if record.id.startswith("late")] == told
    assert len(told) > 2 * PAGE and offsets(records) == list(range(1, 201 + len(told)))
    assert bench.in_file and bench.told == 2


@soon
async def test_a_file_that_is_full_again_is_left_again(bench: Bench) -> None:
    for number in range(1, 4):
        bench.may_open.clear()
        await bench.fill_up()
        # More than the pages that the last try to write has left free.
        await bench.storage.log.append("t", [Draft(f"big{number}", "k", 0, bytes(8 * PROBE_BYTES))])
        bench.may_open.set()
        await until(lambda: bench.storage.degraded is None, WAIT_S)
        assert bench.told == 2 * number
    assert [record.id for record in await whole(bench.storage.log, "t")] == ["big1", "big2", "big3"]


async def test_a_file_whose_middle_is_garbage_is_left(bench: Bench) -> None:
    storage = bench.storage
    await storage.log.append("t", [Draft(f"m{n}", "k", 0, BIG) for n in range(300)])
    epoch = (await storage.log.head("t")).epoch
    await storage.upkeep()
    bench.spoil()
    async with asyncio.timeout(20):
        while storage.degraded is None:
            await storage.log.append("t", [draft(f"after{bench.new_id()}")])
            await storage.log.read("t", 0, 1000)
    assert bench.told == 1
    assert "damaged" in storage.degraded
    head = await storage.log.head("t")
    assert head.epoch != epoch
    assert offsets(await storage.log.append("t", [draft("next")])) == [head.offset + 1]


@soon
async def test_a_damaged_file_is_set_aside_and_a_new_one_takes_what_memory_has(bench: Bench) -> None:
    storage = bench.storage
    await storage.log.append("t", [Draft(f"m{n}", "k", 0, BIG) for n in range(300)])
    epoch = (await storage.log.head("t")).epoch
    await storage.upkeep()
    bench.may_open.clear()
    bench.spoil()
    number = 0
    async with asyncio.timeout(20):
        while storage.degraded is None:
            number += 1
            await storage.log.append("t", [draft(f"after{number}")])
            await storage.log.read("t", 0, 1000)
    last = (await storage.log.head("t")).id
    bench.may_open.set()
    await until(lambda: storage.degraded is None, WAIT_S)
    assert (await storage.log.head("t")).epoch != epoch
    assert (await whole(storage.log, "t"))[-1].id == last
    aside = [file.name for file in bench.path.parent.iterdir() if ".corrupt-" in file.name]
    assert any(name == f"hub.sqlite.corrupt-{int(bench.clock())}" for name in aside)
    assert bench.told == 2


@soon
async def test_a_file_that_was_removed_is_noticed_and_made_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.storage.sqlite.LOOK_S", 0.0)
    await bench.storage.log.append("t", drafts(1, 3))
    for file in bench.path.parent.iterdir():
        file.unlink()
    await bench.storage.log.append("t", [draft("kept")])
    assert bench.told >= 1
    await until(lambda: bench.storage.degraded is None, WAIT_S)
    assert bench.path.exists()
    assert [record.id for record in await whole(bench.storage.log, "t")] == ["kept"]


async def test_a_locked_file_is_no_reason_to_switch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.storage.log.append("t", drafts(1, 1))
    await bench.in_file._writer.submit(lambda c: c.execute("PRAGMA busy_timeout=50").fetchall())
    with locked(bench.path), pytest.raises(HubError) as caught:
        await bench.storage.log.append("t", drafts(2, 2))
    assert caught.value.code is Code.UNAVAILABLE
    assert not isinstance(caught.value, StorageFailure)
    assert (bench.storage.degraded, bench.told) == (None, 0)
    assert offsets(await bench.storage.log.append("t", drafts(2, 2))) == [2]


async def test_a_file_that_cannot_be_opened_at_the_start_is_used_later(tmp_path: Path, clock: FakeClock) -> None:
    bench = Bench(tmp_path / "hub.sqlite", clock, SOON_S)
    bench.storage.close()
    bench.may_open.clear()
    spare: Callable[[], Spare] = lambda: MemoryStorage(clock, bench.new_id)  # noqa: E731
    storage = FailoverStorage(bench._reopen, spare, logging.getLogger("test"), SOON_S)
    assert storage.degraded is not None
    await storage.log.append("t", drafts(1, 2))
    bench.may_open.set()
    await until(lambda: storage.degraded is None, WAIT_S)
    assert offsets(await whole(storage.log, "t")) == [1, 2]
    storage.close()


@soon
async def test_other_servers_are_heard_after_the_way_back(bench: Bench) -> None:
    heard: list[str] = []
    bench.storage.log.on_foreign(heard.append)
    await bench.fill_up()
    await bench.storage.values.put("a", BIG)
    await until(lambda: bench.storage.degraded is None and bench.told == 2, WAIT_S)
    other = SqliteFile(bench.path, bench.clock, bench.new_id, logging.getLogger("other")).open()
    await other.log.append("of other", drafts(1, 1))
    await until(lambda: heard == ["of other"], WAIT_S)
    other.close()


async def test_a_listener_that_fails_keeps_nobody_from_going_on(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no luck today")

    bench.storage.on_switched(fail)
    bench.storage.on_switched(bench._tell)
    await bench.fill_up()
    await bench.storage.log.append("t", [Draft("big", "k", 0, BIG)])
    assert bench.told == 2
    assert "no luck today" in caplog.text


async def test_it_ends_while_it_tries_to_come_back(bench: Bench) -> None:
    writer = bench.in_file._writer
    await bench.fill_up()
    await bench.storage.log.append("t", [Draft("big", "k", 0, BIG)])
    task = bench.storage._return
    assert task is not None
    await asyncio.to_thread(bench.storage.close)
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert not writer.is_alive()
