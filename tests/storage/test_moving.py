"""Messages and values are moved once each, also when the way was broken off and begins again."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.memory import MemoryStorage
from jupyter_ws_hub.storage.moving import DOCUMENTS_PAGE, PAGE, PROBE_KEY, Move
from tests.support.fakes import FakeClock, HookedLog, HookedValues, counting_ids

from .contract import draft, drafts, whole
from .contract_documents import fill, found


class Target(MemoryStorage):
    """A storage with hooks."""

    def __init__(self) -> None:
        """Begin with no hook."""
        clock, new_id = FakeClock(), counting_ids("target")
        super().__init__(clock, new_id)
        self.log: HookedLog = HookedLog(new_id)
        self.values: HookedValues = HookedValues(clock)


@pytest.fixture
def source() -> MemoryStorage:
    return MemoryStorage(FakeClock(), counting_ids("source"))


@pytest.fixture
def target() -> Target:
    return Target()


async def ids(storage: MemoryStorage, topic: str) -> list[str]:
    return [record.id for record in await whole(storage.log, topic)]


async def test_messages_go_behind_those_that_are_there_in_order(source: MemoryStorage, target: Target) -> None:
    await target.log.append("t", [draft("old"), draft("m2")])
    await source.log.append("t", drafts(1, 2 * PAGE + 1))
    await source.log.append("other", drafts(1, 1))
    move = Move(source, target, {})
    await move.most()
    assert await ids(target, "t") == ["old", "m2", "m1", *(f"m{n}" for n in range(3, 2 * PAGE + 2))]
    assert await ids(target, "other") == ["m1"]
    await source.log.append("t", [draft("late")])
    await move.rest()
    assert (await ids(target, "t"))[-1] == "late"


async def test_messages_that_come_all_the_time_are_left_for_the_end(source: MemoryStorage, target: Target) -> None:
    await source.log.append("t", drafts(1, 1))
    number = 1

    async def another(operation: str) -> None:
        nonlocal number
        if operation == "append" and number < 1000:
            number += 1
            await source.log.append("t", drafts(number, number))

    target.log.before = another
    move = Move(source, target, {})
    await move.most()
    number = 1000
    await move.rest()
    assert await ids(target, "t") == await ids(source, "t")


async def test_a_move_that_was_broken_off_adds_nothing_twice(source: MemoryStorage, target: Target) -> None:
    await source.log.append("t", drafts(1, 3 * PAGE))
    left = 2

    async def break_off(operation: str) -> None:
        nonlocal left
        left -= operation == "append"
        if left == 0:
            raise HubError(Code.NO_SPACE, "Full.")

    target.log.after = break_off
    with pytest.raises(HubError):
        await Move(source, target, {}).most()
    left = -1
    assert len(await ids(target, "t")) == 2 * PAGE
    await Move(source, target, {}).rest()
    assert await ids(target, "t") == await ids(source, "t")


async def test_values_that_were_not_touched_are_not_written_over(source: MemoryStorage, target: Target) -> None:
    for key in ("same", "changed", "deleted"):
        await target.values.put(key, b"1")
    carried = await target.values.dump()
    await source.values.load(carried)
    changed = await source.values.put("changed", b"2")
    await source.values.delete("deleted")
    new = await source.values.put("new", b"3", ttl_s=10)
    elsewhere = await target.values.put("same", b"by another server")
    await Move(source, target, carried).rest()
    found = await target.values.scan("")
    assert {key: (item.value, item.version) for key, item in found.items()} == {
        "changed": (b"2", changed),
        "new": (b"3", new),
        "same": (b"by another server", elsewhere),
    }


async def test_the_probe_writes_and_leaves_nothing(source: MemoryStorage, target: Target) -> None:
    asked: list[str] = []

    async def note(operation: str) -> None:
        asked.append(operation)

    target.values.before = note
    await Move(source, target, {}).probe()
    assert asked == ["put"]
    assert await target.values.get(PROBE_KEY) is None

    async def full(operation: str) -> None:
        raise HubError(Code.NO_SPACE, "Full.")

    target.values.before = full
    with pytest.raises(HubError):
        await Move(source, target, {}).probe()


async def test_documents_are_moved_as_they_are_now_and_drops_too(source: MemoryStorage, target: Target) -> None:
    await fill(target.documents, "c", "in the file", "edited in the file")
    await target.documents.change("c", "d2", b"edited", "edited", expect=1)
    await fill(target.documents, "dropped", "gone")
    await source.documents.drop("dropped")
    await fill(source.documents, "c", *(f"late {n}" for n in range(2, 3 * DOCUMENTS_PAGE)), first=2)
    move = Move(source, target, {})
    await move.most()
    await source.documents.change("c", "d3", b"changed", "changed", expect=1)
    await fill(source.documents, "new", "last")
    await move.rest()
    assert await target.documents.collections() == ["c", "new"]
    page = await target.documents.page("c", 0, 999)
    assert [document.id for document in page] == [f"d{n}" for n in range(1, 3 * DOCUMENTS_PAGE)]
    assert [(document.version, document.data) for document in page[:3]] == [
        (1, b"in the file"),
        (2, b"edited"),
        (2, b"changed"),
    ]
    assert await found(target.documents, "changed last", "c", "new") == []
    assert await found(target.documents, "chan", "c", "new") == ["d3"]
    await Move(source, target, {}).rest()
    assert await target.documents.page("c", 0, 999) == page


async def test_a_flood_into_the_source_ends_the_moving_beside_it(source: MemoryStorage, target: Target) -> None:
    number = 0

    async def flood(operation: str) -> None:
        nonlocal number
        if operation == "append":
            await source.log.append("t", drafts(number + 1, number + 2 * PAGE))
            number += 2 * PAGE

    await flood("append")
    target.log.before = flood
    async with asyncio.timeout(5):
        await Move(source, target, {}).most()
