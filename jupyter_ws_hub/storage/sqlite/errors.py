"""What SQLite's errors mean to whoever asked: wait and try again, or the file serves nobody any more."""

from __future__ import annotations

import sqlite3
from typing import Final

from ...protocol.codes import Code
from ...protocol.errors import HubError
from ..base import StorageFailure

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FAILED: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
)


def closed() -> HubError:
    """The error of whoever asks after the end."""
    return HubError(Code.UNAVAILABLE, "The hub's database is closed: the server is stopping.")


def as_hub_error(error: sqlite3.Error) -> HubError:
    """The error as it is told; a `StorageFailure` where it will not pass by itself.

    Result codes: https://www.sqlite.org/rescode.html, of which the lowest byte is the primary one.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFailure(Code.NO_SPACE, "The disk that holds the hub's database is full.")
    # Text that is none is an error of Python's module, which has no code.
    if code in _DAMAGED or "Could not decode" in str(error):
        return StorageFailure(Code.UNAVAILABLE, f"The hub's database is damaged ({error}).", damaged=True)
    if code in _FAILED:
        return StorageFailure(Code.UNAVAILABLE, f"The hub's database cannot be read or written ({error}).")
    return HubError(Code.UNAVAILABLE, f"The hub's database cannot be used now: {error}.")
