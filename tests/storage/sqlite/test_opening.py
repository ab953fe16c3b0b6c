"""A file that is no database is set aside with all that belongs to it; one that is somebody's is left alone."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.storage.base import StorageFailure
from jupyter_ws_hub.storage.sqlite.opening import SqliteFile
from tests.support.fakes import FakeClock, counting_ids

from ..contract import drafts, whole
from . import locked

GARBAGE = b"no database at all, but long enough to look like one " * 100
DAMAGED = StorageFailure(Code.UNAVAILABLE, "It is damaged.", damaged=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "hub.sqlite"


def file_at(path: Path) -> SqliteFile:
    return SqliteFile(path, FakeClock(5000.0), counting_ids("epoch"), logging.getLogger("test"))


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


@pytest.mark.parametrize("content", [GARBAGE, b"SQLite format 3\0x"])
async def test_a_file_of_something_else_is_renamed_and_a_new_one_begun(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    for number, aside in enumerate(["hub.sqlite.corrupt-5000", "hub.sqlite.corrupt-5000-2"], 1):
        put(path, content)
        storage = file_at(path).open()
        await storage.log.append("t", drafts(1, 1))
        storage.close()
        assert path.with_name(aside).read_bytes() == content
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == number
        assert str(path.with_name(aside)) in warnings[-1].getMessage()
    storage = file_at(path).open()
    assert len(await whole(storage.log, "t")) == 1
    storage.close()


def test_what_belongs_to_a_damaged_file_goes_with_it(path: Path) -> None:
    file = file_at(path)
    file.open().close()
    path.with_name("hub.sqlite-wal").write_bytes(b"its log")
    file.open(DAMAGED).close()
    assert path.with_name("hub.sqlite.corrupt-5000-wal").read_bytes() == b"its log"
    assert names(path) == ["hub.sqlite", "hub.sqlite.corrupt-5000", "hub.sqlite.corrupt-5000-wal"]


def test_a_file_that_proved_damaged_is_set_aside(path: Path) -> None:
    file = file_at(path)
    file.open().close()
    inode = path.stat().st_ino
    file.open(DAMAGED).close()
    assert path.with_name("hub.sqlite.corrupt-5000").stat().st_ino == inode
    assert path.stat().st_ino != inode


async def test_what_another_server_has_begun_instead_is_left_alone(path: Path) -> None:
    one, other = file_at(path), file_at(path)
    one.open().close()
    other.open().close()
    storage = one.open(DAMAGED)
    await storage.log.append("t", drafts(1, 3))
    second = other.open(DAMAGED)
    assert len(await whole(second.log, "t")) == 3
    for opened in (storage, second):
        opened.close()
    assert names(path) == ["hub.sqlite", "hub.sqlite.corrupt-5000"]


def test_after_another_failure_the_file_is_opened_as_it_is(path: Path) -> None:
    file = file_at(path)
    file.open().close()
    file.open(StorageFailure(Code.NO_SPACE, "It is full.")).close()
    assert names(path) == ["hub.sqlite"]


def test_what_cannot_be_opened_is_a_failure_and_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StorageFailure) as directory:
        file_at(path).open()
    assert not directory.value.damaged
    assert path.is_dir()
    with pytest.raises(StorageFailure) as inside_a_file:
        plain = path / "plain"
        plain.write_bytes(b"")
        file_at(plain / "hub.sqlite").open()
    assert inside_a_file.value.message.endswith(".")
    monkeypatch.setattr("jupyter_ws_hub.storage.sqlite.BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr("jupyter_ws_hub.storage.sqlite.engine.BUSY_TIMEOUT_S", 0.05)
    other = path / "held.sqlite"
    with locked(other), pytest.raises(StorageFailure) as held:
        file_at(other).open()
    assert not held.value.damaged


def test_the_tables_of_another_version_are_left_alone(path: Path) -> None:
    file_at(path).open().close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageFailure) as caught:
        file_at(path).open()
    assert "version" in caught.value.message
    assert names(path) == ["hub.sqlite"]
