"""One connection: what it answers to which message, how time ends it, and what a subscription is told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codec import decode_server_frame, encode
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import (
    Bye,
    Event,
    Heartbeat,
    Limits,
    Live,
    Ping,
    Pong,
    Position,
    Reply,
    Request,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from jupyter_ws_hub.storage.base import LogRetention
from jupyter_ws_hub.storage.sqlite import SqliteStorage

from ..support.fakes import FakeClock, HookedLog, counting_ids, fake_peer, fake_runtime, turns
from .client import KEEP_ALL, READ, Desk, HubClient, Note, Since, code_of, content, make_hub, only, opened, raw

ROOM = "notes/a"


async def test_welcome_tells_what_the_client_has_to_know() -> None:
    client = HubClient(make_hub(settings=HubSettings(max_requests=7, max_topics=9, server_name="test")))
    welcome = await client.hello()
    assert (welcome.resumed, welcome.server, welcome.principal) == (False, "test", "alice")
    assert welcome.session and welcome.resume and welcome.session != welcome.resume
    assert welcome.heartbeat == Heartbeat(25_000, 10_000)
    assert welcome.limits == Limits(1024 * 1024, 7, 9)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"[]", Code.BAD_FRAME),
        ("nonsense", Code.BAD_FRAME),
        ("{}", Code.BAD_FRAME),
        ("[1]", Code.BAD_FRAME),
        ('[{"type":"hello"}]', Code.BAD_FRAME),
        ("[" + " " * 1000 + "]", Code.TOO_BIG),
    ],
)
async def test_a_frame_that_breaks_the_protocol_ends_the_connection_with_a_word(frame: str | bytes, code: Code) -> None:
    client = await opened(make_hub(settings=HubSettings(max_frame_bytes=900)))
    client.connection.receive(frame)
    client.send(Request(1, "echo"))
    (bye,) = await client.read()
    assert isinstance(bye, Bye)
    assert (bye.code, client.close_code) == (code, code)


@pytest.mark.parametrize("message", [Request(1, "echo"), Subscribe(1, ROOM), Ping(), Unsubscribe(1, ROOM)])
async def test_nothing_is_done_before_hello(message: Request | Subscribe | Ping | Unsubscribe) -> None:
    client = HubClient(make_hub(desk := Desk()))
    client.send(message)
    await client.read()
    assert client.close_code == Code.BAD_FRAME
    assert desk.calls == []


async def test_a_bad_envelope_is_answered_and_the_others_of_its_frame_are_served() -> None:
    client = await opened(make_hub())
    envelopes = ['{"type":"dance","ref":1}', '{"type":"subscribe","ref":2}', '{"type":"dance"}']
    client.connection.receive(f"[{','.join(envelopes)},{encode(Request(3, 'echo')).decode()}]")
    replies = {reply.ref: reply for reply in only(Reply, await client.read())}
    assert [code_of(replies[ref]) for ref in (1, 2, None)] == ["unknown_type", "invalid", "unknown_type"]
    assert replies[3].error is None


async def test_params_of_any_depth_are_answered_or_end_the_connection() -> None:
    hub = make_hub()
    for depth in range(900, 1000):
        client = await opened(hub)
        client.send(Request(1, "echo", msgspec.Raw(b'{"x":' + b"[" * depth + b"]" * depth + b"}")))
        replies = only(Reply, await client.read(quiet=5))
        assert len(replies) == 1 or client.close_code == Code.BAD_FRAME


async def test_a_client_in_python_understands_replies_and_snapshots() -> None:
    hub = make_hub()
    client = await opened(hub)
    client.send(Request(1, "echo", raw({"text": "hi"})), Subscribe(2, "values"))
    await client.read()
    messages = [message for frame in client.frames for message in decode_server_frame(frame)]
    assert len(only(Reply, messages)) == len(only(Subscribed, messages)) == 1


async def test_a_ping_is_answered_with_its_own_time() -> None:
    client = await opened(make_hub())
    client.send(Ping(12.5))
    assert await client.take() == [Pong(12.5)]


async def test_a_request_counts_as_a_persons_activity_and_a_heartbeat_does_not() -> None:
    active: list[int] = []
    hub = make_hub(runtime=dataclasses.replace(fake_runtime(), active=lambda: active.append(1)))
    client = await opened(hub)
    client.send(Ping(), Pong(), Subscribe(1, ROOM))
    await client.read()
    assert active == []
    await client.ask(2, "echo")
    assert active == [1]


async def test_without_a_hello_the_connection_ends_in_time() -> None:
    clock = FakeClock()
    client = HubClient(make_hub(clock=clock))
    for _ in range(9):
        clock.advance(1)
        client.connection.tick()
    assert client.queued_bytes == 0
    clock.advance(1)
    client.connection.tick()
    await client.read()
    assert client.close_code == Code.HELLO_TIMEOUT


async def test_a_server_that_was_asleep_does_not_blame_the_client_for_a_late_hello() -> None:
    clock = FakeClock()
    client = HubClient(make_hub(clock=clock))
    clock.advance(60)
    client.connection.tick()
    assert (await client.hello()).session


async def tick(clock: FakeClock, client: HubClient, seconds: int, step: float = 1.0) -> None:
    """Let time pass for a connection."""
    for _ in range(seconds):
        clock.advance(step)
        client.connection.tick()
    await client.read()


async def test_a_silent_client_is_pinged_and_then_dead() -> None:
    clock = FakeClock()
    client = await opened(make_hub(clock=clock))
    await tick(clock, client, 24)
    assert only(Ping, client.messages) == []
    await tick(clock, client, 1)
    assert len(only(Ping, client.messages)) == 1
    await tick(clock, client, 9)
    assert client.close_code is None
    await tick(clock, client, 1)
    assert client.close_code == Code.HEARTBEAT_TIMEOUT
    assert only(Bye, client.messages)[0].code == Code.HEARTBEAT_TIMEOUT


async def test_any_traffic_keeps_a_client_alive_and_a_pong_measures_the_way() -> None:
    clock = FakeClock()
    client = await opened(make_hub(clock=clock))
    assert client.connection.round_trip_s is None
    for _ in range(10):
        await tick(clock, client, 30)
        client.send(Pong(clock() - 0.25))
    assert client.close_code is None
    assert client.connection.round_trip_s == 0.25


async def test_a_server_that_was_asleep_does_not_take_its_clients_for_dead() -> None:
    clock = FakeClock()
    client = await opened(make_hub(clock=clock))
    await tick(clock, client, 1, step=600)
    assert client.close_code is None
    await tick(clock, client, 34)
    assert client.close_code is None
    await tick(clock, client, 1)
    assert client.close_code == Code.HEARTBEAT_TIMEOUT


async def test_the_end_is_counted_from_its_beginning() -> None:
    clock = FakeClock()
    client = await opened(make_hub(clock=clock))
    assert client.connection.closing_s(clock()) < 0
    client.connection.fail(HubError(Code.FORBIDDEN, "Out."))
    clock.advance(3)
    client.connection.fail(HubError(Code.INTERNAL, "Too late."))
    client.connection.tick()
    assert client.connection.closing_s(clock()) == 3
    assert client.connection.close_code == Code.FORBIDDEN


async def test_a_client_that_reads_no_replies_is_closed_as_a_slow_consumer() -> None:
    client = await opened(make_hub(settings=HubSettings(outbox_bytes=2000)))
    for _ in range(200):
        client.send(Ping(1.0))
        assert client.queued_bytes <= 2000 + 200
    await client.read()
    assert client.close_code == Code.SLOW_CONSUMER


async def test_a_reply_that_is_larger_than_the_outbox_does_not_end_the_connection() -> None:
    client = await opened(make_hub(settings=HubSettings(outbox_bytes=10_000)))
    reply = await client.ask(1, "big", {"text": "20000"})
    assert reply.error is None or reply.error.code == "too_big"
    assert client.close_code is None


async def test_large_replies_to_a_slow_client_wait_for_each_other() -> None:
    client = await opened(make_hub(settings=HubSettings(outbox_bytes=10_000)))
    client.send(*(Request(ref, "big", raw({"text": "4000"})) for ref in range(1, 7)))
    await turns()
    assert client.queued_bytes <= 10_000
    assert sorted(reply.ref or 0 for reply in only(Reply, await client.read())) == [1, 2, 3, 4, 5, 6]
    assert client.close_code is None


async def test_a_subscription_begins_where_it_was_asked_to() -> None:
    hub = make_hub()
    for text in "abc":
        await hub.topics.publish(ROOM, "note", Note(text), id=text)
    first = await opened(hub)
    earliest = await first.subscribe(1, ROOM, "earliest")
    assert earliest.position is not None
    epoch = earliest.position.epoch
    assert earliest == Subscribed(1, ROOM, position=Position(epoch, 0), head=3)
    assert [event.id for event in only(Event, first.messages)] == ["a", "b", "c"]
    assert isinstance(first.messages[-1], Live)
    second = await opened(hub)
    assert await second.subscribe(1, ROOM) == Subscribed(1, ROOM, position=Position(epoch, 3, "c"), head=3)
    assert only(Event, second.messages) == []
    since = Position(epoch, 1, "a")
    assert await second.subscribe(2, ROOM, since) == Subscribed(2, ROOM, position=since, head=3)
    assert [event.id for event in only(Event, second.messages)] == ["b", "c"]


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        (Position("other", 7, "m7"), "epoch"),
        (Position("", 99, "m99"), "ahead"),
        (Position("", 3, "m3"), "trimmed"),
        (Position("", 7, "other"), "anchor"),
    ],
)
async def test_a_replay_that_cannot_be_complete_is_a_reset_with_a_snapshot(since: Position, reason: str) -> None:
    async def snapshot(peer: Peer, topic: str, position: Position) -> Note:
        return Note(f"{peer.username} {topic} {position.offset}")

    hub = make_hub(topics=[Topic("notes/*", {"note": Note}, READ, KEEP_ALL, snapshot=snapshot)])
    for number in range(1, 10):
        await hub.topics.publish(ROOM, "note", Note(), id=f"m{number}")
    await hub.log.trim(ROOM, LogRetention(5, 1 << 20, 1e9), 0)
    epoch = (await hub.log.head(ROOM)).epoch
    client = await opened(hub)
    answer = await client.subscribe(1, ROOM, Position(since.epoch or epoch, since.offset, since.id))
    assert (answer.status, answer.reason, answer.position) == ("reset", reason, Position(epoch, 9, "m9"))
    assert json.loads(content(answer.snapshot)) == {"text": f"alice {ROOM} 9"}
    await hub.topics.publish(ROOM, "note", Note(), id="m10")
    await client.read()
    assert [event.id for event in only(Event, client.messages)] == ["m10"]


@pytest.mark.parametrize("offset", [-1, 2**62, 2**63, 10**30])
async def test_a_position_that_no_log_has_is_a_reset(offset: int, tmp_path: Path) -> None:
    clock, ids = FakeClock(), counting_ids()
    storage = SqliteStorage(tmp_path / "hub.sqlite", clock, ids, fake_runtime().logger, wal=True, full_sync=False)
    hub = make_hub(log=storage.log)
    epoch = (await storage.log.head(ROOM)).epoch
    client = await opened(hub)
    client.send(Subscribe(1, ROOM, Position(epoch, offset, "x")))
    try:
        (answer, *_) = await client.take(timeout_s=1)
        assert isinstance(answer, Subscribed) and answer.status == "reset"
    finally:
        client.lose()
        storage.close()


async def test_a_topic_without_a_log_begins_with_its_values() -> None:
    client = await opened(make_hub())
    for ref, topic in enumerate(("values", "shouts"), start=1):
        answer = await client.subscribe(ref, topic, "earliest")
        assert (answer.position, answer.head, answer.status) == (None, None, "ok")
        assert content(answer.snapshot) == b"[]"


async def refuse(peer: Peer, topic: str) -> None:
    """A check that finds no such topic."""
    raise HubError(Code.NOT_FOUND, "There is no such note.")


async def break_down(*args: object) -> Note:
    """What a service of poor quality does."""
    raise RuntimeError("/secret/path")


async def test_a_subscription_that_cannot_be_is_answered_with_the_reason() -> None:
    topics = [Topic("notes/*", {"note": Note}, READ, KEEP_ALL), Topic("gone/*", {}, READ, KEEP_ALL, check=refuse)]
    hub = make_hub(topics=topics)
    client, stranger = await opened(hub), await opened(hub, fake_peer(denied=[READ]))
    assert await client.refusal(Subscribe(1, "nowhere")) == "unknown_topic"
    assert await client.refusal(Subscribe(2, "gone/x")) == "not_found"
    assert await stranger.refusal(Subscribe(1, ROOM)) == "forbidden"
    assert (await client.subscribe(3, ROOM)).status == "ok"


async def test_a_subscription_that_fails_by_a_bug_is_answered_as_internal() -> None:
    async def check(peer: Peer, topic: str) -> None:
        await break_down()

    odd = [
        Topic("check", {"note": Note}, READ, KEEP_ALL, check=check),
        Topic("snapshot", {"note": Note}, READ, KEEP_ALL, snapshot=break_down),
    ]
    client = await opened(make_hub(topics=odd))
    assert await client.refusal(Subscribe(1, "check")) == "internal"
    assert await client.refusal(Subscribe(2, "snapshot", Position("other", 1, "x"))) == "internal"


async def test_of_two_subscriptions_in_flight_the_later_one_counts() -> None:
    log = HookedLog(counting_ids("epoch"))
    hub = make_hub(log=log)
    for text in "abc":
        await hub.topics.publish(ROOM, "note", Note(text), id=text)
    epoch = (await log.head(ROOM)).epoch

    async def slow(operation: str) -> None:
        await turns(3)

    log.before = slow
    client = await opened(hub)
    first: Since = Position(epoch, 1, "a")
    client.send(Subscribe(1, ROOM, first), Subscribe(2, ROOM, "latest"))
    told = [message for message in await client.read() if isinstance(message, Subscribed)]
    assert told[-1] == Subscribed(2, ROOM, position=Position(epoch, 3, "c"), head=3)
    answers = [message.ref for message in client.messages if isinstance(message, Subscribed | Reply)]
    assert sorted(ref for ref in answers if ref is not None) == [1, 2]
