"""What of a session is stored: found by another server, and fenced against two owners."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_ws_hub.hub.declare import Lane
from jupyter_ws_hub.hub.records import BEAT_S, LEASE_S, SessionRecord, SessionRecords, fingerprint
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.memory import MemoryValues

from ..support.fakes import FakeClock, turns


def record(server: str = "here", started_ref: int = 0) -> SessionRecord:
    return SessionRecord("alice", [fingerprint("token")], started_ref, server)


async def test_a_session_is_found_with_its_outcomes_by_another_server() -> None:
    values = MemoryValues(FakeClock())
    here, there = SessionRecords(values, "here"), SessionRecords(values, "there")
    version = await here.save("s", record(started_ref=12), 0)
    await here.save_outcome("s", 11, Lane.INTERACTIVE, b"eleven")
    await here.save_outcome("s", 12, Lane.BULK, b"")
    await here.save_outcome("s2", 13, Lane.BULK, b"another's")
    found = await there.load("s")
    assert found is not None
    assert (found.record, found.version) == (record(started_ref=12), version)
    assert found.outcomes == {11: (Lane.INTERACTIVE, b"eleven"), 12: (Lane.BULK, b"")}
    assert await there.load("s3") is None


async def test_the_store_never_sees_a_token() -> None:
    values = MemoryValues(FakeClock())
    await SessionRecords(values, "here").save("s", record(), 0)
    assert all(b"token" != one.value and b'"token"' not in one.value for one in (await values.scan("")).values())


async def test_who_was_taken_over_cannot_write_or_delete_any_more() -> None:
    values = MemoryValues(FakeClock())
    here, there = SessionRecords(values, "here"), SessionRecords(values, "there")
    old = await here.save("s", record(), 0)
    new = await there.save("s", record("there"), old)
    with pytest.raises(HubError) as caught:
        await here.save("s", record(), old)
    assert caught.value.code is Code.SUPERSEDED
    await here.save_outcome("s", 1, Lane.BULK, b"x")
    await here.delete("s", old, [1])
    found = await there.load("s")
    assert found is not None and (found.version, found.outcomes) == (new, {1: (Lane.BULK, b"x")})
    await there.delete("s", new, [1])
    assert await there.load("s") is None and await values.scan("session/") == {}


async def test_a_record_that_has_expired_is_written_anew() -> None:
    records = SessionRecords(MemoryValues(clock := FakeClock()), "here")
    version = await records.save("s", record(), 0)
    clock.advance(1e6)
    assert await records.save("s", record(), version) != version
    assert await records.load("s") is not None


async def test_an_outcome_is_waited_for_while_the_server_that_runs_it_lives() -> None:
    values = MemoryValues(clock := FakeClock())
    here, there = SessionRecords(values, "here"), SessionRecords(values, "there")
    await there.beat(0.0)
    waiting = asyncio.create_task(here.wait_outcome("s", 1, "there"))
    await turns()
    assert not waiting.done()
    await there.save_outcome("s", 1, Lane.INTERACTIVE, b"done")
    assert await asyncio.wait_for(waiting, 5) == (Lane.INTERACTIVE, b"done")
    waiting = asyncio.create_task(here.wait_outcome("s", 2, "there"))
    clock.advance(LEASE_S + 1)
    assert await asyncio.wait_for(waiting, 5) is None
    assert await asyncio.wait_for(here.wait_outcome("s", 2, "never heard of"), 5) is None


async def test_a_server_says_that_it_lives_now_and_then_only() -> None:
    values = MemoryValues(FakeClock())
    records = SessionRecords(values, "here")
    versions = []
    for now_s in (0.0, 1.0, BEAT_S - 0.1, BEAT_S, BEAT_S + 1):
        await records.beat(now_s)
        (lease,) = (await values.scan("server/")).values()
        versions.append(lease.version)
    assert len(set(versions)) == 2
    assert BEAT_S < LEASE_S / 2
