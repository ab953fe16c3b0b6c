"""Documents in this process's memory."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

import msgspec

from .base import Document, Hit, VersionConflict, check_log_arguments

SNIPPET_CHARACTERS: Final = 160


def folded(text: str) -> str:
    """A text without case and accents, as it is compared."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def words_of(text: str) -> list[str]:
    """The words of a text, folded: runs of letters and digits."""
    return "".join(c if c.isalnum() else " " for c in folded(text)).split()


def _matches(words: Sequence[str], text: str) -> bool:
    there = words_of(text)
    wanted = [folded(word) for word in words]
    *whole, last = wanted
    return all(word in there for word in whole) and any(word.startswith(last) for word in there)


def snippet(words: Sequence[str], text: str) -> str:
    """A piece of the text around the first of the words."""
    at = max(0, min((n for w in words if (n := text.casefold().find(w.casefold())) >= 0), default=0) - 40)
    piece = text[at : at + SNIPPET_CHARACTERS]
    return f"{'…' * (at > 0)}{piece}{'…' * (at + SNIPPET_CHARACTERS < len(text))}"


class _Collection:
    """Documents by id, in their order, and their texts."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[Document, str]] = {}
        self.end = 0


class MemoryDocuments:
    """Documents without a file."""

    def __init__(self) -> None:
        """None are there."""
        self._collections: dict[str, _Collection] = {}

    def _items(self, collection: str) -> dict[str, tuple[Document, str]]:
        found = self._collections.get(collection)
        return found.items if found else {}

    async def add(self, collection: str, id: str, time_ms: int, data: bytes, text: str) -> tuple[Document, bool]:
        """See Documents."""
        found = self._collections.setdefault(collection, _Collection())
        known = found.items.get(id)
        if known is not None:
            return known[0], False
        found.end += 1
        document = Document(collection, id, found.end, 1, time_ms, data)
        found.items[id] = (document, text)
        return document, True

    async def change(self, collection: str, id: str, data: bytes, text: str, *, expect: int) -> Document:
        """See Documents."""
        items = self._items(collection)
        known = items.get(id)
        version = known[0].version if known else 0
        if known is None or version != expect:
            raise VersionConflict(f"{collection}/{id}", version)
        document = msgspec.structs.replace(known[0], data=data, version=version + 1)
        items[id] = (document, text)
        return document

    async def get(self, collection: str, id: str) -> Document | None:
        """See Documents."""
        known = self._items(collection).get(id)
        return known[0] if known else None

    async def page_back(self, collection: str, before: int | None, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(0, limit)
        newest_first = (document for document, _ in reversed(self._items(collection).values()))
        below = (document for document in newest_first if before is None or document.seq < before)
        return list(islice(below, limit))[::-1]

    async def page(self, collection: str, after: int, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(after, limit)
        above = (document for document, _ in self._items(collection).values() if document.seq > after)
        return list(islice(above, limit))

    async def ends(self, collections: Collection[str]) -> dict[str, int]:
        """See Documents."""
        return {name: found.end if (found := self._collections.get(name)) else 0 for name in collections}

    async def search(self, words: Sequence[str], collections: Collection[str], limit: int, skip: int = 0) -> list[Hit]:
        """See Documents."""
        if not words:
            return []
        all_items = (item for name in collections for item in self._items(name).values())
        found = [(document, text) for document, text in all_items if text and _matches(words, text)]
        found.sort(key=lambda item: item[0].time_ms, reverse=True)
        return [Hit(document, snippet(words, text)) for document, text in found[skip : skip + limit]]

    async def drop(self, collection: str) -> int:
        """See Documents."""
        found = self._collections.pop(collection, None)
        return len(found.items) if found else 0

    async def collections(self) -> list[str]:
        """See Documents."""
        return sorted(name for name, found in self._collections.items() if found.items)
