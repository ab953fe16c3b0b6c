"""Followed directories: each watched once, by what can see its changes, and told in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_ws_hub.listing import feed as module
from jupyter_ws_hub.listing.elsewhere import ContentsEvent
from jupyter_ws_hub.listing.entry import Directory, DirectoryChanged, Entry
from jupyter_ws_hub.listing.feed import Feed
from jupyter_ws_hub.listing.helper import ListingHelper, ListingSettings
from tests.support.fakes import until


class Rig:
    """A feed with a real helper; what it publishes is in `told`."""

    def __init__(self) -> None:
        """Nothing is followed."""
        self.told: list[tuple[str, DirectoryChanged]] = []
        self.listeners: list[Callable[[ContentsEvent], None]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        logger = logging.getLogger("test")
        self.helper = ListingHelper(logger, ListingSettings())
        self.feed = Feed(self.helper, logger, self.listen, self.look, self.publish)

    def listen(self, on_event: Callable[[ContentsEvent], None]) -> Callable[[], None]:
        """Take a listener."""
        self.listeners.append(on_event)
        return lambda: self.listeners.remove(on_event)

    async def look(self, path: str) -> Entry | None:
        """Nothing is there."""
        return None

    async def publish(self, topic: str, change: DirectoryChanged) -> None:
        """Note it."""
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.told.append((topic, change))

    async def close(self) -> None:
        """End all."""
        await self.feed.stop()
        await self.helper.stop()


async def test_directories_on_the_disk_are_watched_by_the_helper(tmp_path: Path) -> None:
    rig = Rig()
    await rig.feed.begin("t", "d", Directory(str(tmp_path), "d"))
    assert not rig.listeners
    (tmp_path / "a").touch()
    await until(lambda: bool(rig.told))
    assert rig.told[0][0] == "t" and [entry.name for entry in rig.told[0][1].entries] == ["a"]
    rig.feed.end("t")
    rig.feed.end("t")
    assert rig.helper.under_way == 0
    with pytest.raises(FileNotFoundError):
        await rig.feed.begin("t", "x", Directory(str(tmp_path / "x"), "x"))
    await rig.close()


async def test_others_by_the_manager_s_events_which_are_listened_to_once() -> None:
    rig = Rig()
    for topic in ("a", "b"):
        await rig.feed.begin(topic, topic, None)
    (listener,) = rig.listeners
    listener(ContentsEvent("rename", "a/new", "b/old"))
    await until(lambda: len(rig.told) == 2)
    assert sorted((topic, change.removed) for topic, change in rig.told) == [("a", ["new"]), ("b", ["old"])]
    rig.feed.end("a")
    assert rig.listeners
    rig.feed.end("b")
    assert not rig.listeners
    await rig.close()


async def test_changes_that_cannot_go_out_become_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 10)
    rig = Rig()
    rig.gate.clear()
    for number in range(30):
        rig.feed._put("t", DirectoryChanged("d", removed=[f"{number}"]))
    rig.gate.set()
    await until(lambda: not rig.feed._queue and rig.feed._publishing is not None and rig.feed._publishing.done())
    assert len(rig.told) <= 12
    assert any(change.reset for _, change in rig.told)
    assert rig.told[-1][1].removed == ["29"]
    await rig.close()


async def test_a_change_that_cannot_be_told_is_logged_and_the_next_one_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.error = RuntimeError("broken")
    rig.feed._put("t", DirectoryChanged("d", reset=True))
    await until(lambda: "broken" in caplog.text)
    rig.error = None
    rig.feed._put("t", DirectoryChanged("d", gone=True))
    await until(lambda: rig.told == [("t", DirectoryChanged("d", gone=True))])
    await rig.close()
