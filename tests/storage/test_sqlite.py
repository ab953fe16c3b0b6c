"""The storage in a SQLite file keeps the contract, also shared, reopened, killed, locked and on a full disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.storage.base import LogRetention, Storage
from jupyter_ws_hub.storage.memory import MemoryStorage
from tests.support.fakes import FakeClock, counting_ids

from .contract import NOTHING, TopicLogContract, draft, drafts, offsets, whole
from .contract_documents import DocumentsContract
from .contract_values import KeyValueContract
from .sqlite import APPEND, PRELUDE, WAIT_S, open_storage, output_of, output_on_tiny_disk, start

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOBODY: Final = 65534
"""A user without rights: root may write everywhere, whatever the file modes say."""

LIMITED_FILE_SIZE: Final = (
    PRELUDE
    + """
async def main(storage):
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    written = 0
    try:
        while written < 1000:
            await storage.log.append("t", [Draft(str(written), "k", 0, bytes(10_000))])
            written += 1
    except HubError as error:
        print(error.code.retryable)
    print(len(await storage.log.read("t", 0, 1000)) == written > 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print((await storage.log.append("t", [Draft("more", "k", 0, b"")]))[0].offset == written + 1)
run(main)
"""
)
FULL_DISK: Final = (
    PRELUDE
    + """
async def fails(work):
    try:
        await work
    except HubError as error:
        return error.code.wire_name
async def main(storage):
    filler = path.with_name("filler")
    filler.write_bytes(bytes(200_000))
    written, failure = 0, None
    while written < 1000 and failure is None:
        failure = await fails(storage.log.append("t", [Draft(f"m{written}", "k", 0, bytes(10_000))]))
        written += failure is None
    print(failure, await fails(storage.values.put("a", bytes(100_000))))
    print([record.offset for record in await storage.log.read("t", 0, 1000)] == list(range(1, written + 1)) != [])
    print((await storage.log.head("t")).offset == written, await storage.values.get("a"))
    filler.unlink()
    print((await storage.log.append("t", [Draft("after", "k", 0, b"")]))[0].offset == written + 1)
run(main)
"""
)
OPEN_AS_NOBODY: Final = (
    PRELUDE
    + """
import sqlite3
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_storage().close()
    print("opened")
except (sqlite3.Error, OSError) as error:
    print("refused")
"""
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "hub.sqlite"


@pytest.fixture(params=[True, False], ids=["wal", "rollback journal"])
def storage(request: pytest.FixtureRequest, path: Path, clock: FakeClock) -> Iterator[Storage]:
    opened = open_storage(path, clock, wal=request.param)
    yield opened
    opened.close()


class TestSqliteLog(TopicLogContract):
    """TopicLog in a file."""


class TestSqliteValues(KeyValueContract):
    """KeyValue in a file."""


class TestSqliteDocuments(DocumentsContract):
    """Documents in a file."""


SMALL = st.integers(0, 12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(SMALL.map(lambda n: draft(f"m{n}", bytes(n), time_ms=n * 1000)))),
        st.tuples(st.just("trim"), st.builds(LogRetention, SMALL, SMALL.map(lambda n: n * 5), SMALL), st.just(12_000)),
        st.tuples(st.just("read"), SMALL, SMALL.map(lambda n: n + 1)),
        st.tuples(st.just("read_back"), st.none() | SMALL, SMALL.map(lambda n: n + 1)),
        st.tuples(st.just("id_at"), SMALL),
        st.tuples(st.just("head")),
        st.tuples(st.just("topics")),
        st.tuples(st.just("compact"), st.lists(SMALL), st.just("epoch")),
    ),
    max_size=20,
)


@settings(UNHURRIED, max_examples=40)
@given(STEPS)
def test_file_and_memory_answer_any_sequence_alike(steps: list[tuple[Any, ...]]) -> None:
    async def answers(storage: Storage) -> list[Any]:
        return [await getattr(storage.log, name)(*["t"][: name != "topics"], *more) for name, *more in steps]

    with tempfile.TemporaryDirectory() as name:
        storage = open_storage(Path(name, "hub.sqlite"), new_id=lambda: "epoch")
        try:
            in_file = asyncio.run(answers(storage))
        finally:
            storage.close()
    assert in_file == asyncio.run(answers(MemoryStorage(FakeClock(), lambda: "epoch")))


async def test_everything_is_there_after_reopening(path: Path, clock: FakeClock) -> None:
    first = open_storage(path, clock)
    records = await first.log.append("t", drafts(1, 5))
    await first.log.append("empty", drafts(1, 2))
    await first.log.trim("empty", NOTHING, 10**15)
    heads = [await first.log.head(topic) for topic in ("t", "empty", "never used")]
    version = await first.values.put("a", b"1", ttl_s=10)
    gone = await first.values.put("b", b"2")
    await first.values.delete("b")
    first.close()
    second = open_storage(path, clock, new_id=lambda: "another")
    try:
        assert await whole(second.log, "t") == records
        assert [await second.log.head(topic) for topic in ("t", "empty", "never used")] == heads
        assert offsets(await second.log.append("t", drafts(5, 6))) == [5, 6]
        assert await second.values.put("b", b"3") > gone
        kept = await second.values.get("a")
        assert kept is not None
        assert (kept.value, kept.version) == (b"1", version)
        clock.advance(10)
        assert await second.values.get("a") is None
    finally:
        second.close()


async def test_a_new_file_has_new_epochs(tmp_path: Path) -> None:
    new_id = counting_ids()
    epochs = set()
    for name in ("one", "two"):
        storage = open_storage(tmp_path / name, new_id=new_id)
        epochs.add((await storage.log.head("t")).epoch)
        storage.close()
    assert len(epochs) == 2


async def test_servers_that_share_a_file_give_contiguous_offsets(path: Path) -> None:
    one, other = open_storage(path), open_storage(path)
    with start(APPEND, path, "process", "200") as process:
        assert process.stdout is not None
        process.stdout.readline()
        appends = [s.log.append("t", [draft(f"{s is one}{n}")]) for n in range(200) for s in (one, other)]
        await asyncio.gather(*appends)
        await asyncio.to_thread(process.communicate, timeout=WAIT_S)
    records = await whole(one.log, "t")
    assert offsets(records) == list(range(1, 601))
    assert await one.log.head("t") == await other.log.head("t")
    assert records == await whole(other.log, "t")
    for opened in (one, other):
        opened.close()


async def test_a_killed_process_leaves_a_log_without_holes(path: Path) -> None:
    with start(APPEND, path, "process", "1000000") as process:
        assert process.stdout is not None
        for _ in range(200):
            process.stdout.readline()
        process.kill()
        told = [int(line) for line in process.stdout.read().split("\n")[:-1]]
    storage = open_storage(path)
    kept = offsets(await whole(storage.log, "t"))
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= max([200, *told]), "a message that was acknowledged is gone"
    head = await storage.log.head("t")
    assert (head.offset, head.id) == (len(kept), f"process{len(kept) - 1}")
    assert offsets(await storage.log.append("t", [draft("next")])) == [len(kept) + 1]
    storage.close()


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to look like one " * 100, b"SQLite format 3\0x"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(sqlite3.Error):
        open_storage(path)
    assert path.read_bytes() == content


def test_a_directory_in_the_file_s_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises((sqlite3.Error, OSError)):
        open_storage(path)


@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "answer"),
    [(0o700, None, "opened"), (0o700, 0o600, "opened"), (0o500, None, "refused"), (0o700, 0o400, "refused")],
)
def test_what_may_not_be_written_is_refused(directory_mode: int, file_mode: int | None, answer: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "hub.sqlite")
        if file_mode is not None:
            open_storage(file).close()
            file.chmod(file_mode)
        if os.geteuid() == 0:
            for owned in (file.parent, *file.parent.iterdir()):
                os.chown(owned, NOBODY, NOBODY)
        file.parent.chmod(directory_mode)
        assert output_of(OPEN_AS_NOBODY, file, "x") == [answer]
        file.parent.chmod(0o700)


def test_a_full_disk_takes_no_message_and_still_gives_all(tmp_path: Path) -> None:
    output = output_on_tiny_disk(FULL_DISK, tmp_path / "hub.sqlite")
    assert output == ["no_space no_space", "True", "True None", "True"]


def test_a_limit_on_the_file_s_size_takes_no_message_and_still_gives_all(path: Path) -> None:
    retryable, readable, goes_on = output_of(LIMITED_FILE_SIZE, path, "x")
    assert (retryable, readable, goes_on) == ("True", "True", "True")


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    before = os.umask(0)
    try:
        storage = open_storage(path)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
        storage.close()
    finally:
        os.umask(before)
    assert modes.pop("deep") == 0o700
    assert set(modes) == {"hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(("wal", "mode"), [(True, "wal"), (False, "truncate")])
async def test_the_journal_is_the_one_asked_for(path: Path, wal: bool, mode: str) -> None:
    open_storage(path, wal=not wal).close()
    storage = open_storage(path, wal=wal)
    await storage.log.append("t", drafts(1, 1))
    assert storage.journal_mode == mode
    assert path.with_name("hub.sqlite-wal").exists() == wal
    storage.close()
