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
from jupyter_ws_hub.hub.window import MIN_WINDOW_BYTES, SendWindow
from jupyter_ws_hub.protocol.codec import OUTBOUND_FRAME_BYTES
from jupyter_ws_hub.protocol.errors import RemoteProtocolError

from ..support.fakes import turns
from .client import run

MUCH = 1 << 30
SHARING = (Lane.INTERACTIVE, Lane.NORMAL, Lane.BULK)
Item = tuple[Lane, int]


def make(max_bytes: int = MUCH) -> Outbox:
    """An outbox whose client acknowledges nothing, and whose line is so fast that it need not."""
    outbox = Outbox(max_bytes, lambda: 0.0, lambda: None)
    outbox._window = Wide(0.0)
    return outbox


class Wide(SendWindow):
    """A window that never closes."""

    @property
    def size_bytes(self) -> int:
        return 1 << 60


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
        frame = outbox.frame()
        assert frame is not None
        frames.append(frame)
    return frames


ITEMS = st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 70_000)), min_size=1, max_size=40)


@given(ITEMS)
def test_everything_comes_out_once_and_each_lane_in_order(items: list[Item]) -> None:
    outbox = make(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    out = [item for frame in run(drain(outbox)) for item in decode(frame)]
    for lane in Lane:
        expected = [(lane, number) for number, (its, _) in enumerate(items) if its is lane]
        assert [item for item in out if item[0] is lane] == expected


@given(ITEMS)
def test_a_frame_is_over_64_kib_only_if_one_envelope_alone_is(items: list[Item]) -> None:
    outbox = make(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    for frame in run(drain(outbox)):
        assert len(frame) <= OUTBOUND_FRAME_BYTES or len(decode(frame)) == 1


@pytest.mark.parametrize("lane", [Lane.CONTROL, Lane.INTERACTIVE, Lane.NORMAL])
async def test_a_frame_of_many_small_envelopes_is_at_most_64_kib(lane: Lane) -> None:
    outbox = make(MUCH)
    for number in range(6000):
        outbox.put(lane, envelope(lane, number))
    assert all(len(frame) <= OUTBOUND_FRAME_BYTES for frame in await drain(outbox))


@given(ITEMS)
def test_a_frame_carries_at_most_32_kib_of_bulk_unless_one_envelope_is_larger(items: list[Item]) -> None:
    outbox = make(MUCH)
    for number, (lane, size) in enumerate(items):
        outbox.put(lane, envelope(lane, number, size))
    for frame in run(drain(outbox)):
        bulk = sizes(frame, Lane.BULK)
        assert sum(bulk) <= BULK_FRAME_BYTES or len(bulk) == 1


async def test_control_goes_first() -> None:
    outbox = make(MUCH)
    for lane in reversed(Lane):
        outbox.put(lane, envelope(lane, 1))
        outbox.put(lane, envelope(lane, 2))
    out = decode(outbox.frame())
    assert out[:2] == [(Lane.CONTROL, 1), (Lane.CONTROL, 2)]
    assert len(out) == 2 * len(Lane)


async def test_control_that_fills_frames_goes_before_all_others() -> None:
    outbox = make(MUCH)
    outbox.put(Lane.INTERACTIVE, envelope(Lane.INTERACTIVE, 0, 10_000))
    for number in range(6):
        outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, number, 30_000))
    out = [lane for frame in await drain(outbox) for lane, _ in decode(frame)]
    assert out == [Lane.CONTROL] * 6 + [Lane.INTERACTIVE]


@pytest.mark.parametrize("size", [100, 10_000, 30_000, 50_000, 65_000])
@pytest.mark.parametrize("behind", [Lane.NORMAL, Lane.BULK])
async def test_an_interactive_envelope_waits_for_one_frame_at_most(size: int, behind: Lane) -> None:
    outbox = make(MUCH)
    for number in range(1000):
        outbox.put(behind, envelope(behind, number, 2000))
    for in_flight in range(3):
        outbox.frame()
        outbox.put(Lane.INTERACTIVE, envelope(Lane.INTERACTIVE, in_flight, size))
        assert (Lane.INTERACTIVE, in_flight) in decode(outbox.frame())


SIZES = st.integers(1, 70_000)


@settings(max_examples=60)
@example(waiting=Lane.BULK, size=BULK_FRAME_BYTES + 1, traffic=[100, 100, 100])
@example(waiting=Lane.NORMAL, size=OUTBOUND_FRAME_BYTES, traffic=[100, 100, 100])
@example(waiting=Lane.INTERACTIVE, size=OUTBOUND_FRAME_BYTES, traffic=[2000] * 40)
@given(waiting=st.sampled_from(SHARING), size=SIZES, traffic=st.lists(SIZES, min_size=3, max_size=12))
def test_no_lane_starves_while_the_others_are_never_empty(waiting: Lane, size: int, traffic: list[int]) -> None:
    outbox = make(MUCH)
    target = envelope(waiting, 0, size)
    others = [lane for lane in SHARING if lane is not waiting]

    async def frames_until_sent() -> int:
        outbox.put(waiting, target)
        for frames in range(1, 100):
            for number, amount in enumerate(traffic):
                lane = others[number % len(others)]
                outbox.put(lane, envelope(lane, number + 1, amount))
            if (waiting, 0) in decode(outbox.frame()):
                return frames
        return 100

    assert run(frames_until_sent()) < 100


async def test_lanes_share_by_weight() -> None:
    outbox = make(MUCH)
    for lane in SHARING:
        for number in range(3000):
            outbox.put(lane, envelope(lane, number, 500))
    out = [lane for _ in range(10) for lane, _ in decode(outbox.frame())]
    shares = [out.count(lane) / len(out) for lane in SHARING]
    assert shares == pytest.approx([8 / 13, 4 / 13, 1 / 13], abs=0.08)


async def test_a_lane_that_was_idle_has_saved_up_nothing() -> None:
    outbox = make(MUCH)
    for number in range(2000):
        outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, number, 1000))
    await drain(outbox)
    for lane in (Lane.NORMAL, Lane.BULK):
        for number in range(2000):
            outbox.put(lane, envelope(lane, number, 1000))
    out = [lane for _ in range(10) for lane, _ in decode(outbox.frame())]
    assert out.count(Lane.BULK) / len(out) == pytest.approx(1 / 5, abs=0.08)


async def test_more_urgent_data_than_the_bound_is_full() -> None:
    outbox = make(2000)
    outbox.put(Lane.CONTROL, b"x" * 600)
    with pytest.raises(OutboxFull):
        outbox.put(Lane.INTERACTIVE, b"x" * 401)
    outbox.put(Lane.INTERACTIVE, b"x" * 400)
    outbox.put(Lane.NORMAL, b"x" * 1000)
    assert outbox.queued_bytes == 2000


async def test_more_data_than_half_the_bound_is_full() -> None:
    outbox = make(4000)
    outbox.put(Lane.BULK, b"x" * 1500)
    with pytest.raises(OutboxFull):
        outbox.put(Lane.NORMAL, b"x" * 501)
    outbox.put(Lane.CONTROL, b"x")
    assert outbox.queued_bytes == 1501


@given(ITEMS)
def test_what_waits_is_bounded_whatever_is_put(items: list[Item]) -> None:
    outbox = make(50_000)
    for number, (lane, size) in enumerate(items):
        with contextlib.suppress(OutboxFull):
            outbox.put(lane, envelope(lane, number, size))
        assert outbox.queued_bytes <= 50_000


async def test_room_is_waited_for_until_the_queue_is_below_its_bound() -> None:
    outbox = make(120_000)
    await outbox.room()
    for number in range(2):
        outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, number, 29_000))
    assert not outbox.has_room()
    waiting = [asyncio.create_task(outbox.room()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    outbox.frame()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert outbox.has_room()


async def test_who_waits_for_room_is_freed_by_the_close() -> None:
    outbox = make(40)
    outbox.put(Lane.BULK, b"x" * 20)
    waiting = asyncio.create_task(outbox.room())
    await turns()
    outbox.close()
    await asyncio.wait_for(waiting, 5)


async def test_who_writes_is_told_when_there_is_something() -> None:
    told: list[int] = []
    outbox = Outbox(MUCH, lambda: 0.0, lambda: told.append(1))
    assert outbox.frame() is None and told == []
    outbox.put(Lane.BULK, envelope(Lane.BULK, 7))
    assert told
    assert decode(outbox.frame()) == [(Lane.BULK, 7)]


async def test_data_waits_for_the_window_and_what_is_urgent_does_not() -> None:
    outbox = Outbox(MUCH, lambda: 0.0, lambda: None)
    for number in range(300):
        outbox.put(Lane.NORMAL, envelope(Lane.NORMAL, number, 1000))
    frames = [frame for _ in range(10) if (frame := outbox.frame())]
    assert MIN_WINDOW_BYTES <= sum(map(len, frames)) <= MIN_WINDOW_BYTES + 2000
    for lane in (Lane.CONTROL, Lane.INTERACTIVE):
        outbox.put(lane, envelope(lane, 1))
        assert decode(outbox.frame()) == [(lane, 1)]
    assert outbox.frame() is None


async def test_an_acknowledgement_opens_the_window_and_tells_the_writer() -> None:
    told: list[int] = []
    outbox = Outbox(MUCH, lambda: 0.0, lambda: told.append(1))
    for number in range(300):
        outbox.put(Lane.BULK, envelope(Lane.BULK, number, 1000))
    sent = len([frame for _ in range(10) if (frame := outbox.frame())])
    told.clear()
    outbox.acknowledge(0)
    assert told == []
    outbox.acknowledge(sent)
    assert told and outbox.frame()


async def test_more_frames_than_were_sent_cannot_be_acknowledged() -> None:
    outbox = Outbox(MUCH, lambda: 0.0, lambda: None)
    outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, 1))
    outbox.frame()
    outbox.acknowledge(1)
    with pytest.raises(RemoteProtocolError):
        outbox.acknowledge(2)


async def test_the_end_is_what_is_queued_as_control_then_the_last_words_then_nothing() -> None:
    outbox = make(MUCH)
    for lane in Lane:
        outbox.put(lane, envelope(lane, 1))
    outbox.close(envelope(Lane.CONTROL, 2))
    assert decode(outbox.frame()) == [(Lane.CONTROL, 1), (Lane.CONTROL, 2)]
    assert outbox.frame() is None
    assert outbox.frame() is None
    assert outbox.queued_bytes == 0


async def test_the_last_words_are_sent_even_if_control_is_full() -> None:
    outbox = make(200)
    outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, 1, 100))
    outbox.close(envelope(Lane.CONTROL, 2))
    assert (Lane.CONTROL, 2) in [item for frame in await drain(outbox) for item in decode(frame)]


async def test_a_closed_outbox_takes_nothing_and_stays_closed() -> None:
    outbox = make(MUCH)
    outbox.close(envelope(Lane.CONTROL, 1))
    outbox.close(envelope(Lane.CONTROL, 2))
    outbox.put(Lane.CONTROL, envelope(Lane.CONTROL, 3))
    assert decode(outbox.frame()) == [(Lane.CONTROL, 1)]
    assert outbox.frame() is None


async def test_bulk_leaves_normal_data_its_room() -> None:
    outbox = make(400_000)
    while outbox.has_bulk_room():
        outbox.put(Lane.BULK, envelope(Lane.BULK, 1, 5000))
    assert outbox.has_room() and outbox.queued_bytes <= 400_000 // 2 // 8 + 6000
    waiting = asyncio.create_task(outbox.bulk_room())
    await turns()
    assert not waiting.done()
    await drain(outbox)
    await asyncio.wait_for(waiting, 5)


async def test_what_has_gone_out_of_a_lane_is_counted() -> None:
    outbox = make(MUCH)
    for lane in Lane:
        outbox.put(lane, envelope(lane, 1))
    assert [outbox.taken_bytes(lane) for lane in Lane] == [0] * len(Lane)
    await drain(outbox)
    assert [outbox.taken_bytes(lane) for lane in Lane] == [len(envelope(lane, 1)) for lane in Lane]
