"""The send queue of a connection: who goes first, how much goes at once, how much may wait, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Lane
from jupyter_ws_hub.hub.outbox import BULK_FRAME_BYTES, Outbox, OutboxFull
from jupyter_ws_hub.protocol.codec import OUTBOUND_FRAME_BYTES

from ..support.fakes import turns
from .client import run

MUCH = 1 << 30
SHARING = (Lane.INTERACTIVE, Lane.NORMAL, Lane.BULK)
Item = tuple[Lane, int]


def envelope(lane: Lane, number: int, size: int = 0) -> bytes:
    """An envelope of `size` bytes (or a few more) that says which it is."""
    head = f'["{lane.name}",{number},"'
    return (head + "x" * max(0, size - len(head) - 2) + '"]').encode()


def decode(frame: bytes | None) -> list[Item]:
    """Lane and number of each envelope of a frame."""
    assert frame is not None
    return [(Lane[name], number) for name, number, _ in json.loads(frame)]


def sizes(frame: bytes, lane: Lane) -> list[int]:
    """The sizes of a lane's envelopes in a frame."""
    return [len(json.dumps(item, separators=(",", ":"))) for item in json.loads(frame) if item[0] == lane.name]


async def drain(outbox: Outbox) -> list[bytes]:
    """All frames that wait."""
    frames = []
    while outbox.queued_bytes:
        frame = await outbox.take()
        assert frame is not None
        frames.append(frame)
    return frames


ITEMS = st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 70_000)), min_size=1, max_size=40)


@given(ITEMS)
def test_everything_comes_out_once_and_each_lane_in_order(items: list[Item]) -> None:
    outbox = Outbox(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    out = [item for frame in run(drain(outbox)) for item in decode(frame)]
    for lane in Lane:
        expected = [(lane, number) for number, (its, _) in enumerate(items) if its is lane]
        assert [item for item in out if item[0] is lane] == expected


@given(ITEMS)
def test_a_frame_is_over_64_kib_only_if_one_envelope_alone_is(items: list[Item]) -> None:
    outbox = Outbox(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    for frame in run(drain(outbox)):
        assert len(frame) <= OUTBOUND_FRAME_BYTES or len(decode(frame)) == 1


@pytest.mark.parametrize("lane", [Lane.CONTROL, Lane.INTERACTIVE, Lane.NORMAL])
async def test_a_frame_of_many_small_envelopes_is_at_most_64_kib(lane: Lane) -> None:
    outbox = Outbox(MUCH)
    for number in range(6000):
        outbox.put(lane, envelope(lane, number))
    assert all(len(frame) <= OUTBOUND_FRAME_BYTES for frame in await drain(outbox))


@given(ITEMS)
def test_a_frame_carries_at_most_32_kib_of_bulk_unless_one_envelope_is_larger(items: list[Item]) -> None:
    outbox = Outbox(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    for frame in run(drain(outbox)):
        bulk = sizes(frame, Lane.BULK)
        assert sum(bulk) <= BULK_FRAME_BYTES or len(bulk) == 1


async def test_control_goes_first() -> None:
    outbox = Outbox(MUCH)
    for lane in reversed(Lane):
        outbox.put(lane, envelope(lane, 1))
        outbox.put(lane, envelope(lane, 2))
    out = decode(await outbox.take())
    assert out[:2] == [(Lane.CONTROL, 1), (Lane.CONTROL, 2)]
    assert len(out) == 2 * len(Lane)


async def test_control_that_fills_frames_goes_before_all_others() -> None:
    outbox = Outbox(MUCH)
    outbox.put(Lane.INTERACTIVE, envelope(Lane.INTERACTIVE, 0, 10_000))
    for number in range(6):
        outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, number, 30_000))
    out = [lane for frame in await drain(outbox) for lane, _ in decode(frame)]
    assert out == [Lane.CONTROL] * 6 + [Lane.INTERACTIVE]


@pytest.mark.parametrize("size", [100, 10_000, 30_000, 50_000, 65_000])
@pytest.mark.parametrize("behind", [Lane.NORMAL, Lane.BULK])
async def test_an_interactive_envelope_waits_for_one_frame_at_most(size: int, behind: Lane) -> None:
    outbox = Outbox(MUCH)
    for number in range(1000):
        outbox.put(behind, envelope(behind, number, 2000))
    for in_flight in range(3):
        await outbox.take()
        outbox.put(Lane.INTERACTIVE, envelope(Lane.INTERACTIVE, in_flight, size))
        assert (Lane.INTERACTIVE, in_flight) in decode(await outbox.take())


SIZES = st.integers(1, 70_000)


@settings(max_examples=60)
@example(waiting=Lane.BULK, size=BULK_FRAME_BYTES + 1, traffic=[100, 100, 100])
@example(waiting=Lane.NORMAL, size=OUTBOUND_FRAME_BYTES, traffic=[100, 100, 100])
@example(waiting=Lane.INTERACTIVE, size=OUTBOUND_FRAME_BYTES, traffic=[2000] * 40)
@given(waiting=st.sampled_from(SHARING), size=SIZES, traffic=st.lists(SIZES, min_size=3, max_size=12))
def test_no_lane_starves_while_the_others_are_never_empty(waiting: Lane, size: int, traffic: list[int]) -> None:
    outbox = Outbox(MUCH)
    target = envelope(waiting, 0, size)
    others = [lane for lane in SHARING if lane is not waiting]

    async def frames_until_sent() -> int:
        outbox.put(waiting, target)
        for frames in range(1, 100):
            for number, amount in enumerate(traffic):
                lane = others[number % len(others)]
                outbox.put(lane, envelope(lane, number + 1, amount))
            if (waiting, 0) in decode(await outbox.take()):
                return frames
        return 100

    assert run(frames_until_sent()) < 100


async def test_lanes_share_by_weight() -> None:
    outbox = Outbox(MUCH)
    for lane in SHARING:
        for number in range(3000):
            outbox.put(lane, envelope(lane, number, 500))
    out = [lane for _ in range(10) for lane, _ in decode(await outbox.take())]
    shares = [out.count(lane) / len(out) for lane in SHARING]
    assert shares == pytest.approx([8 / 13, 4 / 13, 1 / 13], abs=0.08)


async def test_a_lane_that_was_idle_has_saved_up_nothing() -> None:
    outbox = Outbox(MUCH)
    for number in range(2000):
        outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, number, 1000))
    await drain(outbox)
    for lane in (Lane.NORMAL, Lane.BULK):
        for number in range(2000):
            outbox.put(lane, envelope(lane, number, 1000))
    out = [lane for _ in range(10) for lane, _ in decode(await outbox.take())]
    assert out.count(Lane.BULK) / len(out) == pytest.approx(1 / 5, abs=0.08)


async def test_more_urgent_data_than_the_bound_is_full() -> None:
    outbox = Outbox(1000)
    outbox.put(Lane.CONTROL, b"x" * 600)
    with pytest.raises(OutboxFull):
        outbox.put(Lane.INTERACTIVE, b"x" * 401)
    outbox.put(Lane.INTERACTIVE, b"x" * 400)
    outbox.put(Lane.NORMAL, b"x" * 1000)
    assert outbox.queued_bytes == 2000


async def test_more_data_than_twice_the_bound_is_full() -> None:
    outbox = Outbox(1000)
    outbox.put(Lane.BULK, b"x" * 1500)
    with pytest.raises(OutboxFull):
        outbox.put(Lane.NORMAL, b"x" * 501)
    outbox.put(Lane.CONTROL, b"x")
    assert outbox.queued_bytes == 1501


@given(ITEMS)
def test_what_waits_is_bounded_whatever_is_put(items: list[Item]) -> None:
    outbox = Outbox(50_000)
    for number, (lane, size) in enumerate(items):
        with contextlib.suppress(OutboxFull):
            outbox.put(lane, envelope(lane, number, size))
        assert outbox.queued_bytes <= 150_000


async def test_room_is_waited_for_until_the_queue_is_below_its_bound() -> None:
    outbox = Outbox(30_000)
    await outbox.room()
    for number in range(2):
        outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, number, 29_000))
    assert not outbox.has_room()
    waiting = [asyncio.create_task(outbox.room()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    await outbox.take()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert outbox.has_room()


async def test_who_waits_for_room_is_freed_by_the_close() -> None:
    outbox = Outbox(10)
    outbox.put(Lane.BULK, b"x" * 20)
    waiting = asyncio.create_task(outbox.room())
    await turns()
    outbox.close()
    await asyncio.wait_for(waiting, 5)


async def test_take_waits_for_something_to_send() -> None:
    outbox = Outbox(MUCH)
    taking = asyncio.create_task(outbox.take())
    await turns()
    assert not taking.done()
    outbox.put(Lane.BULK, envelope(Lane.BULK, 7))
    assert decode(await asyncio.wait_for(taking, 5)) == [(Lane.BULK, 7)]


async def test_a_take_that_is_cancelled_loses_nothing() -> None:
    outbox = Outbox(MUCH)
    taking = asyncio.create_task(outbox.take())
    await turns()
    outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, 1))
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert decode(await outbox.take()) == [(Lane.NORMAL, 1)]


async def test_the_end_is_what_is_queued_as_control_then_the_last_words_then_nothing() -> None:
    outbox = Outbox(MUCH)
    for lane in Lane:
        outbox.put(lane, envelope(lane, 1))
    outbox.close(envelope(Lane.CONTROL, 2))
    assert decode(await outbox.take()) == [(Lane.CONTROL, 1), (Lane.CONTROL, 2)]
    assert await outbox.take() is None
    assert await outbox.take() is None
    assert outbox.queued_bytes == 0


async def test_the_last_words_are_sent_even_if_control_is_full() -> None:
    outbox = Outbox(100)
    outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, 1, 100))
    outbox.close(envelope(Lane.CONTROL, 2))
    assert (Lane.CONTROL, 2) in [item for frame in await drain(outbox) for item in decode(frame)]


async def test_a_closed_outbox_takes_nothing_and_stays_closed() -> None:
    outbox = Outbox(MUCH)
    outbox.close(envelope(Lane.CONTROL, 1))
    outbox.close(envelope(Lane.CONTROL, 2))
    outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, 3))
    assert decode(await outbox.take()) == [(Lane.CONTROL, 1)]
    assert await outbox.take() is None


async def test_a_take_that_waits_is_ended_by_the_close() -> None:
    outbox = Outbox(MUCH)
    taking = asyncio.create_task(outbox.take())
    await turns()
    outbox.close()
    assert await asyncio.wait_for(taking, 5) is None
