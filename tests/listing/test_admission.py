"""Which listings may begin, and which have to go for that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import inf

import pytest

from jupyter_ws_hub.listing import admission as module
from jupyter_ws_hub.listing.admission import Admission
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import turns

WORKING = 4
LIVING = 2 * WORKING
OF_ONE = 6


@dataclass(eq=False)
class Listing:
    """A listing that does what the test says."""

    who: str = "alice"
    idle_since_s: float = inf
    evicted: bool = field(default=False)

    def evict(self) -> None:
        """It has to go."""
        assert not self.evicted
        self.evicted = True


def idle(ago_s: float, who: str = "alice") -> Listing:
    return Listing(who, asyncio.get_running_loop().time() - ago_s)


async def filled(*listings: Listing) -> Admission:
    admission = Admission(WORKING)
    for listing in listings:
        await asyncio.wait_for(admission.admit(listing), 1)
    assert not any(listing.evicted for listing in listings)
    return admission


async def test_the_helper_works_on_few_at_a_time_and_idle_ones_do_not_count() -> None:
    working = [Listing() for _ in range(WORKING)]
    admission = await filled(*working)
    more = [asyncio.create_task(admission.admit(Listing("bob"))) for _ in range(2)]
    await turns()
    assert not any(task.done() for task in more) and admission.waiting == 2
    working[0].idle_since_s = asyncio.get_running_loop().time()
    admission.changed()
    await asyncio.wait_for(asyncio.wait(more, return_when=asyncio.FIRST_COMPLETED), 1)
    await turns()
    assert sum(task.done() for task in more) == 1
    admission.leave(working[1])
    admission.leave(working[1])
    await asyncio.wait_for(asyncio.gather(*more), 1)
    assert admission.waiting == 0


async def test_of_one_user_the_one_that_was_idle_longest_goes_for_the_next() -> None:
    listings = [idle(10 + n) for n in range(OF_ONE)]
    admission = await filled(*listings)
    other = idle(100, "bob")
    await admission.admit(other)
    await asyncio.wait_for(admission.admit(Listing()), 1)
    assert [one for one in (*listings, other) if one.evicted] == [listings[-1]]


async def test_one_that_has_just_become_idle_is_spared_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARED_S", 0.1)
    listings = [idle(0) for _ in range(OF_ONE)]
    admission = await filled(*listings)
    begun = asyncio.create_task(admission.admit(Listing()))
    await turns()
    assert not begun.done() and not any(one.evicted for one in listings)
    await asyncio.wait_for(begun, 5)
    assert sum(one.evicted for one in listings) == 1


async def test_where_all_places_are_taken_who_has_most_gives_one_at_once() -> None:
    greedy = [idle(0) for _ in range(OF_ONE)]
    modest = [idle(100, f"user{n}") for n in range(LIVING - OF_ONE)]
    admission = await filled(*greedy, *modest)
    for number in range(OF_ONE - 1):
        await asyncio.wait_for(admission.admit(idle(0, f"new{number}")), 1)
    assert sum(one.evicted for one in greedy) == OF_ONE - 1
    assert not any(one.evicted for one in modest)


async def test_where_all_have_one_the_longest_idle_goes() -> None:
    listings = [idle(10 + n, f"user{n}") for n in range(LIVING)]
    admission = await filled(*listings)
    await asyncio.wait_for(admission.admit(Listing("one more")), 1)
    assert sum(one.evicted for one in listings) == 1


async def test_so_many_wait_and_half_of_them_of_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 6)
    working = [Listing() for _ in range(WORKING)]
    admission = await filled(*working)
    waiting = []
    for who in ("alice", "bob"):
        waiting += [asyncio.create_task(admission.admit(Listing(who))) for _ in range(3)]
        await turns()
        with pytest.raises(HubError) as caught:
            await admission.admit(Listing(who))
        assert caught.value.code is Code.BUSY and caught.value.retry_after_ms
    with pytest.raises(HubError):
        await admission.admit(Listing("carol"))
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert admission.waiting == 0
    admission.leave(working[0])
    await asyncio.wait_for(admission.admit(Listing("carol")), 1)
