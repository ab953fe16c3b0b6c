"""The documents of whichever storage is used now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

from .base import Document, Gathered, Hit, Storage

T = TypeVar("T")


class Run(Protocol):
    """Asks the storage that is used now, and if it fails the one that takes its place."""

    def __call__(self, ask: Callable[[Storage], Awaitable[T]]) -> Awaitable[T]:
        """Give the answer."""
        ...


class FailoverDocuments:
    """Documents of whichever storage is used."""

    def __init__(self, run: Run) -> None:
        """Ask by `run`."""
        self._run = run

    async def add(self, collection: str, id: str, time_ms: int, data: bytes, text: str) -> tuple[Document, bool]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.add(collection, id, time_ms, data, text))

    async def change(self, collection: str, id: str, data: bytes, text: str, *, expect: int) -> Document:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.change(collection, id, data, text, expect=expect))

    async def get(self, collection: str, id: str) -> Document | None:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.get(collection, id))

    async def page_back(self, collection: str, before: int | None, limit: int) -> list[Document]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.page_back(collection, before, limit))

    async def page(self, collection: str, after: int, limit: int) -> list[Document]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.page(collection, after, limit))

    async def ends(self, collections: Collection[str]) -> dict[str, int]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.ends(collections))

    async def search(self, words: Sequence[str], collections: Collection[str], limit: int, skip: int = 0) -> list[Hit]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.search(words, collections, limit, skip))

    async def drop(self, collection: str) -> int:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.drop(collection))

    async def collections(self) -> list[str]:
        """See Documents."""
        return await self._run(lambda storage: storage.documents.collections())

    async def load(self, gathered: Sequence[Gathered]) -> None:
        """See Documents."""
        await self._run(lambda storage: storage.documents.load(gathered))
