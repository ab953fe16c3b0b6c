"""The index of the words of documents in a SQLite file, and looking for words where there is none.

The index is FTS5's (https://www.sqlite.org/fts5.html). It is given texts as words.py folds them, so that it has only to
split them at spaces and finds what every other storage finds. It keeps no texts, so it has to be told of each change in
the same transaction, with the text that it knew. Places are those of the table `documents`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from ..words import Wanted, spaced, words_of

_TABLE: Final = """CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    text, content='', columnsize=0, prefix='1 2 3', tokenize='ascii')"""
_PUT: Final = "INSERT INTO words (rowid, text) VALUES (?, ?)"
_REMOVE: Final = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
_FOUND: Final = (
    "SELECT documents.* FROM words CROSS JOIN documents ON place = words.rowid "
    "WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? ORDER BY words.rowid DESC"
)
_ALL: Final = "SELECT * FROM documents WHERE place BETWEEN ? AND ? AND text <> '' ORDER BY place DESC"


def can_index() -> bool:
    """Whether this program's SQLite can index words."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(_TABLE)
        except sqlite3.OperationalError:
            return False
    return True


def make_index(connection: sqlite3.Connection) -> None:
    """Make the index if it is missing; anew where it lacks something, which takes seconds for 100,000 documents."""
    connection.execute(_TABLE)
    if connection.execute("SELECT 1 FROM unindexed").fetchone():
        connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
        WordsIndex().put(connection, connection.execute("SELECT place, text FROM documents ORDER BY place"))
        connection.execute("DELETE FROM unindexed")


class WordsIndex:
    """The index of one file."""

    def put(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Documents at these places, which have no words in the index, are to have these."""
        connection.executemany(_PUT, ((place, spaced(text)) for place, text in texts if text))

    def remove(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Documents at these places, which have exactly these texts, are to have no words."""
        connection.executemany(_REMOVE, ((place, spaced(text)) for place, text in texts if text))

    def search(self, connection: sqlite3.Connection, words: Sequence[str], first: int, last: int) -> Iterator[Any]:
        """Rows of documents in which the words stand, which are askable, the last place first."""
        # Folded words have nothing in them that means something to the index.
        strings = (" ".join(words_of(word)) for word in words)
        return connection.execute(_FOUND, (" ".join(f'"{string}"' for string in strings) + " *", first, last))


class NoIndex:
    """A file whose words this program's SQLite cannot index: all texts are looked through."""

    def put(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """See WordsIndex. The index, of a server that has one, is marked: it is made anew."""
        connection.execute("INSERT OR IGNORE INTO unindexed VALUES (1)")

    def remove(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """See WordsIndex, and above."""
        connection.execute("INSERT OR IGNORE INTO unindexed VALUES (1)")

    def search(self, connection: sqlite3.Connection, words: Sequence[str], first: int, last: int) -> Iterator[Any]:
        """See WordsIndex."""
        wanted = Wanted(words)
        return (row for row in connection.execute(_ALL, (first, last)) if wanted.stand_in(spaced(row[5])))
