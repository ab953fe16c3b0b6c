"""What every storage adapter promises, as tests: one contract for TopicLog, one for KeyValue.

A module that tests an adapter gives the fixtures `clock` and `storage` and subclasses both contracts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jupyter_ws_hub.storage.base import Draft, Head, LogRetention, Record, Storage, TopicLog, VersionConflict
from tests.support.fakes import FakeClock

FOREVER = LogRetention(count=10**9, bytes=10**12, age_s=1e9)
NOTHING = LogRetention(count=0, bytes=0, age_s=0)
FAR = (2**31, 2**63 - 1, 2**63, 10**30)
"""Offsets beyond any that a log gives; clients may send all of them."""


def draft(name: str, data: bytes = b"{}", *, time_ms: int = 0) -> Draft:
    return Draft(name, "kind", time_ms, data)


def drafts(first: int, last: int) -> list[Draft]:
    """Messages m<first> to m<last>; in a fresh log their offsets are the same numbers."""
    return [draft(f"m{number}") for number in range(first, last + 1)]


def offsets(records: Sequence[Record]) -> list[int]:
    return [record.offset for record in records]


async def whole(log: TopicLog, topic: str) -> list[Record]:
    return await log.read(topic, 0, 1_000_000)


class TopicLogContract:
    """Offsets without a hole, ids once, anchors that survive trimming."""

    async def test_a_new_log_is_empty_and_has_an_epoch(self, storage: Storage) -> None:
        head = await storage.log.head("t")
        assert head == Head(head.epoch, 0, "", 0, "")
        assert head.epoch
        assert await whole(storage.log, "t") == []

    async def test_the_epoch_is_stable_and_each_topic_has_its_own(self, storage: Storage) -> None:
        epochs = [(await storage.log.head(topic)).epoch for topic in ("a", "b", "a/b", "A", "")]
        assert len(set(epochs)) == 5
        await storage.log.append("a", drafts(1, 3))
        await storage.log.trim("a", NOTHING, 10**15)
        assert (await storage.log.head("a")).epoch == epochs[0]

    async def test_messages_come_back_as_they_were_given_in_order(self, storage: Storage) -> None:
        given = [
            Draft("a", "k", 0, b""),
            Draft("\u00e9\U0001f600", "k/\u65e5", 1_760_000_000_000, bytes(range(256))),
            Draft("'; --", "", 2**53, b"x" * 100_000),
        ]
        records = await storage.log.append("t", given)
        assert records == [Record(n, d.id, d.kind, d.time_ms, d.data) for n, d in enumerate(given, start=1)]
        assert await whole(storage.log, "t") == records
        assert await storage.log.head("t") == Head((await storage.log.head("t")).epoch, 3, "'; --", 0, "")

    async def test_topics_do_not_mix(self, storage: Storage) -> None:
        await storage.log.append("t", [draft("x")])
        records = await storage.log.append("T", [draft("y"), draft("x")])
        assert offsets(records) == [1, 2]
        assert offsets(await whole(storage.log, "t")) == [1]
        assert await whole(storage.log, "t%") == []

    async def test_an_id_is_added_once(self, storage: Storage) -> None:
        first = await storage.log.append("t", drafts(1, 3))
        again = await storage.log.append("t", [draft("m2", b"other"), draft("m4"), draft("m4", b"late")])
        assert again == [first[1], Record(4, "m4", "kind", 0, b"{}"), Record(4, "m4", "kind", 0, b"{}")]
        head = await storage.log.head("t")
        assert (head.offset, head.id) == (4, "m4")
        assert offsets(await whole(storage.log, "t")) == [1, 2, 3, 4]

    async def test_only_known_ids_leave_the_head_where_it_is(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 2))
        await storage.log.append("t", drafts(1, 1))
        head = await storage.log.head("t")
        assert (head.offset, head.id) == (2, "m2")

    async def test_nothing_appended_is_nothing_changed(self, storage: Storage) -> None:
        assert await storage.log.append("t", []) == []
        assert (await storage.log.head("t")).offset == 0

    @pytest.mark.parametrize(
        ("after", "limit", "expected"),
        [(0, 1, [1]), (0, 99, [1, 2, 3, 4, 5]), (2, 2, [3, 4]), (4, 9, [5]), (5, 9, []), (99, 1, []), (FAR[0], 1, [])],
    )
    async def test_reading_on(self, storage: Storage, after: int, limit: int, expected: list[int]) -> None:
        await storage.log.append("t", drafts(1, 5))
        assert offsets(await storage.log.read("t", after, limit)) == expected

    @pytest.mark.parametrize(
        ("before", "limit", "expected"),
        [
            *((None, 2, [4, 5]), (None, 99, [1, 2, 3, 4, 5]), (6, 1, [5]), (5, 1, [4]), (3, 9, [1, 2])),
            *((2, 9, [1]), (1, 9, []), (0, 9, []), (99, 2, [4, 5]), (FAR[0], 2, [4, 5])),
        ],
    )
    async def test_reading_back(self, storage: Storage, before: int | None, limit: int, expected: list[int]) -> None:
        await storage.log.append("t", drafts(1, 5))
        assert offsets(await storage.log.read_back("t", before, limit)) == expected

    @pytest.mark.parametrize("far", FAR)
    async def test_offsets_that_no_log_has_read_as_nothing(self, storage: Storage, far: int) -> None:
        await storage.log.append("t", drafts(1, 2))
        assert await storage.log.read("t", far, 5) == []
        assert await storage.log.id_at("t", far) is None
        assert offsets(await storage.log.read_back("t", far, 5)) == [1, 2]

    @pytest.mark.parametrize(("after", "limit"), [(-1, 1), (0, 0), (0, -1)])
    async def test_senseless_bounds_are_refused(self, storage: Storage, after: int, limit: int) -> None:
        with pytest.raises(ValueError):
            await storage.log.read("t", after, limit)
        if after == 0:
            with pytest.raises(ValueError):
                await storage.log.read_back("t", None, limit)

    async def test_the_id_at_an_offset_is_known_as_long_as_it_is_kept(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 4))
        await storage.log.trim("t", LogRetention(2, 10**9, 1e9), 0)
        ids = [await storage.log.id_at("t", offset) for offset in (-1, 0, 1, 2, 3, 4, 5)]
        assert ids == [None, None, None, None, "m3", "m4", None]
        assert await storage.log.id_at("other", 3) is None

    @pytest.mark.parametrize(
        ("retention", "kept"),
        [
            *((FOREVER, [1, 2, 3, 4]), (LogRetention(3, 10**9, 1e9), [2, 3, 4]), (LogRetention(1, 10**9, 1e9), [4])),
            *((LogRetention(9, 30, 1e9), [2, 3, 4]), (LogRetention(9, 29, 1e9), [3, 4])),
            *((LogRetention(9, 10**9, 2.0), [3, 4]), (LogRetention(9, 10**9, 1.999), [4])),
            *((LogRetention(2, 10, 2.0), [4]), (LogRetention(0, 10**9, 1e9), []), (LogRetention(9, 0, 1e9), [])),
        ],
    )
    async def test_each_limit_trims_the_oldest(
        self, storage: Storage, retention: LogRetention, kept: list[int]
    ) -> None:
        await storage.log.append("t", [draft(f"m{n}", b"x" * 10, time_ms=n * 1000) for n in (1, 2, 3, 4)])
        before = await storage.log.head("t")
        assert await storage.log.trim("t", retention, 5000) == 4 - len(kept)
        assert offsets(await whole(storage.log, "t")) == kept
        floor = 4 - len(kept)
        assert await storage.log.head("t") == Head(before.epoch, 4, "m4", floor, f"m{floor}" if floor else "")
        assert await storage.log.trim("t", retention, 5000) == 0

    async def test_a_log_trimmed_to_nothing_goes_on_where_it_was(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 3))
        assert await storage.log.trim("t", NOTHING, 10**15) == 3
        head = await storage.log.head("t")
        assert head == Head(head.epoch, 3, "m3", 3, "m3")
        assert offsets(await storage.log.append("t", drafts(4, 4))) == [4]
        assert await storage.log.head("t") == Head(head.epoch, 4, "m4", 3, "m3")
        assert offsets(await storage.log.read("t", 0, 9)) == offsets(await storage.log.read_back("t", None, 9)) == [4]

    async def test_an_id_may_come_again_after_its_message_is_gone(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 2))
        await storage.log.trim("t", NOTHING, 10**15)
        assert offsets(await storage.log.append("t", drafts(1, 1))) == [3]

    async def test_trimming_one_topic_leaves_the_others(self, storage: Storage) -> None:
        await storage.log.append("a", drafts(1, 2))
        await storage.log.append("b", drafts(1, 2))
        assert await storage.log.trim("a", NOTHING, 10**15) == 2
        assert await storage.log.trim("never used", NOTHING, 10**15) == 0
        assert offsets(await whole(storage.log, "b")) == [1, 2]

    async def test_appends_at_the_same_time_get_distinct_contiguous_offsets(self, storage: Storage) -> None:
        batches = [[draft(f"{n}.{part}") for part in range(n % 3 + 1)] for n in range(300)]
        results = await asyncio.gather(*(storage.log.append("t", batch) for batch in batches))
        given = [offset for records in results for offset in offsets(records)]
        assert sorted(given) == list(range(1, sum(map(len, batches)) + 1))
        for records in results:
            first = records[0].offset
            assert offsets(records) == list(range(first, first + len(records))), "a batch was split"
        assert sorted((r for records in results for r in records), key=lambda r: r.offset) == await whole(
            storage.log, "t"
        )

    async def test_the_same_id_at_the_same_time_is_added_once(self, storage: Storage) -> None:
        results = await asyncio.gather(*(storage.log.append("t", [draft("one", b"%d" % n)]) for n in range(50)))
        assert len(await whole(storage.log, "t")) == 1
        assert all(records == results[0] for records in results)


class KeyValueContract:
    """Compare-and-set with one winner, versions that never come again, values that die in time."""

    async def test_what_was_put_is_there(self, storage: Storage) -> None:
        values = {"": b"", "a": b"\x00\xff", "\u65e5/%_": b"x" * 100_000}
        versions = {key: await storage.values.put(key, value) for key, value in values.items()}
        for key, value in values.items():
            found = await storage.values.get(key)
            assert found is not None
            assert (found.value, found.version) == (value, versions[key])
        assert await storage.values.get("b") is None

    async def test_a_value_is_replaced_and_its_version_rises(self, storage: Storage) -> None:
        one = await storage.values.put("a", b"1")
        two = await storage.values.put("a", b"2", expect=one)
        assert two > one > 0
        found = await storage.values.get("a")
        assert found is not None
        assert (found.value, found.version) == (b"2", two)

    async def test_another_version_than_expected_changes_nothing(self, storage: Storage) -> None:
        version = await storage.values.put("a", b"1")
        for expect in (0, version + 1, version - 1 or 7):
            with pytest.raises(VersionConflict) as caught:
                await storage.values.put("a", b"2", expect=expect, ttl_s=1)
            assert (caught.value.key, caught.value.current) == ("a", version)
            with pytest.raises(VersionConflict):
                await storage.values.delete("a", expect=expect)
        with pytest.raises(VersionConflict) as caught:
            await storage.values.put("b", b"", expect=version)
        assert caught.value.current == 0
        assert await storage.values.get("b") is None
        found = await storage.values.get("a")
        assert found is not None
        assert (found.value, found.version) == (b"1", version)

    async def test_of_many_writers_that_expect_the_same_one_wins(self, storage: Storage) -> None:
        expect = 0
        for round_ in range(5):
            tries = (storage.values.put("a", b"%d.%d" % (round_, n), expect=expect) for n in range(40))
            results = await asyncio.gather(*tries, return_exceptions=True)
            won = [(n, version) for n, version in enumerate(results) if isinstance(version, int)]
            assert len(won) == 1
            assert sum(isinstance(result, VersionConflict) for result in results) == 39
            found = await storage.values.get("a")
            assert found is not None
            assert (found.value, found.version) == (b"%d.%d" % (round_, won[0][0]), won[0][1])
            expect = found.version

    async def test_of_many_deleters_one_finds_the_value(self, storage: Storage) -> None:
        await storage.values.put("a", b"")
        assert sorted(await asyncio.gather(*(storage.values.delete("a") for _ in range(20)))) == [False] * 19 + [True]

    async def test_a_version_never_comes_again(self, storage: Storage) -> None:
        versions = [await storage.values.put("a", b"1")]
        await storage.values.delete("a", expect=versions[0])
        versions.append(await storage.values.put("b", b"2"))
        versions.append(await storage.values.put("a", b"3", expect=0))
        assert await storage.values.delete("a")
        versions.append(await storage.values.put("a", b"4"))
        assert versions == sorted(set(versions))
        with pytest.raises(VersionConflict):
            await storage.values.put("a", b"5", expect=versions[0])

    async def test_deleting_says_whether_there_was_something(self, storage: Storage) -> None:
        assert not await storage.values.delete("a")
        assert not await storage.values.delete("a", expect=0)
        version = await storage.values.put("a", b"")
        assert await storage.values.delete("a", expect=version)
        assert await storage.values.get("a") is None

    async def test_a_value_lives_exactly_as_long_as_said(self, storage: Storage, clock: FakeClock) -> None:
        await storage.values.put("a", b"1", ttl_s=10)
        await storage.values.put("b", b"2")
        clock.advance(9.5)
        assert await storage.values.get("a") is not None
        clock.advance(0.5)
        assert await storage.values.get("a") is None
        assert list(await storage.values.scan("")) == ["b"]
        clock.advance(1e9)
        assert await storage.values.get("b") is not None

    async def test_an_expired_value_is_absent_for_everybody(self, storage: Storage, clock: FakeClock) -> None:
        versions = {key: await storage.values.put(key, b"", ttl_s=1) for key in "abc"}
        clock.advance(1)
        assert not await storage.values.delete("a")
        assert await storage.values.put("b", b"", expect=0) > max(versions.values())
        with pytest.raises(VersionConflict) as caught:
            await storage.values.put("c", b"", expect=versions["c"])
        assert caught.value.current == 0

    async def test_putting_again_sets_the_time_to_live_anew(self, storage: Storage, clock: FakeClock) -> None:
        for key, ttl_s in (("longer", 100.0), ("for ever", None)):
            await storage.values.put(key, b"", ttl_s=10)
            await storage.values.put(key, b"", ttl_s=ttl_s)
        clock.advance(50)
        assert sorted(await storage.values.scan("")) == ["for ever", "longer"]
        clock.advance(50)
        assert sorted(await storage.values.scan("")) == ["for ever"]

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            *(("", None), ("a", ["a", "a%b", "a%c", "a_b", "aXb", "a\u00e9"]), ("a%", ["a%b", "a%c"]), ("a_", ["a_b"])),
            *(("A", ["AXb"]), ("\u00e9", ["\u00e9", "\u00e9%"]), ("\U0001f600", ["\U0001f600x"]), ("a\u00e9x", [])),
            *(("%", []), ("*", []), ("\u00e9%", ["\u00e9%"]), ("'", ["'"])),
        ],
    )
    async def test_a_scan_finds_what_starts_with_the_prefix_sorted(
        self, storage: Storage, prefix: str, expected: list[str] | None
    ) -> None:
        keys = ["\U0001f600x", "a%c", "a", "AXb", "a_b", "aXb", "a\u00e9", "\u00e9%", "\u00e9", "'", "a%b", "\uffff"]
        versions = {key: await storage.values.put(key, key.encode()) for key in keys}
        found = await storage.values.scan(prefix)
        assert list(found) == (sorted(keys) if expected is None else sorted(expected))
        assert all((item.value, item.version) == (key.encode(), versions[key]) for key, item in found.items())
