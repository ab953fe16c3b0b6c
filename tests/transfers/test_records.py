"""Operations to records and back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import Done
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation, Publishing, Putting, State, UploadPlan
from jupyter_ws_hub.transfers.records import adopt, apply, record_of
from tests.support.fakes import fake_journal

NOT_KEPT = {"stream", "lock", "told_s"}


def full() -> Operation:
    operation = Operation("id1", "upload", "alice", "a/b.bin", 10, UploadPlan("rename", "absent", 1.5, "tree", 3))
    operation.kind, operation.name, operation.created_s, operation.touched_s = "tree", "b.bin", 1.0, 2.0
    operation.etag, operation.entries, operation.settled, operation.failed = "e", 3, 2, 1
    operation.putting, operation.publishing = (Putting(2, "sub", 5, 6),), Publishing(5, 6, "aa")
    operation.begun = 3
    operation.held, operation.byte_offset, operation.durable, operation.boot = True, 7, 5, "boot"
    operation.error = HubError(Code.NO_SPACE, "full", details={"needed": 1})
    operation.done, operation.target, operation.partial, operation.mode = Done("p", 1, "r", "e"), "/t", "/p", 0o644
    operation.state = "paused"
    return operation


def values(operation: Operation) -> dict[str, object]:
    kept = {name: value for name, value in vars(operation).items() if name not in NOT_KEPT}
    return {**kept, "error": operation.error and operation.error.info}


def test_all_that_an_operation_knows_is_kept_also_when_it_is_kept_again(tmp_path: Path) -> None:
    journal = fake_journal(tmp_path)
    operation = full()
    unset = {name for name, value in values(operation).items() if value in (None, 0, "", ())}
    assert unset == {"download"}, "the test must set all fields"
    once = adopt(record_of(operation, journal))
    assert values(once) == values(operation)
    assert values(adopt(record_of(once, journal))) == values(operation)
    journal.save(record_of(operation, journal))
    assert journal.load("id1") == record_of(operation, journal)


def test_a_download_stays_one(tmp_path: Path) -> None:
    operation = Operation("id1", "download", "alice", "a", 10, download=DownloadPlan("file", "e", "sha256"))
    kept = adopt(record_of(operation, fake_journal(tmp_path)))
    assert (kept.direction, kept.download, kept.digest) == ("download", operation.download, "sha256")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *[("waiting", "waiting"), ("running", "paused"), ("committing", "paused"), ("paused", "paused")],
        *[("done", "done"), ("failed", "failed"), ("cancelled", "cancelled")],
    ],
)
def test_what_nobody_moves_here_is_paused(tmp_path: Path, before: State, after: State) -> None:
    operation = full()
    operation.state = before
    record = record_of(operation, fake_journal(tmp_path))
    assert adopt(record).state == after
    other = Operation("id1", "upload", "alice", "?", 1)
    apply(record, other)
    assert (other.state, other.path) == (after, "a/b.bin")


def test_an_error_of_a_later_version_is_an_internal_one(tmp_path: Path) -> None:
    record = record_of(full(), fake_journal(tmp_path))
    assert record.error is not None
    later = msgspec.structs.replace(record, error=msgspec.structs.replace(record.error, code="of_tomorrow"))
    error = adopt(later).error
    assert error is not None and (error.code, error.message) == (Code.INTERNAL, "full")
