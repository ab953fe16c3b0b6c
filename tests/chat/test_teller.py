"""Events of messages: told once each by ids that follow from the message, and replayed no longer when they are old."""

from __future__ import annotations

import msgspec

from jupyter_ws_hub.chat.teller import PAGE, Teller, events_of

from .world import ROOM, TOPIC, World, answer, ended, said


def teller(world: World) -> Teller:
    """One that tells through a hub."""
    return Teller(world.storage, world.server().hub.topics.publish)


def test_the_ids_of_events_follow_from_the_message() -> None:
    done = ended(answer())
    edited = msgspec.structs.replace(done, edited=1, version=7)
    assert [event.id for event in events_of(said())] == ["m1"]
    assert [event.id for event in events_of(answer())] == ["a1:started"]
    assert [event.id for event in events_of(done)] == ["a1:started", "a1:finished"]
    assert [event.id for event in events_of(edited)] == ["a1:started", "a1:finished", "a1:7"]


async def test_what_was_told_is_not_told_again() -> None:
    world = World()
    one = teller(world)
    for _ in range(3):
        await one.tell(said())
    assert world.log.kinds == ["message"]


async def test_what_was_never_told_is_told_as_it_is_now() -> None:
    world = World()
    now = msgspec.structs.replace(said(text="now"), edited=1, version=2)
    await teller(world).tell_instead(now, ["m1"])
    assert world.log.kinds == ["message", "message.changed"]
    assert world.reader().messages == {"m1": now}
    assert [record.kind for record in await world.log.read(TOPIC, 0, 10)] == ["message.changed"]


async def test_pieces_are_found_again_however_far_back_they_are() -> None:
    world = World()
    one, message = teller(world), answer()
    await one.tell(message)
    offset = await one.tell_piece(message, 0, "a😀")
    for number in range(PAGE + 10):
        await one.tell(said(f"m{number}"))
    last = await one.tell_piece(message, 3, "b")
    await one.tell_piece(answer("a10"), 0, "another")
    pieces = await one.pieces(message)
    assert (sorted(pieces.offsets), pieces.text) == ([offset, last], "a😀b")
    half = msgspec.structs.replace(message, text="a😀")
    assert (await one.pieces(half)).text == "a😀b"
    await one.forget_pieces(ROOM, pieces.offsets)
    assert await one.pieces(message) == ([], "")


async def test_a_room_is_forgotten_with_what_was_compacted() -> None:
    world = World()
    one, message = teller(world), answer()
    await one.tell(message)
    offset = await one.tell_piece(message, 0, "x")
    assert offset is not None
    await one.forget_pieces(ROOM, [offset])
    await one.forget_room(ROOM, world.runtime.now_ms())
    head = await world.log.head(TOPIC)
    assert (head.offset, head.floor) == (2, 2)
    await one.tell(message)
    assert (await world.log.head(TOPIC)).offset == 3, "its ids are free again"
