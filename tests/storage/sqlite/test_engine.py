"""The writer refuses what it cannot take, says so at once, and loses nothing that it took."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.base import Draft
from jupyter_ws_hub.storage.sqlite import engine

from ..contract import draft, drafts, offsets, whole
from . import WAIT_S, locked, open_storage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite"


async def test_what_is_queued_at_the_end_is_committed(path: Path) -> None:
    storage = open_storage(path)
    tasks = [asyncio.ensure_future(storage.log.append("t", [draft(f"m{n}")])) for n in range(1000)]
    await asyncio.sleep(0)
    storage.close()
    storage.close()
    async with asyncio.timeout(WAIT_S):
        assert [offsets(records) for records in await asyncio.gather(*tasks)] == [[n] for n in range(1, 1001)]
    again = open_storage(path)
    assert len(await whole(again.log, "t")) == 1000
    again.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jupyter-ws-hub-sqlite")]


async def test_a_cancelled_append_disturbs_nobody(path: Path) -> None:
    storage = open_storage(path)
    tasks = [asyncio.ensure_future(storage.log.append("t", [draft(f"m{n}")])) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, list) for result in results[1::2])
    kept = offsets(await whole(storage.log, "t"))
    assert kept == list(range(1, len(kept) + 1))
    storage.close()


async def test_what_is_queued_to_be_read_is_read_at_the_end_but_what_nobody_waits_for(path: Path) -> None:
    storage, gate, begun = open_storage(path), threading.Event(), list[int]()

    def work(connection: sqlite3.Connection, number: int) -> int:
        gate.wait(WAIT_S)
        begun.append(number)
        if number == 3:
            raise ValueError("a bug of the work")
        return number

    tasks = [asyncio.ensure_future(storage.values._reader.run(partial(work, number=n))) for n in range(6)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    gate.set()
    storage.close()
    async with asyncio.timeout(WAIT_S):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert begun == [0, 2, 3, 4, 5]
    assert [result if isinstance(result, int) else type(result) for result in results] == [
        *(0, asyncio.CancelledError, 2),
        *(ValueError, 4, 5),
    ]


@pytest.mark.parametrize("ask", ["append", "head", "read", "get", "put", "add", "search"])
async def test_a_closed_storage_refuses_and_does_not_hang(path: Path, ask: str) -> None:
    storage = open_storage(path)
    storage.close()
    calls: dict[str, Callable[[], Any]] = {
        "append": lambda: storage.log.append("t", drafts(1, 1)),
        "head": lambda: storage.log.head("t"),
        "read": lambda: storage.log.read("t", 0, 1),
        "get": lambda: storage.values.get("a"),
        "put": lambda: storage.values.put("a", b""),
        "add": lambda: storage.documents.add("c", "d", 0, b"", ""),
        "search": lambda: storage.documents.search(["a"], ["c"], 1),
    }
    with pytest.raises(HubError) as caught:
        async with asyncio.timeout(1):
            await calls[ask]()
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_message_that_cannot_be_stored_does_not_stop_the_others(path: Path) -> None:
    storage = open_storage(path)
    bad = asyncio.ensure_future(storage.log.append("t", [draft("good"), Draft("bad", "k", 2**63, b"")]))
    try:
        async with asyncio.timeout(2):
            others = await asyncio.gather(*(storage.log.append("t", [draft(f"m{n}")]) for n in range(3)))
            assert [offsets(records) for records in others] == [[1], [2], [3]]
            with pytest.raises((HubError, OverflowError)):
                await bad
    finally:
        bad.cancel()
        storage.close()


async def test_more_than_can_be_queued_is_refused_as_busy(path: Path) -> None:
    storage = open_storage(path)
    await storage.log.head("t")
    number = engine.QUEUE_SIZE + engine.GROUP_SIZE + 50
    with locked(path) as release:
        tasks = [asyncio.ensure_future(storage.log.append("t", [draft(f"m{n}")])) for n in range(number)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        release()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [result for result in results if isinstance(result, HubError)]
    assert len(refused) >= 50
    assert {error.code for error in refused} == {Code.BUSY} and refused[0].retry_after_ms
    assert len(await whole(storage.log, "t")) == number - len(refused)
    storage.close()


@pytest.mark.parametrize(("wal", "reading"), [(True, False), (False, False), (False, True)])
async def test_a_file_that_another_program_holds_is_unavailable_for_writing_only(
    path: Path, monkeypatch: pytest.MonkeyPatch, wal: bool, reading: bool
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    storage = open_storage(path, wal=wal)
    await storage.log.append("t", drafts(1, 1))
    with locked(path, reading=reading):
        with pytest.raises(HubError) as caught:
            await storage.log.append("t", drafts(2, 2))
        assert caught.value.code is Code.UNAVAILABLE
        assert offsets(await whole(storage.log, "t")) == [1]
    assert offsets(await storage.log.append("t", drafts(3, 3))) == [2]
    storage.close()


@pytest.mark.parametrize("wal", [True, False])
def test_a_new_file_that_another_server_is_writing_is_waited_for(path: Path, wal: bool) -> None:
    with locked(path) as release:
        timer = threading.Timer(0.2, release)
        timer.start()
        try:
            open_storage(path, wal=wal).close()
        finally:
            timer.join()
