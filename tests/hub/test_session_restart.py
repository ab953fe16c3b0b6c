"""Requests over a server that was killed: answered from the store, run if they never began, and never run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from jupyter_ws_hub.hub.declare import Method
from jupyter_ws_hub.hub.records import LEASE_S, SessionRecords
from jupyter_ws_hub.hub.session import HubSession
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import FakeClock, HookedValues, turns
from .client import Desk, Note
from .office import Office, make_session, text_of


@dataclass
class House:
    """A store, and servers that come and go on it; `desk` counts what ran on any of them."""

    clock: FakeClock = field(default_factory=FakeClock)
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.values = HookedValues(self.clock)
        self.sessions: list[HubSession] = []

    def methods(self) -> list[Method]:
        """The desk's, and one that may run twice."""

        async def look(params: Note, peer: Peer) -> Note:
            return await self.desk.echo(params, peer)

        return [*self.desk.methods(), Method("look", Note, Note, ("read", "desk"), look, idempotent=True)]

    def begin(self) -> Office:
        """A session on a first server."""
        return self._office(make_session(self.methods(), self.values))

    async def restart(self) -> Office:
        """The server was killed; another one finds the session in the store."""
        restored = await SessionRecords(self.values, "another").load("s1")
        assert restored is not None
        return self._office(make_session(self.methods(), self.values, restored))

    def _office(self, session: HubSession) -> Office:
        office = Office(self.desk, session)
        session.attach(office)
        self.sessions.append(session)
        return office

    async def close(self) -> None:
        """End what still runs."""
        for session in self.sessions:
            await session.close(forget=False)


@pytest.fixture
def house(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[House]:
    """A house whose servers are ended after the test."""
    house = House()
    yield house
    jp_asyncio_loop.run_until_complete(house.close())


async def test_an_outcome_is_answered_by_the_next_server_and_nothing_runs_again(house: House) -> None:
    first = house.begin()
    first.start(1, "echo", "once")
    await first.replies_to(1)
    second = await house.restart()
    second.start(1, "echo", "again")
    assert [text_of(reply) for reply in await second.replies_to(1)] == ["once"]
    assert house.desk.calls == ["once"]


async def test_a_request_that_was_under_way_has_an_unknown_outcome_and_does_not_run_again(house: House) -> None:
    first = house.begin()
    first.start(1, "wait", "half done")
    await turns()
    house.clock.advance(LEASE_S + 1)
    second = await house.restart()
    second.start(1, "wait", "half done")
    assert await second.code(1) == "unknown_outcome"
    assert house.desk.calls == ["half done"]


async def test_a_request_that_never_began_runs_on_the_next_server(house: House) -> None:
    first = house.begin()
    first.start(1, "echo", "one")
    await first.replies_to(1)
    second = await house.restart()
    second.start(2, "echo", "two")
    assert [text_of(reply) for reply in await second.replies_to(2)] == ["two"]


async def test_an_idempotent_request_may_run_again(house: House) -> None:
    first = house.begin()
    first.start(1, "look", "a")
    first.start(2, "echo", "b")
    await first.replies_to(2)
    second = await house.restart()
    second.start(1, "look", "a")
    assert [text_of(reply) for reply in await second.replies_to(1)] == ["a"]
    assert house.desk.calls == ["a", "b", "a"]


async def test_what_still_runs_on_a_living_server_is_waited_for(house: House) -> None:
    first = house.begin()
    first.start(1, "wait", "slow")
    await turns()
    second = await house.restart()
    second.start(1, "wait", "slow")
    assert await second.replies_to(1) == []
    house.desk.gate.set()
    await turns()
    await asyncio.sleep(0.3)  # the store is asked five times a second
    assert [text_of(reply) for reply in await second.replies_to(1)] == ["slow"]
    assert house.desk.calls == ["slow"]


async def test_nothing_runs_that_the_store_cannot_note(house: House) -> None:

    async def fail(operation: str) -> None:
        raise HubError(Code.NO_SPACE, "The disk is full.")

    first = house.begin()
    house.values.before = fail
    first.start(1, "echo", "a")
    first.start(2, "look", "b")
    assert await first.code(1) == "no_space"
    assert [text_of(reply) for reply in await first.replies_to(2)] == ["b"]
    assert house.desk.calls == ["b"]


async def test_an_outcome_that_the_store_does_not_take_is_answered_all_the_same(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:

    async def fail(operation: str) -> None:
        raise HubError(Code.NO_SPACE, "The disk is full.")

    first = house.begin()
    first.start(1, "wait", "a")
    await turns()
    house.values.before = fail
    house.desk.gate.set()
    assert [text_of(reply) for reply in await first.replies_to(1)] == ["a"]
    assert "could not be stored" in caplog.text


async def test_a_server_that_was_taken_over_begins_nothing_any_more(house: House) -> None:
    first = house.begin()
    first.start(1, "echo", "a")
    await first.replies_to(1)
    second = await house.restart()
    second.start(2, "echo", "b")
    await second.replies_to(2)
    first.start(3, "echo", "c")
    assert await first.code(3) == "superseded"
    assert house.desk.calls == ["a", "b"]


async def test_settled_outcomes_are_forgotten_by_the_store_and_a_closed_session_wholly(house: House) -> None:
    first = house.begin()
    for ref in (1, 2, 3):
        first.start(ref, "echo", str(ref))
    await first.replies_to(3)
    first.session.acknowledge(1, [3])
    await turns()
    restored = await SessionRecords(house.values, "another").load("s1")
    assert restored is not None and list(restored.outcomes) == [2]
    await first.session.close(forget=True)
    assert not await house.values.scan("session/")


async def test_a_server_that_stops_leaves_the_session_to_the_next(house: House) -> None:
    first = house.begin()
    first.start(1, "echo", "a")
    await first.replies_to(1)
    await first.session.close(forget=False)
    second = await house.restart()
    second.start(1, "echo", "a")
    assert [text_of(reply) for reply in await second.replies_to(1)] == ["a"]
