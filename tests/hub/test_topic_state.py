"""What is offered to many subscribers: at once after a rest, then gathered, in order, each event once."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import msgspec
import pytest

from jupyter_ws_hub.hub.topic_state import (
    AT_A_TIME,
    FEW,
    MAX_GATHER_S,
    MAX_GATHERED,
    PIECE_BYTES,
    Batch,
    TopicState,
    join_pieces,
)
from jupyter_ws_hub.protocol.codec import join_frame
from jupyter_ws_hub.protocol.messages import Event
from jupyter_ws_hub.storage.base import Record

from ..support.fakes import turns
from .client import TOPICS


@dataclass(eq=False)
class Listener:
    """A subscriber that takes everything."""

    batches: list[Batch] = field(default_factory=list)
    catches_up: int = 0
    renewed: int = 0

    def offer(self, batch: Batch) -> None:
        self.batches.append(batch)

    def catch_up(self) -> None:
        self.catches_up += 1

    def renew(self) -> None:
        self.renewed += 1

    def hold(self) -> None:
        pass

    def recheck(self) -> None:
        pass

    @property
    def offsets(self) -> list[int | None]:
        """What was offered; each batch says truly what is in it."""
        offsets: list[int | None] = []
        for batch in self.batches:
            events = msgspec.json.decode(join_frame(batch.pieces), type=list[Event])
            its = [event.offset for event in events]
            if batch.first is not None:
                assert its == list(range(batch.first, (batch.last or 0) + 1))
            assert batch.size == sum(map(len, batch.pieces))
            offsets += its
        return offsets


def make(listeners: int) -> tuple[TopicState, Listener]:
    """A topic with so many subscribers, and one of them."""
    state = TopicState("notes/a", "notes/a", TOPICS[0])
    state.subscribers.update(Listener() for _ in range(listeners - 1))
    listener = Listener()
    state.subscribers.add(listener)
    return state, listener


def records(*offsets: int) -> list[Record]:
    return [Record(offset, f"m{offset}", "note", 0, b"{}") for offset in offsets]


async def test_few_are_told_of_each_event_at_once() -> None:
    state, listener = make(FEW)
    for offset in range(1, 6):
        state.announce(records(offset))
        assert listener.offsets[-1] == offset
    assert len(listener.batches) == 5


async def test_many_are_told_of_the_first_at_once_and_of_what_comes_soon_after_it_together() -> None:
    state, listener = make(300)
    for offset in range(1, 6):
        state.announce(records(offset))
        await turns(30)
    assert listener.offsets == [1]
    await asyncio.sleep(2 * MAX_GATHER_S)
    assert listener.offsets == [1, 2, 3, 4, 5] and len(listener.batches) == 2
    state.announce(records(6))
    await turns(30)
    assert listener.offsets[-1] == 6


async def test_what_is_gathered_is_bounded() -> None:
    state, listener = make(300)
    state.announce(records(1))
    state.announce(records(*range(2, MAX_GATHERED + 2)))
    await turns(50)
    assert listener.offsets == list(range(1, MAX_GATHERED + 2))


async def test_a_round_through_many_gives_way_to_others_and_batches_keep_their_order() -> None:
    state, _ = make(10 * AT_A_TIME)
    listeners = [listener for listener in state.subscribers if isinstance(listener, Listener)]
    state.announce(records(1))
    served = [sum(len(listener.batches) for listener in listeners)]
    state.announce(records(2))
    state.flush()
    for _ in range(25):
        await asyncio.sleep(0)
        served.append(sum(len(listener.batches) for listener in listeners))
    assert max(after - before for before, after in itertools.pairwise(served)) == AT_A_TIME
    assert {tuple(listener.offsets) for listener in listeners} == {(1, 2)}


async def test_an_event_is_announced_once() -> None:
    state, listener = make(1)
    state.announce(records(1, 2))
    state.announce(records(2))
    state.announce(records(1, 2, 3))
    assert listener.offsets == [1, 2, 3]


@pytest.mark.parametrize("run", [[2, 4], [9, 10]])
async def test_a_hole_is_left_to_the_log_and_what_was_gathered_before_it_is_offered(run: list[int]) -> None:
    state, listener = make(300)
    state.announce(records(1))
    state.announce(records(2) if run[0] == 9 else records(1))
    state.announce(records(*run))
    await turns(60)
    assert listener.offsets == ([1, 2] if run[0] == 9 else [1])
    assert (listener.catches_up, state.head) == (1, run[-1])


async def test_a_head_that_was_seen_in_the_log_meanwhile_is_no_gap_in_what_is_offered() -> None:
    state, listener = make(300)
    state.announce(records(1))
    state.announce(records(2, 3))
    state.head = 7  # another server has written
    state.announce(records(8))
    await asyncio.sleep(2 * MAX_GATHER_S)
    assert listener.offsets == [1, 2, 3] and listener.catches_up == 1


async def test_without_a_log_events_are_gathered_as_well() -> None:
    state, listener = make(300)
    for number in range(3):
        state.shout(Event("shouts", None, f"m{number}", "note", 0, msgspec.Raw(b"{}")))
        await turns(30)
    assert len(listener.offsets) == 1
    state.flush()
    await turns(30)
    assert listener.offsets == [None] * 3
    state.flush()
    assert len(listener.batches) == 2


async def test_another_log_makes_nothing_of_what_was_gathered() -> None:
    state, listener = make(300)
    state.announce(records(1))
    await turns(30)
    state.announce(records(2))
    state.renew()
    await asyncio.sleep(2 * MAX_GATHER_S)
    assert (listener.offsets, listener.renewed, state.head) == ([1], 1, 0)
    state.announce(records(1))
    await turns(30)
    state.flush()
    await turns(30)
    assert listener.offsets == [1, 1]


def test_pieces_are_of_a_size_and_lose_nothing() -> None:
    envelopes = [b"%d" % number * (number % 97) for number in range(1, 2000)]
    pieces = join_pieces(envelopes)
    assert b",".join(pieces) == b",".join(envelopes)
    assert all(len(piece) <= PIECE_BYTES for piece in pieces)
    assert join_pieces([b"x" * (PIECE_BYTES + 1), b"y"]) == [b"x" * (PIECE_BYTES + 1), b"y"]
