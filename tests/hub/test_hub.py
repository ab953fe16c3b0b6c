"""The hub as a whole: sessions that are resumed, superseded and swept, who may see what, limits, and the goodbye."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import (
    Ack,
    Bye,
    Event,
    Hello,
    Ping,
    Position,
    Reply,
    Request,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Welcome,
)

from ..support.fakes import FakeClock, HookedLog, counting_ids, fake_peer, turns
from .client import READ, Desk, HubClient, Note, Value, code_of, content, make_hub, only, opened

ROOM = "notes/a"


async def resumed(hub: Hub, welcome: Welcome, peer: Peer | None = None) -> tuple[HubClient, bool]:
    """A new connection that tries to go on with a session, and whether it does."""
    client = HubClient(hub, peer)
    return client, (await client.hello(resume=welcome)).resumed


def welcome_of(client: HubClient) -> Welcome:
    """What a client was welcomed with."""
    assert client.welcome is not None
    return client.welcome


async def test_a_session_is_resumed_with_its_token_which_is_new_each_time() -> None:
    hub = make_hub()
    first = await opened(hub)
    first.lose()
    second, went_on = await resumed(hub, welcome_of(first))
    assert went_on
    assert welcome_of(second).session == welcome_of(first).session
    assert welcome_of(second).resume != welcome_of(first).resume


@pytest.mark.parametrize("token", [None, "", "wrong", "\u00e9", "\U0001f600"])
async def test_a_session_without_its_token_is_not_resumed_and_stays_whose_it_is(token: str | None) -> None:
    hub = make_hub()
    first = await opened(hub)
    other = HubClient(hub)
    other.send(Hello(session=welcome_of(first).session, resume=token))
    (welcome,) = only(Welcome, await other.take())
    assert not welcome.resumed and welcome.session != welcome_of(first).session
    assert (await first.ask(1, "echo")).error is None


async def test_a_session_that_is_not_known_is_not_resumed() -> None:
    before, hub = make_hub(), make_hub()
    _, went_on = await resumed(hub, welcome_of(await opened(before)))
    assert not went_on


async def test_a_token_of_another_principal_is_refused() -> None:
    hub = make_hub()
    alice = await opened(hub, fake_peer("alice"))
    mallory, went_on = await resumed(hub, welcome_of(alice), fake_peer("mallory"))
    assert not went_on
    assert welcome_of(mallory).principal == "mallory"
    assert alice.close_code is None
    assert (await alice.ask(1, "echo")).error is None


async def test_the_old_token_is_good_until_the_client_has_said_something_after_the_welcome() -> None:
    hub = make_hub()
    first = await opened(hub)
    lost, went_on = await resumed(hub, welcome_of(first))
    assert went_on
    lost.lose()
    second, went_on = await resumed(hub, welcome_of(first))
    assert went_on
    second.send(Ping())
    second.lose()
    _, went_on = await resumed(hub, welcome_of(first))
    assert not went_on


async def test_the_old_token_is_good_after_two_lost_welcomes() -> None:
    hub = make_hub()
    first = await opened(hub)
    first.send(Ping())
    for _ in range(3):
        again, went_on = await resumed(hub, welcome_of(first))
        assert went_on
        again.lose()


async def test_a_newer_connection_supersedes_the_older_one() -> None:
    hub = make_hub(desk := Desk())
    older = await opened(hub)
    await older.subscribe(1, ROOM)
    older.send(Request(2, "wait"))
    await turns()
    newer, went_on = await resumed(hub, welcome_of(older))
    assert went_on
    (bye,) = only(Bye, await older.read())
    assert bye.code == older.close_code == Code.SUPERSEDED
    older.send(Request(3, "echo"))
    older.lose()
    desk.gate.set()
    newer.send(Request(2, "wait"))
    assert [reply.ref for reply in only(Reply, await newer.read())] == [2]
    assert len(desk.calls) == 1


async def test_a_request_outlives_its_connection_and_runs_once() -> None:
    hub = make_hub(desk := Desk())
    first = await opened(hub)
    first.send(Request(1, "wait"))
    await turns()
    first.lose()
    desk.gate.set()
    await turns()
    second, _ = await resumed(hub, welcome_of(first))
    second.send(Request(1, "wait"))
    assert (await second.reply(1)).error is None
    assert len(desk.calls) == 1
    second.send(Ack(done=1))
    second.lose()
    third, _ = await resumed(hub, welcome_of(second))
    third.send(Request(1, "wait"))
    assert code_of(await third.reply(1)) == "unknown_outcome"


async def test_bye_ends_the_connection_and_frees_the_session() -> None:
    hub = make_hub(desk := Desk())
    client = await opened(hub)
    client.send(Request(1, "wait"))
    await turns()
    client.send(Bye())
    assert only(Bye, await client.read()) == [Bye(NORMAL_CLOSURE, "bye")]
    assert client.close_code == NORMAL_CLOSURE
    assert len(hub.sessions) == 0
    assert len(desk.stopped) == len(desk.calls) == 1
    _, went_on = await resumed(hub, welcome_of(client))
    assert not went_on


async def test_bye_before_hello_is_a_normal_end() -> None:
    client = HubClient(make_hub())
    client.send(Bye())
    await client.read()
    assert client.close_code == NORMAL_CLOSURE


async def test_a_session_whose_client_stays_away_too_long_is_swept() -> None:
    clock = FakeClock()
    hub = make_hub(clock=clock, settings=HubSettings(session_ttl_s=60))
    away, back, here = [await opened(hub) for _ in range(3)]
    away.lose()
    back.lose()
    clock.advance(59)
    hub.sweep()
    back, went_on = await resumed(hub, welcome_of(back))
    assert went_on
    clock.advance(2)
    hub.sweep()
    assert not (await resumed(hub, welcome_of(away)))[1]
    for client in (back, here):
        assert (await client.ask(1, "echo")).error is None


async def test_connections_are_counted_and_limited() -> None:
    hub = make_hub(settings=HubSettings(max_connections=2))
    first, _ = await opened(hub), HubClient(hub)
    assert hub.connections == 2
    with pytest.raises(HubError) as caught:
        hub.connect(fake_peer(), lambda: None)
    assert caught.value.code is Code.BUSY and caught.value.retry_after_ms
    first.lose()
    first.lose()
    assert hub.connections == 1
    assert hub.connect(fake_peer(), lambda: None)


async def test_stop_says_goodbye_to_all_with_the_time_to_come_back() -> None:
    hub = make_hub(desk := Desk())
    clients = [await opened(hub), await opened(hub), HubClient(hub)]
    clients[0].send(Request(1, "wait"), Subscribe(2, ROOM))
    await clients[0].read()
    await asyncio.wait_for(hub.stop(1500), 5)
    for client in clients:
        (bye,) = only(Bye, await client.read())
        assert (bye.code, bye.retry_after_ms) == (Code.SHUTTING_DOWN, 1500)
        assert client.close_code == Code.SHUTTING_DOWN
    assert len(desk.stopped) == len(desk.calls) == 1 and len(hub.sessions) == 0


async def test_permission_is_asked_per_subscription_and_again_at_resume() -> None:
    denied: list[tuple[str, str]] = []
    hub = make_hub()
    peer = fake_peer(denied=denied)
    first = await opened(hub, peer)
    answer = await first.subscribe(1, ROOM)
    first.lose()
    await hub.topics.publish(ROOM, "note", Note("secret"))
    denied.append(READ)
    second = HubClient(hub, peer)
    await second.hello({ROOM: answer.position, "values": None}, welcome_of(first))
    replies = only(Reply, messages := await second.read())
    assert [code_of(reply) for reply in replies] == ["forbidden", "forbidden"]
    assert [reply.error.details for reply in replies if reply.error] == [{"topic": ROOM}, {"topic": "values"}]
    assert [reply.ref for reply in replies] == [None, None]
    assert [*only(Event, messages), *only(Subscribed, messages)] == []


async def test_the_subscriptions_of_hello_are_answered_each_and_go_on() -> None:
    hub = make_hub()
    first = await opened(hub)
    answer = await first.subscribe(1, ROOM)
    first.lose()
    await hub.topics.publish(ROOM, "note", Note("missed"), id="m1")
    second = HubClient(hub)
    await second.hello({ROOM: answer.position, "values": None, "nowhere": Position("x", 1, "y")}, welcome_of(first))
    messages = [*second.messages, *await second.read()]
    assert [(told.ref, told.topic) for told in only(Subscribed, messages)] == [(None, ROOM), (None, "values")]
    assert [event.id for event in only(Event, messages)] == ["m1"]
    assert [code_of(reply) for reply in only(Reply, messages)] == ["unknown_topic"]


async def test_the_personal_topics_of_two_principals_do_not_mix() -> None:
    hub = make_hub()
    alice, bob = await opened(hub, fake_peer("alice")), await opened(hub, fake_peer("bob"))
    for client in (alice, bob):
        for ref, topic in enumerate(("inbox/me", "values/me"), start=1):
            await client.subscribe(ref, topic)
    await hub.topics.publish("inbox/me", "note", Note("for alice"), principal="alice")
    await hub.topics.publish("values/me", "value", Value("v"), principal="alice")
    assert len(only(Event, await alice.read())) == 2
    assert only(Event, await bob.read()) == []
    late = await opened(hub, fake_peer("bob"))
    assert content((await late.subscribe(1, "values/me")).snapshot) == b"[]"
    late.send(Subscribe(2, "inbox/me", "earliest"))
    assert only(Event, await late.read()) == []


async def test_an_event_reaches_every_connection_that_subscribed_and_no_other() -> None:
    hub = make_hub()
    clients = [await opened(hub) for _ in range(3)]
    for client in clients[:2]:
        await client.subscribe(1, ROOM)
    clients[1].lose()
    await hub.topics.publish(ROOM, "note", Note("hi"))
    assert [len(only(Event, await client.read())) for client in (clients[0], clients[2])] == [1, 0]
    assert len(hub.topics.state(ROOM, "alice").subscribers) == 1


async def test_more_topics_than_the_limit_are_refused() -> None:
    client = await opened(make_hub(settings=HubSettings(max_topics=2)))
    for ref in (1, 2):
        await client.subscribe(ref, f"notes/{ref}")
    assert await client.refusal(Subscribe(3, "notes/3")) == "busy"
    assert (await client.subscribe(4, "notes/2")).status == "ok"
    client.send(Unsubscribe(5, "notes/2"))
    assert (await client.subscribe(6, "notes/3")).status == "ok"


async def test_the_limit_of_topics_holds_for_many_asked_at_once() -> None:
    async def authorize(action: str, resource: str) -> bool:
        await asyncio.sleep(0)
        return True

    hub = make_hub(settings=HubSettings(max_topics=2))
    client = await opened(hub, Peer("alice", "alice", "Alice", authorize))
    client.send(*(Subscribe(ref, f"notes/{ref}") for ref in range(1, 10)))
    assert len(only(Subscribed, await client.read())) == 2


async def test_however_often_a_topic_is_asked_for_few_subscriptions_wait_for_a_slow_log() -> None:
    log = HookedLog(counting_ids("epoch"))
    client = await opened(make_hub(log=log))
    going = asyncio.Event()

    async def wait(operation: str) -> None:
        await going.wait()

    log.before = wait
    before = len(asyncio.all_tasks())
    client.send(*(Subscribe(ref, ROOM) for ref in range(1, 501)))
    await turns()
    assert len(asyncio.all_tasks()) < before + 10
    going.set()
    messages = await client.read()
    assert [told.ref for told in only(Subscribed, messages)] == [500]
    assert {reply.ref for reply in only(Reply, messages)} == set(range(1, 500))


async def test_a_subscription_that_failed_takes_no_place() -> None:
    log = HookedLog(counting_ids("epoch"))
    client = await opened(make_hub(log=log, settings=HubSettings(max_topics=1)))

    async def fail(operation: str) -> None:
        raise HubError(Code.UNAVAILABLE, "The database is locked.")

    works, log.before = log.before, fail
    assert await client.refusal(Subscribe(1, "notes/1")) == "unavailable"
    log.before = works
    assert (await client.subscribe(2, "notes/2")).status == "ok"


async def test_unsubscribing_is_answered_and_ends_the_events() -> None:
    hub = make_hub()
    client = await opened(hub)
    await client.subscribe(1, ROOM)
    client.send(Unsubscribe(2, ROOM), Unsubscribe(3, "nowhere"))
    assert {reply.ref: reply.error for reply in only(Reply, await client.read())} == {2: None, 3: None}
    await hub.topics.publish(ROOM, "note", Note("hi"))
    assert await client.read() == []


async def test_unsubscribing_right_after_subscribing_ends_the_events() -> None:
    hub = make_hub()
    client = await opened(hub)
    client.send(Subscribe(1, ROOM), Unsubscribe(2, ROOM))
    await client.read()
    await hub.topics.publish(ROOM, "note", Note("hi"))
    assert only(Event, await client.read()) == []


async def test_a_connection_that_is_gone_leaves_no_subscriber_behind() -> None:
    log = HookedLog(counting_ids("epoch"))
    hub = make_hub(log=log)
    going = asyncio.Event()

    async def wait(operation: str) -> None:
        await going.wait()

    client = await opened(hub)
    await client.subscribe(1, ROOM)
    log.before = wait
    client.send(Subscribe(2, "notes/b", "earliest"), Subscribe(3, ROOM, "earliest"))
    await turns()
    client.lose()
    going.set()
    await turns()
    assert hub.topics._states == {}
    assert hub.connections == 0
