"""The storage in memory keeps the contract, and says why nothing is kept where a file was wanted."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.storage.base import LogRetention, Storage
from jupyter_ws_hub.storage.memory import MemoryStorage, surplus
from tests.support.fakes import FakeClock, counting_ids

from .contract import KeyValueContract, TopicLogContract, drafts

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> Storage:
    return MemoryStorage(clock, counting_ids("epoch"))


class TestMemoryLog(TopicLogContract):
    """TopicLog in memory."""


class TestMemoryValues(KeyValueContract):
    """KeyValue in memory."""


async def test_a_new_storage_has_new_epochs(clock: FakeClock) -> None:
    new_id = counting_ids("epoch")
    epochs = {(await MemoryStorage(clock, new_id).log.head("t")).epoch for _ in range(3)}
    assert len(epochs) == 3


async def test_what_was_read_is_not_changed_by_later_trimming(storage: Storage) -> None:
    await storage.log.append("t", drafts(1, 5))
    read = await storage.log.read("t", 0, 99)
    await storage.log.trim("t", LogRetention(1, 10**9, 1e9), 0)
    assert len(read) == 5


async def test_closing_is_harmless_and_idempotent(storage: Storage) -> None:
    storage.log.on_foreign(lambda topic: None)
    storage.close()
    storage.close()


def test_it_says_why_less_is_kept_than_wanted(clock: FakeClock) -> None:
    assert MemoryStorage(clock, counting_ids()).degraded is None
    assert MemoryStorage(clock, counting_ids(), degraded="No file.").degraded == "No file."


SIZES_TIMES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100_000)), max_size=30)


@UNHURRIED
@given(SIZES_TIMES, st.integers(0, 40), st.integers(0, 500), st.integers(0, 90))
def test_what_is_kept_is_the_longest_end_within_all_limits(
    sizes_times: list[tuple[int, int]], count: int, total: int, age_s: int
) -> None:
    now_ms = 100_000
    number = surplus(sizes_times, LogRetention(count, total, age_s), now_ms)

    def fits(kept: list[tuple[int, int]]) -> bool:
        young = all(time_ms >= now_ms - age_s * 1000 for _, time_ms in kept)
        return len(kept) <= count and sum(size for size, _ in kept) <= total and young

    assert fits(sizes_times[number:])
    assert number == 0 or not fits(sizes_times[number - 1 :])
