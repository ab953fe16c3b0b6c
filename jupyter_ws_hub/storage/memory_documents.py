"""Documents in this process's memory."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from .base import Document, Gathered, Hit, VersionConflict, check_log_arguments
from .words import Wanted, askable, snippet, spaced

BREATHE_EVERY: Final = 200
"""So many documents are looked at before others get their turn."""

BREATHE_CHARACTERS: Final = 20_000
"""As many documents as have so much text that is looked at for the first time, too."""


class _Item:
    """A document as it is now, its text, and what is searched in that: made when it is first needed."""

    __slots__ = ("change", "document", "number", "spaced", "text")

    def __init__(self, document: Document, text: str, number: int) -> None:
        self.document = document
        self.number = number
        self.text = text
        self.spaced: str | None = None
        self.change = 0

    def set(self, document: Document, text: str) -> None:
        self.document = document
        if text != self.text:
            self.text, self.spaced = text, None


class _Collection:
    """Documents by id; the one with place n is `items[n - 1]`."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.by_id: dict[str, _Item] = {}

    def add(self, given: Document, text: str, number: int) -> _Item:
        item = _Item(msgspec.structs.replace(given, seq=len(self.items) + 1), text, number)
        self.items.append(item)
        self.by_id[given.id] = item
        return item


class MemoryDocuments:
    """Documents without a file; notes what becomes of them, so that it can be moved into one."""

    def __init__(self) -> None:
        """None are there."""
        self._collections: dict[str, _Collection] = {}
        self._added = 0
        self._changes: list[_Item | str | None] = []
        """Documents at their last change and names of collections that were dropped; change n is at n - 1."""

    def _add(self, given: Document, text: str) -> Document:
        """Add a document that its collection does not have; its place is given anew."""
        self._added += 1
        item = self._collections.setdefault(given.collection, _Collection()).add(given, text, self._added)
        self._note(item)
        return item.document

    def _note(self, item: _Item) -> None:
        if item.change:
            self._changes[item.change - 1] = None
        self._changes.append(item)
        item.change = len(self._changes)

    def _items(self, collection: str) -> list[_Item]:
        found = self._collections.get(collection)
        return found.items if found else []

    def _known(self, collection: str, id: str) -> _Item | None:
        found = self._collections.get(collection)
        return found.by_id.get(id) if found else None

    async def add(self, collection: str, id: str, time_ms: int, data: bytes, text: str) -> tuple[Document, bool]:
        """See Documents."""
        known = self._known(collection, id)
        if known is not None:
            return known.document, False
        return self._add(Document(collection, id, 0, 1, time_ms, data), text), True

    async def change(self, collection: str, id: str, data: bytes, text: str, *, expect: int) -> Document:
        """See Documents."""
        item = self._known(collection, id)
        version = item.document.version if item else 0
        if item is None or version != expect:
            raise VersionConflict(f"{collection}/{id}", version)
        item.set(msgspec.structs.replace(item.document, data=data, version=version + 1), text)
        self._note(item)
        return item.document

    async def get(self, collection: str, id: str) -> Document | None:
        """See Documents."""
        item = self._known(collection, id)
        return item.document if item else None

    async def page_back(self, collection: str, before: int | None, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(0, limit)
        items = self._items(collection)
        end = len(items) if before is None else min(max(before - 1, 0), len(items))
        return [item.document for item in items[max(0, end - limit) : end]]

    async def page(self, collection: str, after: int, limit: int) -> list[Document]:
        """See Documents."""
        check_log_arguments(after, limit)
        return [item.document for item in self._items(collection)[after : after + limit]]

    async def ends(self, collections: Collection[str]) -> dict[str, int]:
        """See Documents."""
        return {name: len(self._items(name)) for name in collections}

    async def search(self, words: Sequence[str], collections: Collection[str], limit: int, skip: int = 0) -> list[Hit]:
        """See Documents."""
        check_log_arguments(skip, limit)
        asked = askable(words)
        if not asked:
            return []
        wanted = Wanted(asked)
        hits: list[Hit] = []
        looked = characters = 0
        for item in self._newest_first(collections):
            looked += 1
            if item.spaced is None:
                item.spaced = spaced(item.text)
                characters += len(item.text)
            if wanted.stand_in(item.spaced):
                skip -= 1
                if skip < 0:
                    hits.append(Hit(item.document, snippet(asked, item.text)))
                    if len(hits) == limit:
                        break
            if looked >= BREATHE_EVERY or characters >= BREATHE_CHARACTERS:
                looked = characters = 0
                await asyncio.sleep(0)
        return hits

    def _newest_first(self, collections: Collection[str]) -> Iterator[_Item]:
        """All that have a text, what was added last first."""
        each = [reversed(self._items(name)) for name in set(collections)]
        merged = heapq.merge(*each, key=lambda item: item.number, reverse=True)
        return (item for item in merged if item.text)

    async def drop(self, collection: str) -> int:
        """See Documents."""
        found = self._collections.pop(collection, None) or _Collection()
        self._changes.append(collection)
        for number, item in enumerate(found.items, 1):
            self._changes[item.change - 1] = None
            if number % BREATHE_EVERY == 0:
                await asyncio.sleep(0)
        return len(found.items)

    async def collections(self) -> list[str]:
        """See Documents."""
        return sorted(self._collections)

    async def load(self, gathered: Sequence[Gathered]) -> None:
        """See Documents."""
        for one in gathered:
            if one.document is None:
                await self.drop(one.collection)
            else:
                self._load(one.document, one.text)

    def _load(self, given: Document, text: str) -> None:
        known = self._known(given.collection, given.id)
        if known is None:
            self._add(given, text)
            return
        version = known.document.version
        if version <= given.version and (known.document.data, known.text) != (given.data, text):
            newer = max(given.version, version + 1)
            known.set(msgspec.structs.replace(known.document, data=given.data, version=newer), text)
            self._note(known)

    async def gathered(self, after: int, limit: int) -> list[Gathered]:
        """See GatheringDocuments."""
        check_log_arguments(after, limit)
        found: list[Gathered] = []
        for number in range(after + 1, len(self._changes) + 1):
            change = self._changes[number - 1]
            if isinstance(change, str):
                found.append(Gathered(number, change, None, ""))
            elif change is not None:
                found.append(Gathered(number, change.document.collection, change.document, change.text))
            if len(found) == limit:
                break
        return found
