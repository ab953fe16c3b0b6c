"""Which connection goes on with which session, without a connection: a fake holder takes its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from jupyter_ws_hub.hub.declare import Lane
from jupyter_ws_hub.hub.router import Router
from jupyter_ws_hub.hub.sessions import Sessions
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Hello, Request, Welcome
from jupyter_ws_hub.storage.base import KeyValue
from jupyter_ws_hub.storage.memory import MemoryValues

from ..support.fakes import FakeClock, HookedValues, fake_peer, fake_runtime, turns
from .client import Desk, raw

TTL_S = 60.0


@dataclass(eq=False)
class Holder:
    """A connection that keeps what it is told."""

    peer: Peer = field(default_factory=fake_peer)
    replies: list[bytes] = field(default_factory=list)
    failures: list[Code] = field(default_factory=list)

    def reply(self, lane: Lane, envelope: bytes) -> None:
        self.replies.append(envelope)

    def fits(self, lane: Lane, size: int) -> bool:
        return True

    async def room(self, lane: Lane, size: int) -> None:
        return None

    def taken_bytes(self, lane: Lane) -> int:
        return 0

    def fail(self, error: HubError) -> None:
        self.failures.append(error.code)


def make(clock: FakeClock | None = None, desk: Desk | None = None, values: KeyValue | None = None) -> Sessions:
    runtime = fake_runtime(clock)
    router = Router((desk or Desk()).methods(), [], runtime)
    return Sessions(router, values or MemoryValues(runtime.clock), runtime, HubSettings(session_ttl_s=TTL_S))


def again(welcome: Welcome) -> Hello:
    return Hello(session=welcome.session, resume=welcome.resume)


async def test_a_hello_without_a_session_makes_one() -> None:
    sessions = make()
    (_, one), (_, other) = sessions.open(Hello(), Holder()), sessions.open(Hello(), Holder())
    assert not one.resumed and one.session != other.session
    assert len(sessions) == 2


async def test_the_holder_before_is_superseded_once() -> None:
    sessions = make()
    first, second, third = Holder(), Holder(), Holder()
    _, welcome = sessions.open(Hello(), first)
    _, welcome = sessions.open(again(welcome), second)
    session, welcome = sessions.open(again(welcome), third)
    assert welcome.resumed and len(sessions) == 1
    assert (first.failures, second.failures, third.failures) == ([Code.SUPERSEDED], [Code.SUPERSEDED], [])
    sessions.release(session, third)
    sessions.open(again(welcome), Holder())
    assert third.failures == []


async def test_who_was_superseded_does_not_detach_who_came_after() -> None:
    sessions = make()
    first, second = Holder(), Holder()
    session, welcome = sessions.open(Hello(), first)
    sessions.open(again(welcome), second)
    sessions.release(session, first)
    assert session.detached_s is None
    sessions.release(session, second)
    assert session.detached_s is not None


async def test_replies_go_to_the_holder_of_the_moment() -> None:
    sessions = make(desk=(desk := Desk()))
    first, second = Holder(), Holder()
    session, welcome = sessions.open(Hello(), first)
    session.start(Request(1, "wait", raw({})), first.peer)
    session.go()
    await turns()
    sessions.open(again(welcome), second)
    desk.gate.set()
    await turns()
    assert (len(first.replies), len(second.replies)) == (0, 1)


async def test_only_those_who_stayed_away_too_long_are_swept() -> None:
    sessions = make(clock := FakeClock())
    away, here = Holder(), Holder()
    gone, welcome = sessions.open(Hello(), away)
    sessions.open(Hello(), here)
    sessions.release(gone, away)
    clock.advance(TTL_S)
    sessions.sweep()
    assert len(sessions) == 2
    clock.advance(0.1)
    sessions.sweep()
    assert len(sessions) == 1
    assert not sessions.open(again(welcome), away)[1].resumed


async def test_stop_ends_what_runs_and_all_sessions() -> None:
    sessions = make(desk=(desk := Desk()))
    holder = Holder()
    session, _ = sessions.open(Hello(), holder)
    session.start(Request(1, "wait", raw({})), holder.peer)
    session.go()
    await turns()
    await asyncio.wait_for(sessions.stop(), 5)
    desk.gate.set()
    await turns()
    assert len(sessions) == 0 and holder.replies == []


async def taken_over(values: MemoryValues, hello: Hello, principal: str = "alice") -> bool:
    """Whether a new server on the store goes on with a session."""
    sessions, holder = make(values=values), Holder(fake_peer(principal))
    assert sessions.must_restore(hello)
    await sessions.restore(hello, holder.peer)
    resumed = sessions.open(hello, holder)[1].resumed
    await sessions.stop()
    return resumed


async def test_the_next_server_on_the_store_goes_on_with_a_session_of_its_client_only() -> None:
    values = MemoryValues(FakeClock())
    sessions = make(values=values)
    _, welcome = sessions.open(Hello(), Holder())
    await turns()
    await sessions.stop()
    assert not await taken_over(values, Hello(session=welcome.session, resume="guessed"))
    assert not await taken_over(values, Hello(session="guessed", resume=welcome.resume))
    assert not await taken_over(values, again(welcome), principal="mallory")
    assert await taken_over(values, again(welcome))


async def test_a_session_that_has_ended_is_not_found_again() -> None:
    values = MemoryValues(FakeClock())
    sessions = make(values=values)
    session, welcome = sessions.open(Hello(), Holder())
    await turns()
    sessions.end(session)
    assert not sessions.must_restore(again(welcome))
    assert not sessions.open(again(welcome), Holder())[1].resumed
    await turns()
    assert not await taken_over(values, again(welcome))


async def test_two_sockets_that_restore_one_session_get_the_same_one() -> None:
    values = HookedValues(FakeClock())
    _, welcome = make(values=values).open(Hello(), Holder())
    await turns()

    async def slowly(operation: str) -> None:
        await turns(5)

    values.before = slowly
    sessions, one, other = make(values=values), Holder(), Holder()
    await asyncio.gather(*(sessions.restore(again(welcome), holder.peer) for holder in (one, other)))
    (first, _), (second, welcome) = sessions.open(again(welcome), one), sessions.open(again(welcome), other)
    assert first is second and welcome.resumed
    assert one.failures == [Code.SUPERSEDED]
    await sessions.stop()


async def test_a_store_that_fails_gives_a_new_session(caplog: pytest.LogCaptureFixture) -> None:
    values = HookedValues(FakeClock())
    _, welcome = make(values=values).open(Hello(), Holder())
    await turns()

    async def fail(operation: str) -> None:
        raise HubError(Code.UNAVAILABLE, "Locked.")

    values.before = fail
    assert not await taken_over(values, again(welcome))
    assert "could not be restored" in caplog.text


async def test_a_hello_that_was_overtaken_on_its_way_does_not_end_the_connection_that_came_first() -> None:
    sessions = make()
    _, welcome = sessions.open(Hello(attempt=1), Holder())
    newest, late, next_one = Holder(), Holder(), Holder()
    sessions.open(Hello(session=welcome.session, resume=welcome.resume, attempt=3), newest)
    with pytest.raises(HubError) as caught:
        sessions.open(Hello(session=welcome.session, resume=welcome.resume, attempt=2), late)
    assert caught.value.code is Code.SUPERSEDED and newest.failures == []
    _, welcome = sessions.open(Hello(session=welcome.session, resume=welcome.resume, attempt=4), next_one)
    assert welcome.resumed and newest.failures == [Code.SUPERSEDED]
    await sessions.stop()
