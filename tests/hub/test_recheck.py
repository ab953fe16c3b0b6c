"""Who may not follow a topic any more gets nothing that is published after that was said; who may misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Latest, Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.replay import KEPT_BYTES
from jupyter_ws_hub.hub.topic_state import LatestValue
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Lagging, Position, Reply, Subscribe, Subscribed
from jupyter_ws_hub.storage.base import LogRetention

from ..support.fakes import HookedLog, counting_ids, fake_peer, turns
from .client import KEEP_ALL, READ, HubClient, Ledger, Note, Value, code_of, content, make_hub, only, opened, run

ROOM, VALUES, SHOUTS = "rooms/a", "values/a", "shouts/a"
EVERYWHERE = (ROOM, VALUES, SHOUTS)
NAMES = ("alice", "bob", "carol")


@dataclass
class Door:
    """Who may follow; what is asked is answered as it was when it was asked, `slow` turns of the loop later."""

    inside: set[str] = field(default_factory=lambda: set(NAMES))
    slow: int = 0
    asked: int = 0
    gate: asyncio.Event | None = None
    error: Callable[[], Exception] = lambda: HubError(Code.NOT_FOUND, "There is no such room.")

    async def check(self, peer: Peer, topic: str) -> None:
        """As Topic.check."""
        self.asked += 1
        allowed = peer.username in self.inside
        await turns(self.slow)
        if self.gate is not None:
            await self.gate.wait()
        if not allowed:
            raise self.error()


async def snapshot(peer: Peer, topic: str, position: Position) -> Note:
    """As Topic.snapshot."""
    return Note(str(position.offset))


def hub_with(door: Door, log: HookedLog | None = None, retain: LogRetention = KEEP_ALL) -> Hub:
    topics = [
        Topic("rooms/*", {"note": Note}, READ, retain, check=door.check, snapshot=snapshot),
        Topic("values/*", {"value": Value}, READ, Latest(key="id"), check=door.check),
        Topic("shouts/*", {"note": Note}, READ, None, check=door.check),
    ]
    return make_hub(topics=topics, log=log)


async def say(hub: Hub, number: int) -> None:
    """Publish a number everywhere."""
    await hub.topics.publish(ROOM, "note", Note(str(number)))
    await hub.topics.publish(VALUES, "value", Value("v", number))
    await hub.topics.publish(SHOUTS, "note", Note(str(number)))


def heard(client: HubClient, topic: str) -> list[int]:
    """The numbers that a client was told, in events and in snapshots."""
    numbers: list[int] = []
    for message in client.messages:
        if isinstance(message, Event) and message.topic == topic:
            data = msgspec.json.decode(message.data)
            numbers.append(int(data.get("text", data.get("number"))))
        elif isinstance(message, Subscribed) and message.topic == topic == VALUES:
            values = msgspec.json.decode(content(message.snapshot), type=list[LatestValue])
            numbers += [msgspec.json.decode(value.data, type=Value).number for value in values]
    return numbers


def refusals(client: HubClient) -> list[tuple[int | None, str]]:
    return [(reply.ref, code_of(reply)) for reply in only(Reply, client.messages)]


async def follower(hub: Hub, name: str) -> HubClient:
    client = await opened(hub, fake_peer(name))
    for ref, topic in enumerate(EVERYWHERE, 1):
        await client.subscribe(ref, topic)
    return client


def recheck(hub: Hub) -> None:
    for topic in EVERYWHERE:
        hub.topics.recheck(topic)


async def test_who_is_out_is_told_and_hears_nothing_more_and_who_stays_hears_all() -> None:
    door, gate = Door(), asyncio.Event()
    hub = hub_with(door)
    alice, bob = await follower(hub, "alice"), await follower(hub, "bob")
    await say(hub, 1)
    await turns()
    door.inside.discard("bob")
    door.gate = gate
    recheck(hub)
    for number in (2, 3, 4):
        await say(hub, number)
    await alice.read()
    await bob.read()
    assert [heard(alice, topic) for topic in EVERYWHERE] == [heard(bob, topic) for topic in EVERYWHERE] == [[1]] * 3
    gate.set()
    await turns()
    await say(hub, 5)
    await alice.read()
    await bob.read()
    assert [heard(alice, topic) for topic in EVERYWHERE] == [[1, 2, 3, 4, 5]] * 3
    assert [heard(bob, topic) for topic in EVERYWHERE] == [[1]] * 3
    assert refusals(bob) == [(None, "not_found")] * 3
    assert refusals(alice) == [] and only(Lagging, alice.messages) == []


async def test_a_subscription_that_is_being_answered_is_asked_for_again() -> None:
    log, door = HookedLog(counting_ids("epoch")), Door()
    hub = hub_with(door, log)
    await hub.topics.publish(ROOM, "note", Note("0"))
    bob = await opened(hub, fake_peer("bob"))
    gate = asyncio.Event()

    async def wait(operation: str) -> None:
        await gate.wait()

    log.before = wait
    bob.send(Subscribe(7, ROOM, "earliest"))
    await turns()
    assert door.asked == 1
    door.inside.discard("bob")
    hub.topics.recheck(ROOM)
    gate.set()
    await bob.read()
    assert refusals(bob) == [(7, "not_found")]
    assert only(Subscribed, bob.messages) == []
    assert heard(bob, ROOM) == []
    door.inside.add("bob")
    await bob.subscribe(8, ROOM, "earliest")
    assert heard(bob, ROOM) == [0]


async def test_what_was_asked_before_does_not_count() -> None:
    door = Door()
    hub = hub_with(door)
    bob = await follower(hub, "bob")
    door.slow = 10
    recheck(hub)
    await turns(5)
    door.inside.discard("bob")
    recheck(hub)
    await say(hub, 1)
    await bob.read()
    assert refusals(bob) == [(None, "not_found")] * 3
    assert [heard(bob, topic) for topic in EVERYWHERE] == [[]] * 3
    assert hub.topics._states.keys() <= {VALUES}


@pytest.mark.parametrize("error", [RuntimeError("a bug"), HubError(Code.UNAVAILABLE, "The store is gone.")])
async def test_where_it_cannot_be_known_nobody_may(error: Exception) -> None:
    door = Door()
    hub = hub_with(door)
    bob = await follower(hub, "bob")
    door.inside.clear()
    door.error = lambda: error
    hub.topics.recheck(ROOM)
    await say(hub, 1)
    await bob.read()
    assert refusals(bob) == [(None, error.code.wire_name if isinstance(error, HubError) else "internal")]
    assert [heard(bob, topic) for topic in EVERYWHERE] == [[], [1], [1]]


async def test_a_replay_under_way_stops_and_goes_on_where_it_was() -> None:
    log, door = HookedLog(counting_ids("epoch")), Door()
    hub = hub_with(door, log)
    for number in range(300):
        await hub.topics.publish(ROOM, "note", Note(str(number)))
    for stays in (True, False):
        client = await opened(hub, fake_peer("bob"))
        client.send(Subscribe(1, ROOM, "earliest"))
        while not heard(client, ROOM):
            await client.take()
        door.slow = 50
        if not stays:
            door.inside.discard("bob")
        hub.topics.recheck(ROOM)
        await client.read(quiet=20)
        before = heard(client, ROOM)
        assert len(before) < 300
        await client.read(quiet=100)
        assert heard(client, ROOM) == (list(range(300)) if stays else before)
        door.slow = 0


async def test_a_reset_waits_too() -> None:
    door = Door()
    log = HookedLog(counting_ids("epoch"))
    hub = hub_with(door, log)
    bob = await follower(hub, "bob")
    log._logs.clear()
    door.inside.discard("bob")
    door.slow = 20
    hub.topics.recheck(ROOM)
    hub.topics.renew()
    await hub.topics.publish(ROOM, "note", Note("secret"))
    before = len(only(Subscribed, bob.messages))
    await bob.read(quiet=60)
    assert len(only(Subscribed, bob.messages)) == before
    assert refusals(bob) == [(None, "not_found")]


async def test_more_than_is_kept_for_who_is_held_becomes_a_snapshot() -> None:
    door = Door()
    hub = hub_with(door)
    alice = await follower(hub, "alice")
    door.gate = asyncio.Event()
    hub.topics.recheck(SHOUTS)
    for _ in range(KEPT_BYTES // 10_000 + 2):
        await hub.topics.publish(SHOUTS, "note", Note("1" * 10_000))
    await turns()
    (state,) = [state for key, state in hub.topics._states.items() if key == SHOUTS]
    (subscriber,) = state.subscribers
    assert getattr(subscriber, "_kept", None) == []
    door.gate.set()
    await alice.read()
    assert [answer.reason for answer in only(Subscribed, alice.messages) if answer.topic == SHOUTS] == [None, "lagging"]
    assert heard(alice, SHOUTS) == []
    await say(hub, 7)
    await alice.read()
    assert heard(alice, SHOUTS) == [7]


async def test_connections_that_end_meanwhile_leave_nothing() -> None:
    door = Door()
    hub = hub_with(door)
    before = len(asyncio.all_tasks())
    clients = [await follower(hub, name) for name in NAMES]
    door.gate = asyncio.Event()
    recheck(hub)
    await turns()
    for client in clients:
        client.lose()
    await turns()
    assert len(asyncio.all_tasks()) <= before
    assert hub.topics._states == {}


STEPS = st.lists(
    st.one_of(
        st.just(("say", "")),
        st.tuples(st.sampled_from(["out", "in", "recheck", "follow"]), st.sampled_from(NAMES)),
        st.tuples(st.just("turn"), st.integers(1, 6)),
        st.tuples(st.just("slow"), st.integers(0, 6)),
    ),
    max_size=40,
)


def told_all(client: HubClient, published: int, out: int | None, *, shouts: bool) -> None:
    """Fail if something is missing, doubled or told to one who was `out` by then; `shouts`: these were not left."""
    Ledger(ROOM).take(client.messages)
    in_room, values, shouted = (heard(client, topic) for topic in EVERYWHERE)
    assert in_room == list(range(1, len(in_room) + 1))
    assert len(set(shouted)) == len(shouted)
    assert max([0, *in_room, *values, *shouted]) <= (published if out is None else out)
    if out is None:
        assert len(in_room) == published
        assert not published or values[-1] == published
        assert not shouts or shouted == list(range(1, published + 1))


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_never_an_event_after_it_was_said_and_never_one_lost_for_who_stays(steps: list[tuple[str, str | int]]) -> None:
    async def scenario() -> None:
        door = Door()
        hub = hub_with(door)
        clients = {name: await follower(hub, name) for name in NAMES}
        ever_out: dict[str, int] = {}
        published, ref, first = 0, 10, True
        for step, what in steps:
            if step == "say":
                published += 1
                await say(hub, published)
            elif step == "out" and what not in ever_out:
                door.inside.discard(str(what))
                ever_out[str(what)] = published
                recheck(hub)
            elif step == "recheck":
                recheck(hub)
            elif step == "follow":
                # Of one who is in or out: the log's subscription is begun anew where it was.
                ref += 1
                clients[str(what)].send(Subscribe(ref, SHOUTS))
                first = False
            elif step == "turn":
                await turns(int(what))
            elif step == "slow":
                door.slow = int(what)
        for name, client in clients.items():
            await client.read(quiet=60)
            told_all(client, published, ever_out.get(name), shouts=first)
            client.lose()
        await hub.stop(0)

    run(scenario())
