"""An error of SQLite passes by itself or not, and says which."""

from __future__ import annotations

import sqlite3

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.storage.base import StorageFailure
from jupyter_ws_hub.storage.sqlite.errors import as_hub_error, closed


def error_with(code: int, message: str = "what SQLite says") -> sqlite3.Error:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "told", "damaged"),
    [
        *((sqlite3.SQLITE_FULL, Code.NO_SPACE, False), (sqlite3.SQLITE_CORRUPT, Code.UNAVAILABLE, True)),
        *((sqlite3.SQLITE_CORRUPT_INDEX, Code.UNAVAILABLE, True), (sqlite3.SQLITE_NOTADB, Code.UNAVAILABLE, True)),
        *((sqlite3.SQLITE_IOERR_WRITE, Code.UNAVAILABLE, False), (sqlite3.SQLITE_READONLY, Code.UNAVAILABLE, False)),
        (sqlite3.SQLITE_CANTOPEN, Code.UNAVAILABLE, False),
    ],
)
def test_what_does_not_pass_is_a_failure(code: int, told: Code, damaged: bool) -> None:
    error = as_hub_error(error_with(code))
    assert isinstance(error, StorageFailure)
    assert (error.code, error.damaged) == (told, damaged)
    assert error.message.endswith(".")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_LOCKED, 1])
def test_what_passes_is_none(code: int) -> None:
    error = as_hub_error(error_with(code))
    assert not isinstance(error, StorageFailure)
    assert error.code is Code.UNAVAILABLE


def test_a_real_error_carries_its_code() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.Error) as full:
        connection.execute("INSERT INTO t VALUES (ZEROBLOB(100000))")
    assert as_hub_error(full.value).code is Code.NO_SPACE
    with pytest.raises(sqlite3.Error) as no_text:
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()
    told = as_hub_error(no_text.value)
    assert isinstance(told, StorageFailure) and told.damaged
    with pytest.raises(sqlite3.Error) as wrong:
        connection.execute("SELECT nothing")
    assert not isinstance(as_hub_error(wrong.value), StorageFailure)
    connection.close()


def test_a_closed_database_says_so() -> None:
    assert closed().code is Code.UNAVAILABLE
