"""The journal from the event loop: errors are those of the table, and never name absolute paths."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.journal import Journal, Record
from jupyter_ws_hub.transfers.ledger import Ledger
from jupyter_ws_hub.transfers.operation import Operation, Putting
from jupyter_ws_hub.transfers.threads import Threads
from tests.support.fakes import fake_journal, fake_runtime


def operation() -> Operation:
    return Operation("id1", "upload", "alice", "a.bin", 10)


def ledger_on(journal: Journal, threads: Threads) -> Ledger:
    return Ledger(journal, threads, fake_runtime())


async def refusal(work: Awaitable[object]) -> HubError:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


async def test_an_owner_learns_what_was_written_and_whoever_lost_it_writes_nothing(tmp_path: Path) -> None:
    threads = Threads(2)
    ledger, mine, theirs = ledger_on(fake_journal(tmp_path), threads), operation(), operation()
    await ledger.add(mine)
    first = await ledger.own(mine)
    mine.byte_offset = 4
    await ledger.save(mine, first)
    second = await ledger.own(theirs)
    assert theirs.byte_offset == 4
    mine.touched_s = 1.0
    for work in (ledger.save(mine, first), ledger.remove(mine, first)):
        assert (await refusal(work)).code is Code.SUPERSEDED
    assert mine.touched_s == 1.0, "what the other writes is newer"
    await ledger.remove(theirs, second)
    assert await ledger.record("id1") is None
    assert (await refusal(ledger.own(mine))).code is Code.NOT_FOUND
    first.close()
    second.close()
    assert list(fake_journal(tmp_path).blocks_path("x").parent.iterdir()) == [], "looking again leaves nothing"
    await threads.stop()


async def test_what_is_being_published_is_noted_and_only_then_brought_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, journal = Threads(2), fake_journal(tmp_path)
    ledger, op = ledger_on(journal, threads), operation()
    await ledger.add(op)
    synced: list[bool] = []
    save = journal.save

    def watched(record: Record, *, sync: bool = False) -> None:
        synced.append(sync)
        save(record, sync=sync)

    monkeypatch.setattr(journal, "save", watched)
    note = ledger.noter(op)
    await threads.run(note, (Putting(1, "sub"),))
    await threads.run(note, (Putting(1, "sub", 5, 6),))
    record = await ledger.record("id1")
    assert record is not None and record.putting == (Putting(1, "sub", 5, 6),)
    assert synced == [False, True]
    await threads.stop()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("save", lambda ledger: ledger.add(operation())),
        ("load", lambda ledger: ledger.record("id1")),
        ("others", lambda ledger: ledger.others([])),
        ("take", lambda ledger: ledger.own(operation())),
        ("remove", lambda ledger: ledger.remove(operation())),
        ("tidy", lambda ledger: ledger.tidy(0)),
    ],
)
async def test_what_the_disk_says_is_an_error_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: Callable[[Ledger], Awaitable[object]]
) -> None:
    threads, journal = Threads(1), fake_journal(tmp_path)

    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "secret"))

    monkeypatch.setattr(journal, name, fail)
    error = await refusal(call(ledger_on(journal, threads)))
    assert error.code is Code.NO_SPACE
    assert str(tmp_path) not in error.message
    await threads.stop()
