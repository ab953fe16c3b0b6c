"""A file of an earlier version gets the tables that it lacks and loses nothing, also by two servers at once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from jupyter_ws_hub.storage.sqlite.tables import FORMAT, make_tables

from ..contract import drafts, offsets, whole
from ..contract_documents import fill, found
from . import locked, open_storage, output_of, start

FORMAT_1: Final = """
PRAGMA journal_mode = WAL;
CREATE TABLE topics (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, offset INTEGER NOT NULL,
    id TEXT NOT NULL, floor INTEGER NOT NULL, floor_id TEXT NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, skew_ms INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX topics_by_seq ON topics (seq);
CREATE TABLE messages (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, time_ms INTEGER NOT NULL, data BLOB);
CREATE UNIQUE INDEX messages_by_id ON messages (place >> 40, id);
CREATE TABLE keyvalues (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires_s REAL) WITHOUT ROWID;
CREATE INDEX keyvalues_by_expiry ON keyvalues (expires_s) WHERE expires_s IS NOT NULL;
CREATE TABLE versions (last INTEGER NOT NULL);
INSERT INTO versions VALUES (70);
INSERT INTO topics VALUES (1, 't', 'old epoch', 1, 'm1', 0, '', 1, 2, 0, 0, 1);
INSERT INTO messages VALUES ((1 << 40) + 1, 'm1', 'kind', 0, x'7b7d');
INSERT INTO keyvalues VALUES ('key', x'00', 70, NULL);
PRAGMA user_version = 1;
"""
ADD_WORDS: Final = """
import asyncio, logging, sys
from pathlib import Path
from jupyter_ws_hub.storage.sqlite import SqliteStorage
async def main(storage):
    for n in range(50):
        await storage.documents.add("c", sys.argv[2] + str(n), n, b"", "word")
storage = SqliteStorage(Path(sys.argv[1]), lambda: 0.0, lambda: "x", logging.getLogger("x"))
asyncio.run(main(storage))
storage.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite"


@pytest.fixture
def old(path: Path) -> Path:
    """A file as version 1 has made it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_1)
    return path


def format_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def test_a_file_of_the_first_version_keeps_all_and_takes_documents(old: Path) -> None:
    storage = open_storage(old)
    assert (await storage.log.head("t")).epoch == "old epoch"
    assert offsets(await storage.log.append("t", drafts(1, 2))) == [1, 2]
    assert await storage.values.put("key", b"1", expect=70) > 70
    await fill(storage.documents, "c", "word")
    assert await found(storage.documents, "word") == ["d1"]
    storage.close()
    assert format_of(old) == FORMAT


async def test_servers_that_open_an_old_file_at_once_both_do(old: Path) -> None:
    with locked(old) as release:
        programs = [start(ADD_WORDS, old, name) for name in "ab"]
        await asyncio.sleep(0.5)  # for both to stand at the lock; it does no harm if one does not yet
        release()
    assert [await asyncio.to_thread(program.wait, 15) for program in programs] == [0, 0]
    for program in programs:
        program.communicate()
    storage = open_storage(old)
    assert len(await found(storage.documents, "word")) == 99 + 0 * len(await whole(storage.log, "t"))
    assert (await storage.documents.ends(["c"])) == {"c": 100}
    storage.close()


def test_a_file_that_has_all_is_opened_without_writing(path: Path) -> None:
    open_storage(path).close()
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = 1")
        make_tables(connection, 1, indexed=True)
    assert path.read_bytes() == before


def test_what_cannot_be_finished_is_not_begun(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE documents_by_id (somebody_elses)")
        with pytest.raises(sqlite3.DatabaseError):
            make_tables(connection, 1, indexed=True)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("documents_by_id",)]


def test_an_older_program_s_file_is_still_read_by_a_process(old: Path) -> None:
    assert output_of(ADD_WORDS, old, "x") == []
    assert format_of(old) == FORMAT
