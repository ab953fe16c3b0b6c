"""What every storage adapter promises of its documents, as tests; see contract.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from jupyter_ws_hub.storage.base import Document, Documents, Gathered, Storage, VersionConflict

from .contract import FAR

MANY: Final = 450
"""More than any slice."""


async def fill(documents: Documents, collection: str, *texts: str, first: int = 1) -> list[Document]:
    """Add documents d1, d2 … with these texts; their times are their numbers."""
    added = [await documents.add(collection, f"d{n}", n, text.encode(), text) for n, text in enumerate(texts, first)]
    return [document for document, _ in added]


async def found(documents: Documents, words: Sequence[str] | str, *collections: str, limit: int = 99) -> list[str]:
    """The ids of what is found, in order; words may be given as one text."""
    wanted = words.split() if isinstance(words, str) else words
    return [hit.document.id for hit in await documents.search(wanted, collections or ("c",), limit)]


def places(documents: Sequence[Document]) -> list[int]:
    return [document.seq for document in documents]


TEXTS: Final = {
    "plain": "Training has finished, accuracy 0.93",
    "accents": "Café Zürich ÅNGSTRÖM naïve Straße",
    "decomposed": "Cafe\u0301 au lait",
    "japanese": "今日の会議は東京です。",
    "greek": "στην ΕΛΛΆΔΑ είναι ωραία",
    "cyrillic": "Привет, мир",
    "code": "call `np.array(x_1)`\nand df.to_csv('a-b.csv')",
    "quotes": 'say "hello" AND world OR NOT NEAR(me)',
    "nothing": "!!! ??? …",
}


class DocumentsContract:
    """Places without a hole, ids once, changes only of what was seen, and words that are found."""

    async def test_what_was_added_is_there_in_order(self, storage: Storage) -> None:
        documents = storage.documents
        given = [("a", 5, b""), ("\u00e9'; --", 2**53, bytes(range(256))), ("", 0, b"x" * 100_000)]
        added = [await documents.add("c/\u65e5", id_, time_ms, data, "") for id_, time_ms, data in given]
        assert added == [(Document("c/\u65e5", *(i, n, 1, t), d), True) for n, (i, t, d) in enumerate(given, 1)]
        assert await documents.page("c/\u65e5", 0, 99) == [document for document, _ in added]
        assert [await documents.get("c/\u65e5", id_) for id_, _, _ in given] == [document for document, _ in added]
        assert await documents.get("c/\u65e5", "b") is await documents.get("other", "a") is None

    async def test_an_id_is_added_once(self, storage: Storage) -> None:
        (first, *_) = await fill(storage.documents, "c", "one", "two")
        again = await storage.documents.add("c", "d1", 99, b"other", "other")
        assert again == (first, False)
        assert await found(storage.documents, "other") == []
        assert (await storage.documents.add("C", "d1", 1, b"", ""))[1]
        assert places(await storage.documents.page("c", 0, 9)) == [1, 2]

    async def test_of_many_that_add_the_same_one_does(self, storage: Storage) -> None:
        tries = (storage.documents.add("c", f"d{n % 10}", n, b"%d" % n, "") for n in range(100))
        done = await asyncio.gather(*tries)
        assert sum(added for _, added in done) == 10
        assert sorted({document.seq for document, _ in done}) == list(range(1, 11))
        assert {document for document, _ in done} == set(await storage.documents.page("c", 0, 99))

    async def test_a_change_keeps_the_place_and_raises_the_version(self, storage: Storage) -> None:
        one, two, _ = await fill(storage.documents, "c", "first", "second", "third")
        changed = await storage.documents.change("c", "d2", b"new", "other words", expect=two.version)
        assert changed == Document("c", "d2", 2, 2, two.time_ms, b"new")
        assert await storage.documents.get("c", "d2") == changed
        assert (await storage.documents.page("c", 0, 2)) == [one, changed]
        assert await found(storage.documents, "second") == []
        assert await found(storage.documents, "other") == ["d2"]
        again = await storage.documents.change("c", "d2", b"newer", "other words", expect=2)
        assert (again.version, again.data) == (3, b"newer")
        assert await found(storage.documents, "other words") == ["d2"]
        assert (await storage.documents.change("c", "d2", b"", "", expect=3)).version == 4
        assert await found(storage.documents, "other") == []

    async def test_a_change_of_another_version_changes_nothing(self, storage: Storage) -> None:
        await fill(storage.documents, "c", "first")
        for collection, id_, expect, current in (
            ("c", "d1", 2, 1),
            ("c", "d1", 0, 1),
            ("c", "d2", 1, 0),
            ("x", "", 0, 0),
        ):
            with pytest.raises(VersionConflict) as caught:
                await storage.documents.change(collection, id_, b"no", "no", expect=expect)
            assert caught.value.current == current
        assert await found(storage.documents, "no") == []
        assert await storage.documents.collections() == ["c"]

    async def test_of_many_that_change_the_same_version_one_does(self, storage: Storage) -> None:
        await fill(storage.documents, "c", "x")
        for version in range(1, 5):
            tries = (storage.documents.change("c", "d1", b"", f"word{n}", expect=version) for n in range(30))
            done = await asyncio.gather(*tries, return_exceptions=True)
            won = [n for n, result in enumerate(done) if isinstance(result, Document)]
            assert len(won) == 1 and sum(isinstance(result, VersionConflict) for result in done) == 29
            assert await found(storage.documents, "word") == await found(storage.documents, f"word{won[0]}") == ["d1"]

    @pytest.mark.parametrize(
        ("before", "limit", "expected"),
        [
            *((None, 2, [4, 5]), (None, 99, [1, 2, 3, 4, 5]), (6, 1, [5]), (5, 1, [4]), (3, 9, [1, 2])),
            *((2, 9, [1]), (1, 9, []), (0, 9, []), (-3, 9, []), (99, 2, [4, 5]), *((far, 2, [4, 5]) for far in FAR)),
        ],
    )
    async def test_paging_back(self, storage: Storage, before: int | None, limit: int, expected: list[int]) -> None:
        await fill(storage.documents, "b", "x")
        await fill(storage.documents, "c", *"vwxyz")
        await fill(storage.documents, "d", "x")
        assert places(await storage.documents.page_back("c", before, limit)) == expected

    @pytest.mark.parametrize(
        ("after", "limit", "expected"),
        [
            (0, 1, [1]),
            (0, 99, [1, 2, 3, 4, 5]),
            (2, 2, [3, 4]),
            (4, 9, [5]),
            (5, 9, []),
            *((far, 1, []) for far in FAR),
        ],
    )
    async def test_paging_on(self, storage: Storage, after: int, limit: int, expected: list[int]) -> None:
        await fill(storage.documents, "c", *"vwxyz")
        await fill(storage.documents, "d", "x")
        assert places(await storage.documents.page("c", after, limit)) == expected

    async def test_senseless_bounds_are_refused(self, storage: Storage) -> None:
        for after, page in ((-1, 1), (0, 0)):
            with pytest.raises(ValueError):
                await storage.documents.page("c", after, page)
        with pytest.raises(ValueError):
            await storage.documents.page_back("c", None, 0)
        for limit, skip in ((0, 0), (1, -1)):
            with pytest.raises(ValueError):
                await storage.documents.search(["a"], ["c"], limit, skip)

    async def test_the_ends_of_collections(self, storage: Storage) -> None:
        await fill(storage.documents, "c", "x", "y")
        await fill(storage.documents, "d", "x")
        assert await storage.documents.ends(["d", "c", "none"]) == {"d": 1, "c": 2, "none": 0}
        assert await storage.documents.ends([]) == {}
        assert await storage.documents.collections() == ["c", "d"]

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            *(("training", ["plain"]), ("FINISHED train", ["plain"]), ("acc", ["plain"]), ("0.93", ["plain"])),
            *(("acc finished", []), ("raining", []), ("train ing", [])),
            *(("cafe", ["decomposed", "accents"]), ("CAFÉ", ["decomposed", "accents"]), ("zurich", ["accents"])),
            *(("angstrom", ["accents"]), ("ελλαδα", ["greek"]), ("привет", ["cyrillic"]), ("мир прив", ["cyrillic"])),
            *(("np.array", ["code"]), ("array(x", ["code"]), ("array.np", []), ("a-b.c", ["code"]), ("a-c", [])),
            *(
                ("会議", ["japanese"]),
                ("の会", ["japanese"]),
                ("議会", []),
                ("東京 会", ["japanese"]),
                ("strasse", ["accents"]),
            ),
            *(("to_csv", ["code"]), ("hello", ["quotes"]), ("OR", ["quotes"]), ("AND NOT", ["quotes"])),
            *(('"hello"', ["quotes"]), ('hello" OR "cafe', []), ("hello* OR", ["quotes"]), ("(hello)", ["quotes"])),
            *(("text:hello", []), ("^say", ["quotes"]), ("-hello", ["quotes"]), ("hello !", ["quotes"])),
            *(
                ("!", []),
                ("", []),
                ("'; DROP TABLE documents; --", []),
                ("a\0b", ["code"]),
                ("\0", []),
                ("%", []),
                ("_", []),
            ),
        ],
    )
    async def test_words_are_found(self, storage: Storage, words: str, expected: list[str]) -> None:
        for time_ms, (id_, text) in enumerate(TEXTS.items()):
            await storage.documents.add("c", id_, time_ms, b"", text)
        assert await found(storage.documents, words) == expected

    async def test_the_newest_are_found_first_page_by_page(self, storage: Storage) -> None:
        await fill(storage.documents, "c", *(f"word {n % 2}" for n in range(10)))
        assert await found(storage.documents, "word") == [f"d{n}" for n in range(10, 0, -1)]
        pages = [await storage.documents.search(["word", "1"], ["c"], 2, skip) for skip in (0, 2, 4, 6)]
        assert [[hit.document.seq for hit in page] for page in pages] == [[10, 8], [6, 4], [2], []]

    async def test_only_the_collections_asked_for_are_searched(self, storage: Storage) -> None:
        for n in range(3):
            for name in ("a", "b", "a/b", "A"):
                await storage.documents.add(name, f"{name}{n}", -n, b"", "word")
        assert await found(storage.documents, "word", "b") == ["b2", "b1", "b0"]
        assert await found(storage.documents, "word", "a/b", "b", "b", "none") == [
            "a/b2",
            "b2",
            "a/b1",
            "b1",
            "a/b0",
            "b0",
        ]
        assert await storage.documents.search(["word"], [], 9) == []
        assert await found(storage.documents, "word", "b", "A", limit=3) == ["A2", "b2", "A1"]

    async def test_a_snippet_is_of_the_text_around_the_word(self, storage: Storage) -> None:
        await fill(storage.documents, "c", f"{'before ' * 100}Zür\n\nich  {'after ' * 100}", "short  Zür\tone", "z")
        one, other = await storage.documents.search(["zur"], ["c"], 9)
        assert one.snippet == "short Zür one"
        assert "before Zür ich after" in other.snippet
        assert other.snippet[0] == other.snippet[-1] == "…" and len(other.snippet) <= 200

    async def test_a_dropped_collection_is_gone_and_may_come_again(self, storage: Storage) -> None:
        await asyncio.gather(*(storage.documents.add("c", f"d{n}", n, b"", f"word w{n}") for n in range(MANY)))
        await fill(storage.documents, "d", "word")
        dropping = asyncio.ensure_future(storage.documents.drop("c"))
        added = [await storage.documents.add("d", f"more{n}", 0, b"", "more") for n in range(5)]
        assert await dropping == MANY
        assert places([document for document, _ in added]) == [2, 3, 4, 5, 6]
        assert await storage.documents.collections() == ["d"]
        assert await storage.documents.page("c", 0, 9) == []
        assert await storage.documents.get("c", "d1") is None
        assert await found(storage.documents, "word", "c", "d") == ["d1"]
        (again,) = await fill(storage.documents, "c", "word")
        assert (again.seq, again.version) == (1, 1)
        assert await found(storage.documents, "w1", "c") == []
        assert await found(storage.documents, "word", "c") == ["d1"]
        assert await storage.documents.drop("none") == 0

    async def test_what_was_gathered_elsewhere_is_taken_over(self, storage: Storage) -> None:
        await fill(storage.documents, "c", "mine", "old")
        await storage.documents.change("c", "d1", b"mine", "mine", expect=1)
        await fill(storage.documents, "gone", "gone")

        def gathered(name: str, id_: str, version: int, text: str) -> Gathered:
            return Gathered(7, name, Document(name, id_, 99, version, 5, text.encode()), text)

        told = [gathered("c", "d1", 1, "theirs"), gathered("c", "d2", 1, "newer"), gathered("c", "d3", 4, "added")]
        for _ in range(2):  # done over it changes nothing
            await storage.documents.load([*told, Gathered(8, "gone", None, ""), gathered("gone", "new", 1, "again")])
            assert [(d.id, d.seq, d.version, d.data) for d in await storage.documents.page("c", 0, 9)] == [
                ("d1", 1, 2, b"mine"),
                ("d2", 2, 2, b"newer"),
                ("d3", 3, 4, b"added"),
            ]
            assert [document.id for document in await storage.documents.page("gone", 0, 9)] == ["new"]
        assert await found(storage.documents, "old") == await found(storage.documents, "theirs") == []
        assert [await found(storage.documents, word) for word in ("mine", "newer", "add")] == [["d1"], ["d2"], ["d3"]]
