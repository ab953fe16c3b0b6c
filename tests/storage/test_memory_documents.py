"""Documents in memory tell what has become of them, and let others work while much is looked through."""

from __future__ import annotations

import asyncio

from jupyter_ws_hub.storage.memory_documents import MemoryDocuments

from .contract_documents import fill, found


async def told(documents: MemoryDocuments, after: int = 0) -> list[tuple[int, str, str | None, str]]:
    gathered = await documents.gathered(after, 99)
    return [(one.number, one.collection, one.document.id if one.document else None, one.text) for one in gathered]


async def test_of_each_document_the_last_change_is_told() -> None:
    documents = MemoryDocuments()
    await fill(documents, "c", "one", "two", "three")
    await documents.add("c", "d1", 0, b"", "again")
    await documents.change("c", "d1", b"", "changed", expect=1)
    assert await told(documents) == [(2, "c", "d2", "two"), (3, "c", "d3", "three"), (4, "c", "d1", "changed")]
    assert [one.number for one in await documents.gathered(0, 2)] == [2, 3]
    assert await told(documents, 3) == [(4, "c", "d1", "changed")]
    assert await told(documents, 4) == []


async def test_a_dropped_collection_is_told_once_and_its_documents_no_more() -> None:
    documents = MemoryDocuments()
    await fill(documents, "c", *("x" for _ in range(500)))
    await fill(documents, "d", "kept")
    await documents.drop("c")
    await fill(documents, "c", "new")
    await documents.drop("none")
    assert await told(documents) == [
        (501, "d", "d1", "kept"),
        (502, "c", None, ""),
        (503, "c", "d1", "new"),
        (504, "none", None, ""),
    ]


async def test_others_work_during_a_search() -> None:
    documents = MemoryDocuments()
    await fill(documents, "c", *(f"word {n}" for n in range(2000)))
    search = asyncio.ensure_future(found(documents, "1999"))
    turns = 0
    while not search.done():
        turns += 1
        await asyncio.sleep(0)
        if turns == 2:
            dropping = asyncio.ensure_future(documents.drop("c"))
    assert turns > 5
    assert await search == ["d2000"]
    assert await dropping == 2000
