"""What every storage adapter promises of its log, as tests.

A module that tests an adapter gives the fixtures `clock` and `storage` and subclasses this contract and that of values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jupyter_ws_hub.storage.base import Draft, Head, LogRetention, Record, Storage, TopicLog

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

    async def test_what_is_added_by_and_by_is_trimmed_by_all_that_is_kept(self, storage: Storage) -> None:
        for n in range(1, 7):
            await storage.log.append("t", [draft(f"m{n}", b"x" * 10, time_ms=n * 1000)])
            await storage.log.append("t", [draft(f"m{n}", b"x" * 999, time_ms=0)])
            await storage.log.trim("t", LogRetention(9, 30, 1e9), n * 1000)
            assert offsets(await whole(storage.log, "t")) == list(range(max(1, n - 2), n + 1))
        assert await storage.log.trim("t", LogRetention(9, 10**9, 0.5), 6000) == 2

    async def test_times_that_step_back_keep_no_message_that_is_too_old(self, storage: Storage) -> None:
        times = [5, 9, 9, 2, 8, 3, 9]
        await storage.log.append("t", [draft(f"m{n}", time_ms=s * 1000) for n, s in enumerate(times, 1)])
        assert await storage.log.trim("t", LogRetention(9, 10**9, 8.0), 10_000) == 0
        assert await storage.log.trim("t", LogRetention(9, 10**9, 7.5), 10_000) == 4
        assert await storage.log.trim("t", LogRetention(9, 10**9, 6.5), 10_000) == 2
        assert offsets(await whole(storage.log, "t")) == [7]

    async def test_many_are_trimmed_at_once(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 3500))
        assert await storage.log.trim("t", LogRetention(100, 10**9, 1e9), 0) == 3400
        assert offsets(await storage.log.read("t", 0, 1)) == [3401]

    async def test_a_compacted_message_is_read_no_more_and_is_a_position_still(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 6))
        before = await storage.log.head("t")
        assert await storage.log.compact("t", [2, 3, 6, 6, 3], before.epoch) == 3
        assert await storage.log.head("t") == before
        assert offsets(await whole(storage.log, "t")) == offsets(await storage.log.read_back("t", None, 9)) == [1, 4, 5]
        assert offsets(await storage.log.read("t", 1, 1)) == offsets(await storage.log.read("t", 3, 1)) == [4]
        assert offsets(await storage.log.read_back("t", 4, 1)) == [1]
        assert await storage.log.read("t", 5, 9) == []
        assert [await storage.log.id_at("t", offset) for offset in (2, 3, 6)] == ["m2", "m3", "m6"]
        assert await storage.log.compact("t", [2, 1], before.epoch) == 1
        assert offsets(await storage.log.append("t", drafts(7, 7))) == [7]

    async def test_the_id_of_a_compacted_message_is_not_added_again(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 2))
        await storage.log.compact("t", [2], (await storage.log.head("t")).epoch)
        again = await storage.log.append("t", [draft("m2", b"other"), draft("m3")])
        assert again == [Record(2, "m2", "kind", 0, b""), Record(3, "m3", "kind", 0, b"{}")]
        assert offsets(await whole(storage.log, "t")) == [1, 3]

    async def test_what_is_not_kept_or_of_another_epoch_is_not_compacted(self, storage: Storage) -> None:
        await storage.log.append("t", drafts(1, 4))
        epoch = (await storage.log.head("t")).epoch
        await storage.log.trim("t", LogRetention(2, 10**9, 1e9), 0)
        assert await storage.log.compact("t", [-1, 0, 1, 2, 5, *FAR], epoch) == 0
        assert await storage.log.compact("t", [3], epoch + "x") == 0
        assert await storage.log.compact("never used", [1], epoch) == 0
        assert await storage.log.compact("t", [], epoch) == 0
        assert offsets(await whole(storage.log, "t")) == [3, 4]

    @pytest.mark.parametrize(
        ("retention", "kept", "floor"),
        [
            *((FOREVER, [1, 4, 6], 0), (LogRetention(3, 10**9, 1e9), [1, 4, 6], 0)),
            *((LogRetention(2, 10**9, 1e9), [4, 6], 1), (LogRetention(1, 10**9, 1e9), [6], 4)),
            *((LogRetention(9, 20, 1e9), [4, 6], 1), (LogRetention(0, 10**9, 1e9), [], 6)),
            *((LogRetention(9, 10**9, 4.0), [4, 6], 2), (LogRetention(9, 10**9, 1.0), [6], 5)),
        ],
    )
    async def test_compacted_messages_count_for_their_age_only(
        self, storage: Storage, retention: LogRetention, kept: list[int], floor: int
    ) -> None:
        await storage.log.append("t", [draft(f"m{n}", b"x" * 10, time_ms=n * 1000) for n in range(1, 8)])
        await storage.log.compact("t", [2, 3, 5, 7], (await storage.log.head("t")).epoch)
        assert await storage.log.trim("t", retention, 7000) == floor
        head = await storage.log.head("t")
        assert (head.floor, head.floor_id, head.offset) == (floor, f"m{floor}" if floor else "", 7)
        assert offsets(await whole(storage.log, "t")) == kept
        assert await storage.log.trim("t", retention, 7000) == 0

    async def test_all_topics_that_have_a_log_are_known(self, storage: Storage) -> None:
        assert await storage.log.topics() == []
        for topic in ("b", "a", "\u65e5", ""):
            await storage.log.append(topic, drafts(1, 1))
        await storage.log.head("c")
        await storage.log.trim("a", NOTHING, 10**15)
        assert await storage.log.topics() == ["", "a", "b", "c", "\u65e5"]

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
