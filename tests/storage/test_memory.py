"""The storage in memory keeps the contract, and says why nothing is kept where a file was wanted."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.storage.base import LogRetention, Storage
from jupyter_ws_hub.storage.memory import MemoryStorage
from tests.support.fakes import FakeClock, counting_ids

from .contract import TopicLogContract, drafts
from .contract_documents import DocumentsContract
from .contract_values import KeyValueContract


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


class TestMemoryDocuments(DocumentsContract):
    """Documents in memory."""


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
