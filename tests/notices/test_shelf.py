"""A log's notifications as they are now."""

from __future__ import annotations

import msgspec

from jupyter_ws_hub.notices import shelf as shelf_module
from jupyter_ws_hub.notices.notification import Dismissed, Notification, ReadMarker
from jupyter_ws_hub.notices.shelf import Shelf
from jupyter_ws_hub.storage.base import Draft, LogRetention
from jupyter_ws_hub.storage.memory import MemoryLog, MemoryStorage

from ..support.fakes import FakeClock, counting_ids

KEY = "notifications/me//alice"


def note(id: str, version: int = 1, expires: int | None = None) -> Notification:
    """A notification."""
    return Notification(id, "info", f"{id} {version}", "", "alice", 0, version, expires=expires)


class Desk:
    """A shelf, and who writes into its log."""

    def __init__(self) -> None:
        """Nothing is there."""
        self.storage = MemoryStorage(FakeClock(), counting_ids("epoch"))
        self.shelf = Shelf(KEY, self.storage)
        self.ids = counting_ids("event")

    async def write(self, *payloads: msgspec.Struct) -> None:
        """Append events."""
        kinds = {Notification: "notification", ReadMarker: "read", Dismissed: "dismissed"}
        drafts = [Draft(self.ids(), kinds[type(one)], 0, msgspec.json.encode(one)) for one in payloads]
        await self.storage.log.append(KEY, drafts)

    async def titles(self) -> list[str]:
        """What the shelf shows."""
        await self.shelf.refresh()
        return [entry.notification.title for entry in self.shelf.entries.values()]

    async def kept(self) -> list[int]:
        """The offsets that have data."""
        return [record.offset for record in await self.storage.log.read(KEY, 0, 10_000)]


async def test_the_newest_version_counts_and_older_ones_are_let_go_of() -> None:
    desk = Desk()
    await desk.write(note("a"), note("b"), note("a", 2))
    assert await desk.titles() == ["a 2", "b 1"]
    await desk.write(note("a", 3), note("a", 2))
    assert await desk.titles() == ["a 3", "b 1"]
    await desk.shelf.tidy(at_least=4)
    assert await desk.kept() == [1, 2, 3, 4, 5]
    await desk.shelf.tidy()
    assert await desk.kept() == [2, 4]
    again = Shelf(KEY, desk.storage)
    await again.refresh()
    assert again.entries == desk.shelf.entries


async def test_of_markers_the_last_one_stays_and_of_dismissals_the_newest() -> None:
    desk = Desk()
    await desk.write(*(ReadMarker(n) for n in range(3)), *(Dismissed(str(n)) for n in range(205)))
    await desk.shelf.refresh()
    await desk.shelf.tidy()
    assert await desk.kept() == [3, *range(9, 209)]


async def test_more_than_a_page_is_read_and_only_what_is_new_is_read_again() -> None:
    desk = Desk()
    number = shelf_module.PAGE * 2 + 1
    await desk.write(*(note(str(n)) for n in range(number)))
    assert len(await desk.titles()) == number
    desk.shelf.entries.clear()
    await desk.write(note("new"))
    assert await desk.titles() == ["new 1"]


async def test_what_was_trimmed_is_gone() -> None:
    desk = Desk()
    await desk.write(note("a"), note("b"))
    assert len(await desk.titles()) == 2
    await desk.storage.log.trim(KEY, LogRetention(1, 10_000, 1e9), 0)
    assert await desk.titles() == ["b 1"]


async def test_another_log_is_read_anew() -> None:
    desk = Desk()
    await desk.write(note("a"), note("a", 2))
    assert await desk.titles() == ["a 2"]
    desk.storage.log = MemoryLog(counting_ids("other"))
    assert await desk.titles() == []
    await desk.write(note("c"))
    await desk.shelf.tidy()
    assert await desk.titles() == ["c 1"]
    assert await desk.kept() == [1]


async def test_what_has_expired_is_forgotten() -> None:
    desk = Desk()
    await desk.write(note("a", expires=1000), note("b", expires=2000), note("c"))
    await desk.shelf.refresh()
    desk.shelf.expire(1000)
    assert await desk.titles() == ["b 1", "c 1"]
    await desk.shelf.tidy()
    assert await desk.kept() == [2, 3]
