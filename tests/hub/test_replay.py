"""Replay and the switch to live: every subscriber sees every event once and in order, or is told of a reset."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.replay import PAGE, why_reset
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.hub.topic_state import LatestValue
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import (
    Event,
    Hello,
    Lagging,
    Live,
    Position,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Welcome,
)
from jupyter_ws_hub.storage.base import Draft, Head, LogRetention, Record

from ..support.fakes import HookedLog, counting_ids, turns
from .client import KEEP_ALL, READ, HubClient, Ledger, Note, Value, content, make_hub, only, opened, run

ROOM = "notes/a"
HEAD = Head("e1", offset=10, id="m10", floor=4, floor_id="m4")


@pytest.mark.parametrize(
    ("since", "anchor", "reason"),
    [
        (Position("e1", 10, "m10"), "m10", None),
        (Position("e1", 7, "m7"), "m7", None),
        (Position("e1", 4, "m4"), None, None),
        (Position("e2", 7, "m7"), "m7", "epoch"),
        (Position("e2", 99, "m99"), None, "epoch"),
        (Position("e1", 11, "m11"), None, "ahead"),
        (Position("e1", 3, "m3"), None, "trimmed"),
        (Position("e1", -1, ""), None, "trimmed"),
        (Position("e1", 7, "other"), "m7", "anchor"),
        (Position("e1", 4, "other"), None, "anchor"),
        (Position("e1", 7, ""), "m7", "anchor"),
    ],
)
def test_a_replay_is_complete_or_there_is_a_reason(since: Position, anchor: str | None, reason: str | None) -> None:
    assert why_reset(since, HEAD, anchor, 6) == reason


def test_a_replay_from_the_start_of_an_empty_log_is_complete() -> None:
    assert why_reset(Position("e1", 0), Head("e1", 0, "", 0, ""), None, 1) is None
    assert why_reset(Position("e1", 0, "m"), Head("e1", 0, "", 0, ""), None, 1) == "anchor"


@dataclass
class World:
    """A hub on a log with hooks, and clients that keep a ledger of one topic."""

    hub: Hub
    log: HookedLog
    clients: list[HubClient] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    refs: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    publishing: list[asyncio.Task[int | None]] = field(default_factory=list)

    @classmethod
    def make(cls, outbox_bytes: int = 1 << 20, delays: list[int] | None = None, topic: Topic | None = None) -> World:
        """Each operation of the log takes a few turns of the loop, as `delays` says over and over."""
        log = HookedLog(counting_ids("epoch"))
        steps = itertools.cycle(delays or [0])

        async def delay(operation: str) -> None:
            await turns(next(steps))

        log.before = log.after = delay
        topics = [topic or Topic("notes/*", {"note": Note}, READ, KEEP_ALL)]
        return cls(make_hub(log=log, topics=topics, settings=HubSettings(outbox_bytes=outbox_bytes)), log)

    async def join(self, ledger: Ledger | None = None) -> int:
        """A client that begins at the start of the log."""
        client = await opened(self.hub)
        self.clients.append(client)
        self.ledgers.append(ledger or Ledger(ROOM))
        client.send(Subscribe(next(self.refs), ROOM, "earliest"))
        return len(self.clients) - 1

    async def read(self, index: int) -> None:
        """A client reads all there is; a reset must have its reason in the log."""
        ledger, before = self.ledgers[index], len(self.ledgers[index].resets)
        ledger.take(await self.clients[index].read())
        await self.check_resets(ledger, before)

    async def peek(self, index: int) -> None:
        """A client reads one frame, if there is one."""
        ledger, before = self.ledgers[index], len(self.ledgers[index].resets)
        if self.clients[index].queued_bytes:
            ledger.take(await self.clients[index].take())
        await self.check_resets(ledger, before)

    async def check_resets(self, ledger: Ledger, seen: int) -> None:
        """What a reset skips was trimmed; the log's floor never falls, so that it can be asked now."""
        floor = self.log._log(ROOM).head().floor
        for before, reset in ledger.resets[seen:]:
            assert reset.reason in ("trimmed", "anchor")
            assert before is None or floor >= before.offset, "a reset without a reason"

    async def reconnect(self, index: int) -> None:
        """The socket breaks; what was on its way is lost; the client resumes with the position it has."""
        old, ledger = self.clients[index], self.ledgers[index]
        ledger.awaited = None
        old.lose()
        client = self.clients[index] = HubClient(self.hub, old.peer)
        if ledger.position is None:
            client.send(Hello(session=None), Subscribe(next(self.refs), ROOM, "earliest"))
        else:
            assert old.welcome is not None
            client.send(
                Hello(session=old.welcome.session, resume=old.welcome.resume, positions={ROOM: ledger.position})
            )
        (client.welcome,) = only(Welcome, messages := await client.take())
        ledger.take(messages)

    def renew(self, index: int) -> None:
        """Subscribe again on the same socket, as after a gap."""
        ledger = self.ledgers[index]
        if ledger.position is not None:
            ledger.awaited = next(self.refs)
            self.clients[index].send(Subscribe(ledger.awaited, ROOM, ledger.position))

    def publish(self, number: int) -> None:
        """Publish some events at once."""
        for _ in range(number):
            self.publishing.append(asyncio.create_task(self.hub.topics.publish(ROOM, "note", Note("mine"))))

    async def write_foreign(self, number: int, tell: bool) -> None:
        """Another server writes; this one may hear of it later."""
        ids = [f"foreign{next(self.refs)}" for _ in range(number)]
        await self.log.write_foreign(ROOM, [Draft(id, "note", 0, b'{"text":"theirs"}') for id in ids])
        if tell:
            self.log.tell(ROOM)

    async def settle(self) -> None:
        """All is written, told and read; who was closed as too slow comes back."""
        await asyncio.gather(*self.publishing)
        self.log.tell(ROOM)
        for index, client in enumerate(self.clients):
            await self.read(index)
            if client.close_code is not None:
                assert client.close_code == Code.SLOW_CONSUMER
                await self.reconnect(index)
                await self.read(index)

    async def check_complete(self) -> None:
        """Every client is at the head, is live, and has what the log has."""
        await self.settle()
        head = await self.log.head(ROOM)
        records = {record.offset: record.id for record in self.log._log(ROOM).records}
        for ledger in self.ledgers:
            assert ledger.position == Position(head.epoch, head.offset, head.id)
            assert ledger.live
            for event in ledger.events:
                assert event.offset is not None and records.get(event.offset, event.id) == event.id
        for client in self.clients:
            client.lose()
        await self.hub.stop(0)


Step = Callable[[World, int, int], Awaitable[None] | None]


async def _trim(world: World, index: int, number: int) -> None:
    await world.log.trim(ROOM, LogRetention(max(1, number), 1 << 30, 1e9), 0)


STEPS: dict[str, Step] = {
    "publish": lambda world, index, number: world.publish(number),
    "foreign, told": lambda world, index, number: world.write_foreign(number, True),
    "foreign, not told": lambda world, index, number: world.write_foreign(number, False),
    "trim": _trim,
    "read": lambda world, index, number: world.read(index),
    "peek": lambda world, index, number: world.peek(index),
    "reconnect": lambda world, index, number: world.reconnect(index),
    "renew": lambda world, index, number: world.renew(index),
    "turns": lambda world, index, number: turns(number),
}
PLAN = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 1), st.integers(0, 6)), max_size=30)
DELAYS = st.lists(st.integers(0, 4), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@example([("read", 0, 0), ("foreign, not told", 0, 1), ("reconnect", 0, 0)], [0], 1000)
@example([("read", 0, 0), ("reconnect", 0, 0), ("renew", 0, 0)], [0, 0, 2], 1000)
@given(plan=PLAN, delays=DELAYS, outbox_bytes=st.sampled_from([1000, 1 << 20]))
def test_whatever_happens_every_event_comes_once_in_order_or_there_is_a_reset(
    plan: list[tuple[str, int, int]], delays: list[int], outbox_bytes: int
) -> None:
    async def scenario() -> None:
        world = World.make(outbox_bytes, delays)
        for _ in range(2):
            await world.join()
        for name, index, number in plan:
            work = STEPS[name](world, index, number)
            if work is not None:
                await work
        await world.check_complete()

    run(scenario())


async def test_what_is_published_while_a_replay_reads_comes_after_it() -> None:
    world = World.make(delays=[3])
    world.publish(PAGE + 50)
    await asyncio.gather(*world.publishing)
    await world.join()
    for _ in range(40):
        world.publish(1)
        await turns(2)
    await world.check_complete()
    (ledger,) = world.ledgers
    assert len(ledger.events) == PAGE + 90
    assert ledger.resets == [] and ledger.lagged == 0


async def test_a_client_that_never_reads_keeps_little_waiting_and_is_served_from_the_log_later() -> None:
    world = World.make(outbox_bytes=10_000)
    index = await world.join()
    await world.read(index)
    client, ledger = world.clients[index], world.ledgers[index]
    for _ in range(40):
        world.publish(25)
        await asyncio.gather(*world.publishing)
        await turns()
        assert client.queued_bytes <= 10_000 + 300
    await world.check_complete()
    assert len(ledger.events) == 1000
    assert ledger.lagged >= 1 and ledger.resets == []


async def test_a_client_that_falls_behind_is_told_lagging_then_live() -> None:
    world = World.make(outbox_bytes=1000)
    index = await world.join()
    await world.read(index)
    world.publish(50)
    await asyncio.gather(*world.publishing)
    read = await world.clients[index].read()
    kinds = [type(message) for message in read if not isinstance(message, Event)]
    assert kinds[0] is Lagging and kinds[-1] is Live
    assert len(only(Event, read)) == 50


async def test_a_client_that_falls_behind_what_is_kept_is_told_of_a_reset() -> None:
    world = World.make(outbox_bytes=1000)
    index = await world.join()
    await world.read(index)
    world.publish(100)
    await asyncio.gather(*world.publishing)
    await _trim(world, index, 10)
    await world.read(index)
    ledger = world.ledgers[index]
    ((before, reset),) = ledger.resets
    assert before is not None and before.offset < 90
    assert (reset.status, reset.reason, reset.ref) == ("reset", "trimmed", None)
    world.publish(3)
    await world.check_complete()


async def test_a_reset_whose_snapshot_fails_by_a_bug_ends_the_connection_which_comes_back() -> None:
    async def break_down(peer: Peer, topic: str, position: Position) -> Note:
        raise RuntimeError("a bug of the service")

    topic = Topic("notes/*", {"note": Note}, READ, KEEP_ALL, snapshot=break_down)
    world = World.make(outbox_bytes=1000, topic=topic)
    index = await world.join()
    await world.read(index)
    world.publish(100)
    await asyncio.gather(*world.publishing)
    await _trim(world, index, 10)
    await world.read(index)
    assert world.clients[index].close_code == Code.INTERNAL


async def test_events_of_another_server_that_this_one_missed_are_read_from_the_log() -> None:
    world = World.make()
    index = await world.join()
    await world.read(index)
    world.publish(1)
    await world.write_foreign(3, tell=False)
    world.publish(1)
    await asyncio.gather(*world.publishing)
    await world.read(index)
    assert world.ledgers[index].texts == ["theirs", "theirs", "theirs", "mine", "mine"]


async def test_a_subscriber_that_joins_while_the_last_other_leaves_sees_what_is_published() -> None:
    world = World.make()
    leaving = await opened(world.hub)
    await leaving.subscribe(1, ROOM)
    reading = asyncio.Event()

    async def wait(operation: str) -> None:
        await reading.wait()

    world.log.before = wait
    index = await world.join()
    await turns()
    leaving.send(Unsubscribe(2, ROOM))
    reading.set()
    await world.read(index)
    world.publish(1)
    await asyncio.gather(*world.publishing)
    await world.read(index)
    assert world.ledgers[index].texts == ["mine"]


async def test_a_log_that_cannot_be_read_ends_the_connection_which_comes_back() -> None:
    world = World.make()
    index = await world.join()
    await world.read(index)

    async def fail(operation: str) -> None:
        if operation == "read":
            raise HubError(Code.UNAVAILABLE, "The database is locked.")

    world.log.before = fail
    await world.write_foreign(1, tell=False)
    world.publish(1)
    await asyncio.gather(*world.publishing)
    await world.read(index)
    assert world.clients[index].close_code == Code.UNAVAILABLE


async def test_latest_values_under_a_full_outbox_end_with_the_newest() -> None:
    hub = make_hub(settings=HubSettings(outbox_bytes=1000))
    client = await opened(hub)
    await client.subscribe(1, "values")
    for number in range(200):
        await hub.topics.publish("values", "value", Value("a", number))
        await hub.topics.publish("values", "value", Value("b", number, gone=number == 199))
        assert client.queued_bytes <= 1500
    state: dict[str, Value] = {}
    for message in await client.read():
        if isinstance(message, Subscribed):
            assert (message.status, message.reason) == ("reset", "lagging")
            values = msgspec.json.decode(content(message.snapshot), type=list[LatestValue])
            decoded = [msgspec.json.decode(value.data, type=Value) for value in values]
            state = {value.id: value for value in decoded}
        elif isinstance(message, Event):
            value = msgspec.json.decode(message.data, type=Value)
            state[value.id] = value
    assert state == {"a": Value("a", 199)}
    await hub.topics.publish("values", "value", Value("a", 200))
    assert [msgspec.json.decode(event.data, type=Value).number for event in only(Event, await client.read())] == [200]


async def test_a_volatile_topic_under_a_full_outbox_misses_events_and_goes_on() -> None:
    hub = make_hub(settings=HubSettings(outbox_bytes=1000))
    client = await opened(hub)
    await client.subscribe(1, "shouts")
    for number in range(100):
        await hub.topics.publish("shouts", "note", Note(str(number)))
        assert client.queued_bytes <= 1500
    assert len(only(Event, await client.read())) < 100
    await hub.topics.publish("shouts", "note", Note("now"))
    assert len(only(Event, await client.read())) == 1
    assert client.close_code is None


def test_an_envelope_from_the_log_is_the_same_as_the_live_one() -> None:
    async def scenario() -> None:
        hub = make_hub()
        live, later = await opened(hub), await opened(hub)
        await live.subscribe(1, ROOM)
        await hub.topics.publish(ROOM, "note", Note("a"))
        (said,) = only(Event, await live.read())
        later.send(Subscribe(1, ROOM, "earliest"))
        (replayed,) = only(Event, await later.read())
        record = Record(1, said.id, "note", said.time, bytes(said.data))
        assert record == (await hub.log.read(ROOM, 0, 1))[0]
        assert msgspec.json.encode(said) == msgspec.json.encode(replayed)

    run(scenario())
