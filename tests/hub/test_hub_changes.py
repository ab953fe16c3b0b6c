"""The hub when something else changes under it: a restart, another store, revoked permissions, declared polls."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter

from jupyter_ws_hub.hub.declare import Method, Topic
from jupyter_ws_hub.hub.hub import DRAIN_BATCH, DRAIN_PAUSE_MS, DRAIN_S, Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.messages import Bye, Event, Hello, Live, Position, PositionMoved, Reply, Request, Welcome
from jupyter_ws_hub.storage.base import Draft, LogRetention

from ..support.fakes import FakeClock, HookedLog, HookedValues, counting_ids, fake_peer, fake_runtime, turns
from .client import READ, Desk, HubClient, Ledger, Note, code_of, make_hub, only, opened, raw

ROOM = "notes/a"


async def test_after_a_restart_the_client_goes_on_and_what_it_sent_too_early_waits_for_welcome() -> None:
    values, log, desk = HookedValues(FakeClock()), HookedLog(counting_ids("epoch")), Desk()
    before = await opened(make_hub(desk, log=log, values=values))
    await before.ask(1, "echo", {"text": "once"})
    await turns()

    async def slowly(operation: str) -> None:
        await turns(5)

    values.before = slowly
    after = HubClient(make_hub(desk, log=log, values=values))
    assert before.welcome is not None
    hello = Hello(session=before.welcome.session, resume=before.welcome.resume)
    after.send(hello, Request(2, "echo", raw({"text": "new"})))
    after.send(Request(3, "echo", raw({"text": "newer"})))
    await turns(2)
    assert after.messages == [] and desk.calls == ["once"]
    messages = await after.read(quiet=100)
    assert isinstance(messages[0], Welcome) and messages[0].resumed
    assert sorted(reply.ref or 0 for reply in only(Reply, messages)) == [2, 3]


async def test_more_before_welcome_than_a_session_takes_ends_the_connection() -> None:
    values = HookedValues(FakeClock())

    async def never(operation: str) -> None:
        await asyncio.Event().wait()

    values.before = never
    client = HubClient(make_hub(values=values, settings=HubSettings(max_requests=3)))
    client.send(Hello(session="s", resume="t"), *(Request(ref, "echo") for ref in range(1, 6)))
    await client.read()
    assert client.close_code == Code.BAD_FRAME


async def test_what_was_revoked_ends_when_the_permissions_are_asked_again() -> None:
    denied: list[tuple[str, str]] = []
    hub = make_hub()
    client = await opened(hub, fake_peer(denied=denied))
    for ref, topic in enumerate((ROOM, "notes/b"), 1):
        await client.subscribe(ref, topic)
    await client.connection.recheck()
    assert only(Reply, await client.read()) == []
    denied.append(READ)
    await client.connection.recheck()
    refusals = only(Reply, await client.read())
    assert [(reply.ref, code_of(reply)) for reply in refusals] == [(None, "forbidden")] * 2
    await hub.topics.publish(ROOM, "note", Note("secret"))
    assert only(Event, await client.read()) == []


async def test_when_the_store_becomes_another_one_every_follower_of_a_log_is_reset_and_goes_on() -> None:
    log = HookedLog(counting_ids("epoch"))
    hub = make_hub(log=log)
    clients = [await opened(hub), await opened(hub)]
    for client in clients:
        await client.subscribe(1, ROOM)
    await hub.topics.publish(ROOM, "note", Note("before"))
    log._logs.clear()
    hub.topics.renew()
    await hub.topics.publish(ROOM, "note", Note("after"))
    for client in clients:
        ledger = Ledger(ROOM)
        ledger.take(await client.read() and client.messages)
        assert ledger.texts == ["before", "after"] or ledger.texts[0] == "before"
        ((_, reset),) = ledger.resets
        assert (reset.reason, reset.ref) == ("epoch", None) and ledger.live
        assert ledger.position is not None and ledger.position.epoch == "epoch2"
    await hub.topics.publish(ROOM, "note", Note("later"))
    for client in clients:
        (event,) = only(Event, await client.read())
        assert event.offset == 2


async def test_a_method_that_is_a_poll_is_no_activity() -> None:
    active: list[int] = []
    desk = Desk()
    methods = [Method("poll", Note, Note, READ, desk.echo, activity=False), *desk.methods()]
    runtime = dataclasses.replace(fake_runtime(), active=lambda: active.append(1))
    hub = Hub(methods, [], HookedLog(counting_ids("e")), HookedValues(FakeClock()), runtime, HubSettings())
    client = await opened(hub)
    await client.ask(1, "poll")
    assert active == []
    await client.ask(2, "echo")
    assert active == [1]


async def test_at_the_end_clients_are_told_to_come_back_batch_after_batch() -> None:
    hub = make_hub()
    clients = [await opened(hub) for _ in range(DRAIN_BATCH * 2 + 1)]
    stopping = asyncio.create_task(hub.stop(1000))
    byes = [bye for client in clients for bye in only(Bye, await client.read(quiet=3))]
    await asyncio.wait_for(stopping, 5)
    assert {bye.code for bye in byes} == {Code.SHUTTING_DOWN}
    times = Counter(bye.retry_after_ms for bye in byes)
    assert times == {1000: DRAIN_BATCH, 1000 + DRAIN_PAUSE_MS: DRAIN_BATCH, 1000 + 2 * DRAIN_PAUSE_MS: 1}


async def test_clients_that_do_not_read_do_not_hold_up_the_end() -> None:
    hub = make_hub()
    client = await opened(hub)
    started_s = time.monotonic()
    await hub.stop(1000)
    assert time.monotonic() - started_s < DRAIN_S + 1
    assert not client.connection.is_over


async def test_what_was_compacted_is_left_out_of_a_replay_without_a_gap() -> None:
    log = HookedLog(counting_ids("epoch"))
    hub = make_hub(log=log)
    for number in range(1, 11):
        await hub.topics.publish(ROOM, "note", Note(str(number)), id=f"m{number}")
    await log.compact(ROOM, [1, 2, 5, 6, 9, 10], "epoch1")
    client = await opened(hub)
    answer = await client.subscribe(1, ROOM, "earliest")
    events = only(Event, client.messages)
    assert [(event.offset, event.prev) for event in events] == [(3, 0), (4, None), (7, 4), (8, None)]
    (moved,) = only(PositionMoved, client.messages)
    assert (moved.prev, moved.position) == (8, Position("epoch1", 10, "m10"))
    assert isinstance(client.messages[-1], Live) and answer.head == 10
    resumed = await client.subscribe(2, ROOM, Position("epoch1", 5, "m5"))
    assert (resumed.status, resumed.reason) == ("ok", None)
    await hub.topics.publish(ROOM, "note", Note("11"))
    assert [(event.offset, event.prev) for event in only(Event, await client.read())] == [(11, None)]


async def test_all_topics_are_trimmed_also_those_of_principals_and_of_services_that_are_gone_are_left() -> None:
    short = [Topic("old/me", {"note": Note}, READ, LogRetention(2, 1 << 20, 1e9))]
    log = HookedLog(counting_ids("epoch"))
    hub = make_hub(topics=short, log=log)
    for _ in range(5):
        await hub.topics.publish("old/me", "note", Note(), principal="alice")
    await log.append("of/another", [Draft("x", "note", 0, b"{}")])
    await hub.topics.trim_all()
    assert [(await log.head(key)).floor for key in ("old/me//alice", "of/another")] == [3, 0]
