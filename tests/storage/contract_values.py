"""What every storage adapter promises of its values, as tests; see contract.py."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_ws_hub.storage.base import Storage, Stored, VersionConflict
from tests.support.fakes import FakeClock


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

    async def test_upkeep_keeps_what_lives(self, storage: Storage, clock: FakeClock) -> None:
        await storage.values.put("a", b"1", ttl_s=10)
        await storage.values.put("b", b"2", ttl_s=20)
        await storage.values.put("c", b"3")
        clock.advance(10)
        await storage.upkeep()
        assert list(await storage.values.scan("")) == list(await storage.values.dump()) == ["b", "c"]

    async def test_values_are_moved_with_their_versions_and_times(self, storage: Storage, clock: FakeClock) -> None:
        await storage.values.put("gone", b"")
        version = await storage.values.put("a", b"1")
        moved = {"a": Stored(b"2", version + 900, None), "b": Stored(b"3", version + 500, clock() + 5)}
        await storage.values.load(moved, ["gone", "never there"])
        assert await storage.values.dump() == moved
        with pytest.raises(VersionConflict):
            await storage.values.put("a", b"", expect=version)
        assert await storage.values.put("c", b"") > version + 900
        assert await storage.values.put("a", b"", expect=version + 900)
        clock.advance(5)
        assert sorted(await storage.values.dump()) == sorted(await storage.values.scan("")) == ["a", "c"]
