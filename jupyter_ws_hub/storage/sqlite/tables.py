"""The tables of a SQLite file, made where they are missing: also in a file that an earlier version has made.

Words can be searched by SQLite's FTS5. Where this program's SQLite has none, what it writes is not in the index, which
is marked so and made anew by the next one that has it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from .words_index import make_index

FORMAT: Final = 2
"""The `user_version` of files with these tables."""

OLDER: Final = frozenset({1})
"""Files of these versions get what they lack: 1 had no documents."""

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS topics (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, offset INTEGER NOT NULL,
    id TEXT NOT NULL, floor INTEGER NOT NULL, floor_id TEXT NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, skew_ms INTEGER NOT NULL, seq INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS topics_by_seq ON topics (seq)",
    """CREATE TABLE IF NOT EXISTS messages (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, time_ms INTEGER NOT NULL, data BLOB)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS messages_by_id ON messages (place >> 40, id)",
    """CREATE TABLE IF NOT EXISTS keyvalues (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires_s REAL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS keyvalues_by_expiry ON keyvalues (expires_s) WHERE expires_s IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS versions (last INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS collections (number INTEGER PRIMARY KEY, name TEXT UNIQUE, last INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS documents (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, version INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    data BLOB NOT NULL, text TEXT NOT NULL, found INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS documents_by_id ON documents (place >> 40, id)",
    "CREATE UNIQUE INDEX IF NOT EXISTS documents_by_found ON documents (found)",
    "CREATE TABLE IF NOT EXISTS unindexed (yes INTEGER PRIMARY KEY)",
)


def make_tables(connection: sqlite3.Connection, first_version: int, *, indexed: bool) -> None:
    """Make what is missing, all or nothing; `indexed` says whether words are to be indexed.

    Raises:
        sqlite3.DatabaseError: the file is of another version of the program, or of another program.
    """
    if not _is_complete(connection, indexed=indexed):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _make(connection, first_version, indexed=indexed)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_complete(connection: sqlite3.Connection, *, indexed: bool) -> bool:
    """Whether nothing is to be made; files that only need to be read are not locked."""
    if _format(connection) != FORMAT:
        return False
    if not indexed:
        return True
    index = "SELECT 1 FROM sqlite_master WHERE name = 'words' AND NOT EXISTS (SELECT 1 FROM unindexed)"
    return connection.execute(index).fetchone() is not None


def _make(connection: sqlite3.Connection, first_version: int, *, indexed: bool) -> None:
    format_ = _format(connection)
    tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if format_ not in OLDER | {FORMAT} and (format_ or tables):
        raise sqlite3.DatabaseError(f"its tables are of another version ({format_}) of the program")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO versions SELECT ? WHERE NOT EXISTS (SELECT 1 FROM versions)", (first_version,))
    if indexed:
        make_index(connection)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
