"""The documents in a SQLite file.

A document's place in the file is its collection's number and its place in the collection in one integer, so that a
collection's documents lie side by side. A collection that is dropped loses its name first;
its documents go by and by.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from typing import Any, Final

from ...protocol.codes import Code
from ...protocol.errors import HubError
from ..base import Document, Gathered, Hit, VersionConflict, check_log_arguments
from ..words import askable, snippet
from .engine import Reader, Writer
from .words_index import MAX_COLLECTION, NoIndex, WordsIndex, next_found

SLICE: Final = 100
"""At most so many documents of a dropped collection go in one piece of the writer's work: a few milliseconds."""

SLICE_CHARACTERS: Final = 50_000
"""Fewer, where they have more text than this."""

_BITS: Final = 40
_MAX: Final = (1 << _BITS) - 1
_PAGE: Final = (
    "SELECT documents.* FROM collections CROSS JOIN documents "
    f"WHERE name = ? AND place > (number << {_BITS}) + ? AND place < (number << {_BITS}) + ? ORDER BY place"
)
_KNOWN: Final = f"SELECT * FROM documents WHERE place >> {_BITS} = ? AND id = ?"
_OLDEST: Final = "SELECT place, found, text FROM documents WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?"


def _number(connection: sqlite3.Connection, collection: str) -> int | None:
    row = connection.execute("SELECT number FROM collections WHERE name = ?", (collection,)).fetchone()
    return None if row is None else int(row[0])


def _document(collection: str, row: Sequence[Any]) -> Document:
    """A row of `documents`."""
    place, id_, version, time_ms, data, _, _ = row
    return Document(collection, id_, place & _MAX, version, time_ms, data)


def _known(connection: sqlite3.Connection, collection: str, id: str) -> Any:
    number = _number(connection, collection)
    return None if number is None else connection.execute(_KNOWN, (number, id)).fetchone()


class SqliteDocuments:
    """Documents in a SQLite file."""

    def __init__(self, writer: Writer, reader: Reader, searcher: Reader, index: WordsIndex | NoIndex) -> None:
        """Share the threads with SqliteLog; searches have one of their own."""
        self._writer = writer
        self._reader = reader
        self._searcher = searcher
        self._index = index

    async def add(self, collection: str, id: str, time_ms: int, data: bytes, text: str) -> tuple[Document, bool]:
        """See Documents."""

        def work(connection: sqlite3.Connection) -> tuple[Document, bool]:
            known = _known(connection, collection, id)
            if known is not None:
                return _document(collection, known), False
            return self._add(connection, Document(collection, id, 0, 1, time_ms, data), text), True

        return await self._writer.submit(work)

    def _add(self, connection: sqlite3.Connection, new: Document, text: str) -> Document:
        """Add a document that its collection does not have; its place is given anew."""
        connection.execute("INSERT OR IGNORE INTO collections VALUES (NULL, ?, 0)", (new.collection,))
        connection.execute("UPDATE collections SET last = last + 1 WHERE name = ?", (new.collection,))
        query = "SELECT number, last FROM collections WHERE name = ?"
        number, seq = connection.execute(query, (new.collection,)).fetchone()
        if number > MAX_COLLECTION:
            raise HubError(Code.NO_SPACE, f"The hub's database has room for {MAX_COLLECTION} collections.")
        found = next_found(connection, number)
        row = (number << _BITS | seq, new.id, new.version, new.time_ms, new.data, text, found)
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self._index.put(connection, [(found, text)])
        return _document(new.collection, row)

    async def change(self, collection: str, id: str, data: bytes, text: str, *, expect: int) -> Document:
        """See Documents."""

        def work(connection: sqlite3.Connection) -> Document:
            known = _known(connection, collection, id)
            version = 0 if known is None else int(known[2])
            if known is None or version != expect:
                raise VersionConflict(f"{collection}/{id}", version)
            return self._change(connection, collection, known, version + 1, data, text)

        return await self._writer.submit(work)

    def _change(
        self, connection: sqlite3.Connection, collection: str, known: Any, version: int, data: bytes, text: str
    ) -> Document:
        place, id_, _, time_ms, _, old_text, found = known
        if text != old_text:
            self._index.remove(connection, [(found, old_text)])
        update = "UPDATE documents SET version = ?, data = ?, text = ? WHERE place = ?"
        connection.execute(update, (version, data, text, place))
        if text != old_text:
            self._index.put(connection, [(found, text)])
        return _document(collection, (place, id_, version, time_ms, data, text, found))

    async def get(self, collection: str, id: str) -> Document | None:
        """See Documents."""
        known = await self._reader.run(lambda connection: _known(connection, collection, id))
        return None if known is None else _document(collection, known)

    async def page_back(self, collection: str, before: int | None, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(0, limit)
        below = _MAX if before is None else min(max(before, 0), _MAX)
        return (await self._page(f"{_PAGE} DESC LIMIT ?", collection, 0, below, limit))[::-1]

    async def page(self, collection: str, after: int, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(after, limit)
        return await self._page(f"{_PAGE} LIMIT ?", collection, min(after, _MAX), _MAX, limit)

    async def _page(self, query: str, collection: str, *bounds: int) -> list[Document]:
        return await self._reader.rows_as(lambda *row: _document(collection, row), query, collection, *bounds)

    async def ends(self, collections: Collection[str]) -> dict[str, int]:
        """See Documents."""
        names = list(collections)

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            query = "SELECT last FROM collections WHERE name = ?"
            rows = ((name, connection.execute(query, (name,)).fetchone()) for name in names)
            return {name: int(row[0]) if row else 0 for name, row in rows}

        return await self._reader.run(work)

    async def search(self, words: Sequence[str], collections: Collection[str], limit: int, skip: int = 0) -> list[Hit]:
        """See Documents."""
        check_log_arguments(skip, limit)
        asked, names = askable(words), list(collections)
        if not asked:
            return []

        def work(connection: sqlite3.Connection) -> list[Hit]:
            numbers = {number: name for name in names if (number := _number(connection, name)) is not None}
            rows = self._index.search(connection, asked, numbers, limit, skip)
            return [Hit(_document(numbers[row[0] >> _BITS], row), snippet(asked, row[5])) for row in rows]

        return await self._searcher.run(work)

    async def drop(self, collection: str) -> int:
        """See Documents."""

        def work(connection: sqlite3.Connection) -> tuple[int, int] | None:
            query = "SELECT number, last FROM collections WHERE name = ?"
            row: tuple[int, int] | None = connection.execute(query, (collection,)).fetchone()
            if row is not None:
                connection.execute("UPDATE collections SET name = NULL WHERE number = ?", (row[0],))
            return row

        found = await self._writer.submit(work)
        if found is None:
            return 0
        await self._clear(found[0])
        return found[1]

    async def _clear(self, number: int) -> None:
        """Remove what a collection without a name has left, slice by slice."""
        while await self._writer.submit(partial(self._clear_slice, number=number)):
            pass

    def _clear_slice(self, connection: sqlite3.Connection, number: int) -> bool:
        """Whether there may be more. Another server may have been faster, and the number be another one's now."""
        query = "SELECT 1 FROM collections WHERE number = ? AND name IS NULL"
        if connection.execute(query, (number,)).fetchone() is None:
            return False
        first = number << _BITS
        oldest = self._slice(connection.execute(_OLDEST, (first, first | _MAX, SLICE)))
        if not oldest:
            connection.execute("DELETE FROM collections WHERE number = ?", (number,))
            return False
        self._index.remove(connection, [row[1:] for row in oldest])
        connection.execute("DELETE FROM documents WHERE place BETWEEN ? AND ?", (first, oldest[-1][0]))
        return True

    def _slice(self, rows: sqlite3.Cursor) -> list[tuple[int, int, str]]:
        """Places, numbers and texts of so many documents as go at once."""
        found: list[tuple[int, int, str]] = []
        characters = 0
        with closing(rows):
            for row in rows:
                found.append(row)
                characters += len(row[2])
                if characters > SLICE_CHARACTERS:
                    break
        return found

    async def sweep(self) -> None:
        """Remove what a server that died has left of collections that it dropped."""
        for number in await self._reader.rows_as(int, "SELECT number FROM collections WHERE name IS NULL"):
            await self._clear(number)

    async def collections(self) -> list[str]:
        """See Documents."""
        return sorted(await self._reader.rows_as(str, "SELECT name FROM collections WHERE name IS NOT NULL"))

    async def load(self, gathered: Sequence[Gathered]) -> None:
        """See Documents."""
        for dropped, items in groupby(gathered, key=lambda one: one.document is None):
            if dropped:
                for one in items:
                    await self.drop(one.collection)
            else:
                await self._writer.submit(partial(self._load, gathered=list(items)))

    def _load(self, connection: sqlite3.Connection, gathered: Sequence[Gathered]) -> None:
        for one in gathered:
            given, name = one.document, one.collection
            assert given is not None
            known = _known(connection, name, given.id)
            if known is None:
                self._add(connection, given, one.text)
            elif known[2] <= given.version and (known[4], known[5]) != (given.data, one.text):
                self._change(connection, name, known, max(given.version, known[2] + 1), given.data, one.text)
