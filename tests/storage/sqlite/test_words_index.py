"""Words are found as memory finds them, also where SQLite has no index for them, and the index is kept in step."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.storage.base import Document, Documents, Storage, VersionConflict
from jupyter_ws_hub.storage.memory_documents import MemoryDocuments
from jupyter_ws_hub.storage.sqlite import SqliteStorage
from jupyter_ws_hub.storage.sqlite.words_index import can_index

from ..contract_documents import DocumentsContract, fill, found
from . import open_storage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite"


@pytest.fixture
def without_fts5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.storage.sqlite.can_index", lambda: False)


@pytest.fixture
def storage(path: Path, without_fts5: None) -> Iterator[Storage]:
    opened = open_storage(path)
    yield opened
    opened.close()


class TestWithoutIndex(DocumentsContract):
    """Documents in a file whose words cannot be indexed."""


def test_this_sqlite_can_index() -> None:
    assert can_index()


async def test_the_index_is_made_anew_after_a_server_without_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = open_storage(path)
    await fill(one.documents, "c", "old", "stays")
    await fill(one.documents, "dropped", "old")
    one.close()
    with monkeypatch.context() as patch:
        patch.setattr("jupyter_ws_hub.storage.sqlite.can_index", lambda: False)
        other = open_storage(path)
        await other.documents.change("c", "d1", b"", "new", expect=1)
        await other.documents.drop("dropped")
        await fill(other.documents, "e", "other")
        other.close()
    again = open_storage(path)
    assert await found(again.documents, "old", "c", "e") == []
    assert [await found(again.documents, word, "c", "e") for word in ("new", "stays", "other")] == [
        ["d1"],
        ["d2"],
        ["d1"],
    ]
    assert await again.documents.drop("c") == 2
    again.close()
    assert terms(path) == {"other"}


def terms(path: Path) -> set[str]:
    """All words that the index has, without those of dropped documents; it is checked, too."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, 'row')")
        return {term for (term,) in connection.execute("SELECT term FROM temp.terms")}


async def test_no_word_stays_in_the_index_when_its_document_goes(path: Path) -> None:
    storage = open_storage(path)
    await fill(storage.documents, "c", "one two", "three", "")
    await storage.documents.change("c", "d1", b"", "two four", expect=1)
    await storage.documents.change("c", "d3", b"", "five", expect=1)
    await storage.documents.change("c", "d2", b"", "", expect=1)
    await fill(storage.documents, "d", *(f"gone{n}" for n in range(250)))
    await storage.documents.drop("d")
    storage.close()
    assert terms(path) == {"two", "four", "five"}


LETTERS = st.sampled_from("aAbéE\u0301ßλςΣ1_-.\"'*(会議ー한\0 \n²ﬁ\u0951हिज़")
TEXTS = st.text(LETTERS, max_size=12)
NAMES = st.sampled_from(["c", "d"])
IDS = st.sampled_from(["1", "2", "3", "4"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, IDS, st.integers(0, 3), st.just(b""), TEXTS),
        st.tuples(st.just("change"), NAMES, IDS, st.just(b""), TEXTS, st.integers(0, 3)),
        st.tuples(st.just("search"), st.lists(TEXTS, max_size=3), st.sets(NAMES), st.integers(1, 3), st.integers(0, 3)),
        st.tuples(st.just("drop"), NAMES),
        st.tuples(st.just("get"), NAMES, IDS),
        st.tuples(st.just("page"), NAMES, st.integers(0, 3), st.integers(1, 3)),
        st.tuples(st.just("page_back"), NAMES, st.none() | st.integers(0, 3), st.integers(1, 3)),
        st.tuples(st.just("collections")),
    ),
    max_size=25,
)


async def answers(documents: Documents, steps: list[tuple[Any, ...]]) -> list[Any]:
    given: list[Any] = []
    for name, *arguments in steps:
        try:
            if name == "change":
                given.append(await documents.change(*arguments[:4], expect=arguments[4]))
            else:
                given.append(await getattr(documents, name)(*arguments))
        except VersionConflict as conflict:
            given.append(conflict.current)
    return given


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(STEPS)
def test_file_and_memory_answer_any_sequence_alike(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        storage: SqliteStorage = open_storage(Path(name, "hub.sqlite"))
        try:
            in_file = asyncio.run(answers(storage.documents, steps))
        finally:
            storage.close()
        assert in_file == asyncio.run(answers(MemoryDocuments(), steps))
        terms(Path(name, "hub.sqlite"))


async def test_a_dead_server_s_dropped_documents_go_at_the_next_upkeep(path: Path) -> None:
    storage = open_storage(path)
    await fill(storage.documents, "c", *(f"word{n}" for n in range(250)))
    await fill(storage.documents, "d", "stays")
    # It died when only the name was taken away.
    await storage._writer.submit(lambda c: c.execute("UPDATE collections SET name = NULL WHERE name = 'c'").fetchall())
    assert await storage.documents.collections() == ["d"]
    await storage.upkeep()
    left = await storage._reader.rows("SELECT (SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM collections)")
    assert left == [(1, 1)]
    storage.close()
    assert terms(path) == {"stays"}


async def test_others_write_while_a_large_collection_is_dropped(path: Path) -> None:
    storage = open_storage(path)
    await asyncio.gather(*(storage.documents.add("c", str(n), n, b"", f"word {n}") for n in range(3000)))
    dropping = asyncio.ensure_future(storage.documents.drop("c"))
    added: list[Document] = []
    while not dropping.done():
        added.append((await storage.documents.add("d", str(len(added)), 0, b"", "word"))[0])
    assert await dropping == 3000
    assert len(added) >= 10
    storage.close()
