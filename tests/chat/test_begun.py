"""What was begun is written down until it has ended, and a server that says nothing counts as dead."""

from __future__ import annotations

from jupyter_ws_hub.chat.begun import PULSE_S, PULSE_TTL_S, YOUNG_MS, Begun, Mark

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
