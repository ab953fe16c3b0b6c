"""Upkeep removes what has expired and gives space back, while others write and read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_ws_hub.storage.base import Draft, StorageFailure
from jupyter_ws_hub.storage.sqlite import SqliteStorage
from tests.support.fakes import FakeClock

from ..contract import FOREVER, NOTHING, draft, offsets, whole
from . import locked, open_storage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite"


def size(path: Path) -> int:
    return path.stat().st_size


def spoil(path: Path) -> None:
    path.write_bytes(b"\xa5" * 20_000)


def wal_size(path: Path) -> int:
    wal = path.with_name(f"{path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


async def rows(storage: SqliteStorage, table: str) -> int:
    return int((await storage._reader.rows(f"SELECT COUNT(*) FROM {table}"))[0][0])


async def test_expired_values_leave_the_file_in_slices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.storage.sqlite.upkeep.PURGE_SLICE", 7)
    clock = FakeClock()
    storage = open_storage(path, clock)
    await asyncio.gather(*(storage.values.put(f"{n}", b"", ttl_s=n) for n in range(1, 41)))
    await storage.values.put("for ever", b"")
    clock.advance(35)
    await storage.upkeep()
    assert await rows(storage, "keyvalues") == 6
    await storage.upkeep()
    assert len(await storage.values.scan("")) == 6
    storage.close()


@pytest.mark.parametrize("wal", [True, False])
async def test_the_file_shrinks_when_messages_go(path: Path, wal: bool) -> None:
    storage = open_storage(path, wal=wal)
    await storage.log.append("t", [Draft(f"m{n}", "k", 0, bytes(4000)) for n in range(1000)])
    await storage.values.put("a", b"1")
    await storage.upkeep()
    full = size(path)
    assert full > 4_000_000
    assert wal_size(path) == 0
    await storage.log.trim("t", NOTHING, 10**15)
    await storage.upkeep()
    assert size(path) < full / 10
    assert wal_size(path) == 0
    assert await storage.values.get("a") is not None
    assert offsets(await storage.log.append("t", [draft("next")])) == [1001]
    storage.close()


async def test_a_compacted_message_takes_no_space(path: Path) -> None:
    storage = open_storage(path)
    await storage.log.append("t", [Draft(f"m{n}", "k", 0, bytes(4000)) for n in range(1000)])
    await storage.upkeep()
    full = size(path)
    await storage.log.compact("t", range(1, 1001), (await storage.log.head("t")).epoch)
    await storage.upkeep()
    assert size(path) < full / 10
    storage.close()


async def test_appends_go_on_during_upkeep(path: Path) -> None:
    storage = open_storage(path)
    await storage.log.append("big", [Draft(f"m{n}", "k", 0, bytes(4000)) for n in range(4000)])
    await storage.log.trim("big", NOTHING, 10**15)
    upkeep = asyncio.create_task(storage.upkeep())
    number = 0
    while not upkeep.done():
        number += 1
        await storage.log.append("t", [draft(f"m{number}")])
    await upkeep
    assert number > 10
    assert offsets(await whole(storage.log, "t")) == list(range(1, number + 1))
    storage.close()


async def test_a_log_that_is_being_read_is_emptied_another_time(path: Path) -> None:
    storage = open_storage(path)
    await storage.log.append("t", [draft("m1")])
    with locked(path, reading=True):
        await storage.log.append("t", [Draft("m2", "k", 0, bytes(100_000))])
        await storage.upkeep()
        assert wal_size(path) > 0
    await storage.upkeep()
    assert wal_size(path) == 0
    assert await storage.log.trim("t", FOREVER, 0) == 0
    storage.close()


async def test_a_file_that_is_none_any_more_is_a_failure(path: Path) -> None:
    storage = open_storage(path)
    await storage.log.append("t", [draft("m1")])
    await storage.upkeep()
    spoil(path)
    with pytest.raises(StorageFailure) as caught:
        await storage.upkeep()
    assert caught.value.damaged
    storage.close()
