"""The index of the words of documents in a SQLite file, and looking for words where there is none.

The index is FTS5's (https://www.sqlite.org/fts5.html). It is given texts as words.py folds them, so that it has only to
split them at spaces and finds what every other storage finds. It keeps no texts, so it has to be told of each change in
the same transaction, with the text that it knew.

In the index a document is a number (`found` in the table `documents`): how many were added before it to any collection,
and its collection's number. What was added last has the highest one and is found first; and whether a document is in
one of some collections is seen without looking at it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

from ..words import Wanted, spaced, words_of

_TABLE: Final = """CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    text, content='', columnsize=0, prefix='1 2 3', tokenize='ascii')"""
_PUT: Final = "INSERT INTO words (rowid, text) VALUES (?, ?)"
_REMOVE: Final = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
COLLECTION_BITS: Final = 20
MAX_COLLECTION: Final = (1 << COLLECTION_BITS) - 1
_PAGE: Final = (
    "SELECT documents.* FROM (SELECT rowid AS number FROM words WHERE words MATCH ? AND rowid & {mask} IN ({numbers}) "
    "ORDER BY rowid DESC LIMIT ? OFFSET ?) CROSS JOIN documents ON found = number ORDER BY found DESC"
)
_ALL: Final = "SELECT * FROM documents WHERE text <> '' AND found & {mask} IN ({numbers}) ORDER BY found DESC"


def _of(query: str, numbers: Iterable[int]) -> str:
    """A query for documents of these collections."""
    return query.format(mask=MAX_COLLECTION, numbers=", ".join(map(str, numbers)))


def next_found(connection: sqlite3.Connection, collection: int) -> int:
    """The number, in the index, of a document that is to be added to a collection."""
    last = connection.execute("SELECT IFNULL(MAX(found), 0) FROM documents").fetchone()[0]
    return ((int(last) >> COLLECTION_BITS) + 1) << COLLECTION_BITS | collection


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
        WordsIndex().put(connection, connection.execute("SELECT found, text FROM documents ORDER BY found"))
        connection.execute("DELETE FROM unindexed")


class WordsIndex:
    """The index of one file."""

    def put(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Documents of these numbers, which have no words in the index, are to have these."""
        connection.executemany(_PUT, ((found, spaced(text)) for found, text in texts if text))

    def remove(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Documents of these numbers, which have exactly these texts, are to have no words."""
        connection.executemany(_REMOVE, ((found, spaced(text)) for found, text in texts if text))

    def search(
        self, connection: sqlite3.Connection, words: Sequence[str], collections: Iterable[int], limit: int, skip: int
    ) -> list[Any]:
        """Rows of documents in which the words stand, which are askable; what was added last first."""
        # Folded words have nothing in them that means something to the index.
        strings = (" ".join(words_of(word)) for word in words)
        asked = " ".join(f'"{string}"' for string in strings) + " *"
        return connection.execute(_of(_PAGE, collections), (asked, limit, skip)).fetchall()


class NoIndex:
    """A file whose words this program's SQLite cannot index: all texts are looked through."""

    def put(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """See WordsIndex. The index, of a server that has one, is marked: it is made anew."""
        connection.execute("INSERT OR IGNORE INTO unindexed VALUES (1)")

    def remove(self, connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """See WordsIndex, and above."""
        connection.execute("INSERT OR IGNORE INTO unindexed VALUES (1)")

    def search(
        self, connection: sqlite3.Connection, words: Sequence[str], collections: Iterable[int], limit: int, skip: int
    ) -> list[Any]:
        """See WordsIndex."""
        wanted = Wanted(words)
        with closing(connection.execute(_of(_ALL, collections))) as rows:
            return list(islice((row for row in rows if wanted.stand_in(spaced(row[5]))), skip, skip + limit))
