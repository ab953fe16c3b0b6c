"""Which operations a server knows: the same object for all who hold one, and nothing of what waits that none holds."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.journal import Journal
from jupyter_ws_hub.transfers.known import PAGE, Known
from jupyter_ws_hub.transfers.ledger import Ledger
from jupyter_ws_hub.transfers.operation import Operation
from jupyter_ws_hub.transfers.records import record_of
from jupyter_ws_hub.transfers.threads import Threads
from tests.support.fakes import fake_journal, fake_runtime

from .test_store import FakeStream


class Place:
    """What is known of a journal, and what was told to be gone."""

    def __init__(self, root: Path, threads: Threads) -> None:
        """Nothing is known yet."""
        self.journal: Journal = fake_journal(root)
        self.gone: list[tuple[str, str, str]] = []
        self.known = Known(Ledger(self.journal, threads, fake_runtime()), self._gone)

    async def _gone(self, operation: Operation) -> None:
        self.gone.append((operation.id, operation.direction, operation.path))

    def write(self, id: str, **fields: Any) -> Operation:
        """An operation that is written down, by some server."""
        operation = Operation(id, fields.pop("direction", "upload"), fields.pop("principal", "alice"), "a.bin", 10)
        for name, value in fields.items():
            setattr(operation, name, value)
        self.journal.save(record_of(operation, self.journal))
        return operation

    async def each(self) -> dict[str, bool]:
        """The ids of all, and whether there is news of them."""
        return {operation.id: is_news async for operation, is_news in self.known.each()}


@pytest.fixture
def place(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Place]:
    """A journal without records."""
    threads = Threads(2)
    yield Place(tmp_path, threads)
    jp_asyncio_loop.run_until_complete(threads.stop())


async def test_who_holds_one_that_waits_has_the_same_as_everybody(place: Place) -> None:
    place.write("id1")
    first, second = await asyncio.gather(place.known.find("id1"), place.known.find("id1"))
    assert first is not None and first is second
    async for operation, _ in place.known.each():
        assert operation is first
    place.known.put(first)
    assert await place.known.find("id1") is first


async def test_one_that_waits_is_read_again_when_nobody_holds_it(place: Place) -> None:
    place.known.put(place.write("id1", byte_offset=4))
    gc.collect()
    place.write("id1", byte_offset=6)
    found = await place.known.find("id1")
    assert found is not None and found.byte_offset == 6
    assert (place.known.whole(), place.known.unended("alice")) == ([], 1)


async def test_what_moves_or_has_ended_is_kept_as_it_is(place: Place) -> None:
    moving, done = place.write("id1"), place.write("id2", state="done")
    moving.stream = FakeStream()
    place.known.put(moving)
    place.known.put(done)
    moving.byte_offset = 7
    assert await place.known.find("id1") is moving
    assert await place.known.find("id2") is done
    assert moving.byte_offset == 7, "the journal has not heard of it"
    assert (place.known.running("alice"), place.known.running("bob"), place.known.running()) == ([moving], [], [moving])
    assert (place.known.ended("alice"), place.known.unended("alice")) == ([done], 1)
    moving.stream = None
    place.known.put(moving)
    assert place.known.whole() == [done]


async def test_news_is_what_was_touched_since_and_what_nobody_knew(place: Place) -> None:
    held = place.write("id1", touched_s=5.0)
    place.known.put(held)
    place.known.put(place.write("id2", touched_s=5.0))
    place.write("id3", state="done")
    assert await place.each() == {"id1": False, "id2": False, "id3": True}
    assert await place.each() == {"id1": False, "id2": False, "id3": False}
    for id in ("id1", "id2"):
        place.write(id, touched_s=6.0, byte_offset=9)
    assert await place.each() == {"id1": True, "id2": True, "id3": False}
    assert held.byte_offset == 9


async def test_what_another_server_has_removed_is_told_once(place: Place) -> None:
    place.known.put(place.write("id1"))
    place.known.put(place.write("id2", direction="download"))
    held = place.write("id3")
    place.known.put(held)
    for id in ("id1", "id2", "id3"):
        place.journal.remove(id)
    assert await place.known.find("id1") is None
    assert place.gone == [("id1", "upload", "")]
    assert await place.each() == {}
    assert sorted(place.gone[1:]) == [("id2", "download", "a.bin"), ("id3", "upload", "a.bin")]
    assert await place.each() == {}
    assert len(place.gone) == 3
    assert place.known.unended("alice") == 0


async def test_one_that_never_was_is_not_told_to_be_gone(place: Place) -> None:
    assert await place.known.find("id1") is None
    with pytest.raises(HubError) as caught:
        await place.known.find("../id1")
    assert caught.value.code is Code.NOT_FOUND
    assert place.gone == []


async def test_one_that_begins_to_move_while_its_record_is_read_stays_as_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = place.write("id1")
    place.known.put(operation)
    load = place.journal.load

    def begin(id: str) -> Any:
        record = load(id)
        operation.stream, operation.byte_offset = FakeStream(), 8
        place.known.put(operation)
        return record and msgspec.structs.replace(record, touched_s=9.0)

    monkeypatch.setattr(place.journal, "load", begin)
    assert await place.known.find("id1") is operation
    assert operation.byte_offset == 8
    operation.stream = None
    place.known.put(operation)
    assert await place.each() == {"id1": False}
    assert operation.byte_offset == 8


async def test_one_that_ends_just_now_is_not_taken_for_gone(place: Place) -> None:
    operation = place.write("id1")
    place.known.put(operation)
    place.journal.remove("id1")
    operation.state = "cancelled"  # what it has left is still being removed
    assert await place.known.find("id1") is operation
    await place.each()
    assert place.gone == []
    assert place.known.update(operation)
    assert place.known.ended("alice") == [operation]


async def test_what_is_gone_does_not_come_back_with_the_end_of_its_stream(place: Place) -> None:
    operation = place.write("id1")
    place.known.put(operation)
    operation.stream = FakeStream()
    assert place.known.update(operation)
    await place.known.gone("id1")
    operation.stream = None
    assert not place.known.update(operation)
    assert (place.known.unended("alice"), place.known.whole(), len(place.gone)) == (0, [], 1)


async def test_many_are_read_in_pages_and_all_are_seen(place: Place) -> None:
    many = 2 * PAGE + 1
    for number in range(many):
        place.write(f"id{number}")
    assert await place.each() == {f"id{number}": True for number in range(many)}
    assert place.known.unended("alice") == many


async def test_a_source_is_needed_as_long_as_another_download_has_it(place: Place) -> None:
    place.known.put(place.write("id1", direction="download"))
    place.known.put(place.write("id2"))
    assert not place.known.needs("a.bin", "id1"), "an upload needs no source"
    ended = place.write("id3", direction="download", state="done")
    place.known.put(ended)
    assert place.known.needs("a.bin", "id1") and place.known.needs("a.bin", "id3")
    assert not place.known.needs("b.bin", "id1")
    await place.known.gone("id3")
    assert not place.known.needs("a.bin", "id1")


async def test_overdue_is_what_waits_and_was_not_touched_since(place: Place) -> None:
    place.known.put(place.write("id1", touched_s=5.0))
    place.known.put(place.write("id2", touched_s=7.0))
    place.known.put(place.write("id3", touched_s=1.0, state="failed"))
    assert place.known.overdue(6.0) == ["id1"]


async def test_what_went_wrong_is_kept_without_what_it_went_through(place: Place) -> None:
    operation = place.write("id1")
    try:
        raise HubError(Code.NO_SPACE, "full")
    except HubError as error:
        operation.error = error
    place.known.put(operation)
    assert operation.error is not None and operation.error.__traceback__ is None
