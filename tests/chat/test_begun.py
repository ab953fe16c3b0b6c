"""What was begun is written down until it has ended, and a server that says nothing counts as dead."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.chat.begun import LOOK_S, PULSE_S, PULSE_TTL_S, YOUNG_MS, Begun, Mark
from jupyter_ws_hub.storage.base import Versioned
from jupyter_ws_hub.storage.memory import MemoryValues

from .world import World


async def test_what_was_begun_is_known_until_it_is_done() -> None:
    world = World()
    here, there = Begun(world.storage, world.runtime), Begun(world.storage, world.runtime)
    marks = [Mark("room", "a/b c", 3, 1, ["x"]), Mark("room", "a/b c", 4, 1), Mark("room-2", "a", 0, 1, writer="me")]
    for mark in marks:
        await here.put(mark)
    assert list(await there.all()) == sorted(marks, key=lambda mark: mark.key)
    assert list(await there.all("room")) == marks[:2]
    await there.done(marks[0])
    await there.done(marks[0])
    assert list(await here.all("room")) == [marks[1]]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prefixes that stores in memory were looked through for."""
    prefixes: list[str] = []
    scan = MemoryValues.scan

    async def noted(self: MemoryValues, prefix: str) -> dict[str, Versioned]:
        prefixes.append(prefix)
        return await scan(self, prefix)

    monkeypatch.setattr(MemoryValues, "scan", noted)
    return prefixes


async def test_where_nothing_is_begun_the_store_is_hardly_asked_and_what_others_begin_is_found(
    scans: list[str],
) -> None:
    world = World()
    here, there = Begun(world.storage, world.runtime), Begun(world.storage, world.runtime)
    for _ in range(40):
        assert await here.left() == []
        world.clock.advance(2)
    assert len(scans) == 80 / LOOK_S
    mark = Mark("room", "a", 0, 1, writer="there")
    await there.put(mark)
    for _ in range(int(LOOK_S / 2) + 1):
        found = await here.left()
        world.clock.advance(2)
    assert found == [mark]
    scans.clear()
    for _ in range(5):
        assert await here.left() == [mark]
    assert len(scans) == 5
    await there.done(mark)
    assert await here.left() == await here.left() == []
    assert len(scans) == 6


async def test_what_begins_here_is_looked_for_at_once(scans: list[str]) -> None:
    world = World()
    begun = Begun(world.storage, world.runtime)
    assert await begun.left() == []
    await begun.put(mark := Mark("room", "a", 0, 1))
    assert await begun.left() == [mark]
    await begun.done(mark)
    assert await begun.left() == await begun.left() == []
    assert len(scans) == 3


async def test_a_server_lives_as_long_as_its_pulse_is_renewed() -> None:
    world = World()
    here, there = Begun(world.storage, world.runtime), Begun(world.storage, world.runtime)
    assert await here.lives(here.server) and not await there.lives(here.server)
    for _ in range(10):
        await here.beat()
        assert await there.lives(here.server)
        world.clock.advance(PULSE_S)
    world.clock.advance(PULSE_TTL_S)
    assert not await there.lives(here.server)


async def test_a_pulse_is_written_no_more_often_than_it_must() -> None:
    world = World()
    begun = Begun(world.storage, world.runtime)
    await begun.beat()
    stored = await world.storage.values.scan("chat/pulse/")
    world.clock.advance(PULSE_S / 2)
    await begun.beat()
    assert await world.storage.values.scan("chat/pulse/") == stored


def test_what_began_just_now_is_young() -> None:
    world = World()
    begun = Begun(world.storage, world.runtime)
    mark = Mark("room", "a", 0, world.runtime.now_ms())
    assert begun.is_young(mark)
    world.clock.advance(YOUNG_MS / 1000)
    assert not begun.is_young(mark)
