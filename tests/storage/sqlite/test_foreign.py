"""Servers that share a file hear of each other's messages, and of their own not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jupyter_ws_hub.storage.base import Storage

from ..contract import NOTHING, draft, drafts, whole
from . import APPEND, WAIT_S, open_storage, output_of


class Listener:
    """What `on_foreign` was called with."""

    def __init__(self, storage: Storage) -> None:
        """Listen; must run on the loop."""
        self.heard: list[str] = []
        self._changed = asyncio.Event()
        storage.log.on_foreign(self._hear)

    def _hear(self, topic: str) -> None:
        self.heard.append(topic)
        self._changed.set()

    async def wait_for(self, *topics: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while not set(topics) <= set(self.heard):
                self._changed.clear()
                await self._changed.wait()


async def test_a_server_hears_of_the_others_messages_only(tmp_path: Path) -> None:
    one, other = open_storage(tmp_path / "hub.sqlite"), open_storage(tmp_path / "hub.sqlite")
    mine, theirs = Listener(one), Listener(other)
    await one.log.append("of one", drafts(1, 3))
    await one.values.put("a", b"")
    await theirs.wait_for("of one")
    topics = [f"of other/{n}" for n in range(50)]
    await asyncio.gather(
        *(other.log.append(topic, drafts(1, 2)) for topic in topics),
        *(one.log.append("of one", [draft(f"more{n}")]) for n in range(50)),
    )
    await mine.wait_for(*topics)
    output_of(APPEND, tmp_path / "hub.sqlite", "process", "3")
    await mine.wait_for("t")
    await theirs.wait_for("t")
    assert set(mine.heard) == {*topics, "t"}
    assert set(theirs.heard) == {"of one", "t"}
    for opened in (one, other):
        opened.close()


async def test_a_server_hears_of_a_topic_again_after_each_foreign_message(tmp_path: Path) -> None:
    one, other = open_storage(tmp_path / "hub.sqlite"), open_storage(tmp_path / "hub.sqlite")
    listener = Listener(one)
    for number in range(1, 4):
        listener.heard.clear()
        await other.log.append("t", drafts(2 * number - 1, 2 * number - 1))
        await listener.wait_for("t")
        await one.log.append("t", drafts(2 * number, 2 * number))
        await one.log.trim("t", NOTHING, 10**15)
    assert (await one.log.head("t")).offset == 6
    for opened in (one, other):
        opened.close()


async def test_a_busy_server_hears_of_the_others_messages_within_a_second(tmp_path: Path) -> None:
    busy, other = open_storage(tmp_path / "hub.sqlite"), open_storage(tmp_path / "hub.sqlite")
    listener, theirs = Listener(busy), Listener(other)
    number, stop = 0, False

    async def publish() -> None:
        nonlocal number
        while not stop:
            number += 1
            await busy.log.append("of busy", [draft(f"m{number}")])

    publishers = [asyncio.create_task(publish()) for _ in range(50)]
    loop = asyncio.get_running_loop()
    for round_ in range(5):
        before, topic = number, f"of other/{round_}"
        await other.log.append(topic, drafts(1, 1))
        started_s = loop.time()
        await listener.wait_for(topic)
        assert loop.time() - started_s < 1.0
        theirs.heard.clear()
        await theirs.wait_for("of busy")
        assert number > before, "the writer was not busy"
    stop = True
    await asyncio.gather(*publishers)
    assert set(listener.heard) == {f"of other/{round_}" for round_ in range(5)}
    assert len(await whole(other.log, "of busy")) == number
    for opened in (busy, other):
        opened.close()
