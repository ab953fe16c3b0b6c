"""Publishing: what is announced to whom, when, and how often it is encoded."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import msgspec
import pytest

from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.publisher import TRIM_EVERY
from jupyter_ws_hub.hub.router import Router
from jupyter_ws_hub.hub.topic_state import AT_A_TIME, Batch, TopicState
from jupyter_ws_hub.hub.topics import Topics
from jupyter_ws_hub.protocol.codec import join_frame
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event
from jupyter_ws_hub.storage.base import Draft, LogRetention

from ..support.fakes import FakeClock, HookedLog, counting_ids, fake_runtime, turns, until
from .client import READ, TOPICS, Note, Value

ROOM = "notes/a"


@dataclass(eq=False)
class Listener:
    """A subscriber that takes everything."""

    offered: list[Batch] = field(default_factory=list)
    catches_up: int = 0
    renewed: int = 0
    asked: list[str] = field(default_factory=list)

    def offer(self, batch: Batch) -> None:
        """See Subscriber."""
        self.offered.append(batch)

    def catch_up(self) -> None:
        """See Subscriber."""
        self.catches_up += 1

    def renew(self) -> None:
        """See Subscriber."""
        self.renewed += 1

    def hold(self) -> None:
        """See Subscriber."""
        self.asked.append("hold")

    def recheck(self) -> None:
        """See Subscriber."""
        self.asked.append("recheck")

    @property
    def events(self) -> list[Event]:
        """What was offered, decoded."""
        frames = [join_frame(batch.pieces) for batch in self.offered]
        return [event for frame in frames for event in msgspec.json.decode(frame, type=list[Event])]

    @property
    def offsets(self) -> list[int | None]:
        """Where what was offered stands."""
        return [event.offset for event in self.events]


def make(*topics: Topic, clock: FakeClock | None = None) -> tuple[Topics, HookedLog]:
    """Topics on a log with hooks."""
    log, runtime = HookedLog(counting_ids("epoch")), fake_runtime(clock)
    made = Topics(Router([], topics or TOPICS, runtime), log, runtime)
    made.start()
    return made, log


def listen(topics: Topics, topic: str, principal: str = "alice", number: int = 1) -> tuple[TopicState, list[Listener]]:
    """Subscribe some listeners."""
    state = topics.state(topic, principal)
    listeners = [Listener() for _ in range(number)]
    state.subscribers.update(listeners)
    return state, listeners


async def test_offsets_count_from_one_with_and_without_listeners() -> None:
    topics, _ = make()
    assert await topics.publish(ROOM, "note", Note("a")) == 1
    _, (listener,) = listen(topics, ROOM)
    assert await topics.publish(ROOM, "note", Note("b")) == 2
    assert listener.offsets == [2]


async def test_an_event_says_when_and_what_in_the_declared_form() -> None:
    topics, _ = make(clock=FakeClock(12.5))
    _, (listener,) = listen(topics, ROOM)
    await topics.publish(ROOM, "note", Note("a"), id="mine")
    (event,) = listener.events
    assert (event.topic, event.offset, event.id, event.kind, event.time) == (ROOM, 1, "mine", "note", 12_500)
    assert bytes(event.data) == b'{"text":"a"}'


async def test_an_event_is_encoded_once_for_all() -> None:
    topics, _ = make()
    for topic in (ROOM, "shouts", "values"):
        _, listeners = listen(topics, topic, number=50)
        await topics.publish(
            topic, "value" if topic == "values" else "note", Value("x") if topic == "values" else Note()
        )
        await turns()
        assert len({id(listener.offered[0].pieces[0]) for listener in listeners}) == 1


async def test_a_payload_that_is_not_declared_is_a_bug_that_publishes_nothing() -> None:
    topics, log = make()
    for kind, payload in (("note", Value("x")), ("other", Note())):
        with pytest.raises(TypeError):
            await topics.publish(ROOM, kind, payload)
    assert (await log.head(ROOM)).offset == 0


async def test_an_unknown_topic_is_told() -> None:
    topics, _ = make()
    with pytest.raises(HubError) as caught:
        await topics.publish("nowhere", "note", Note())
    assert caught.value.code is Code.UNKNOWN_TOPIC


async def test_an_event_is_announced_only_when_the_log_has_it() -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)
    stored = asyncio.Event()

    async def wait(operation: str) -> None:
        await stored.wait()

    log.before = wait
    publishing = asyncio.create_task(topics.publish(ROOM, "note", Note("a")))
    await turns()
    assert listener.offered == []
    stored.set()
    await publishing
    assert listener.offsets == [1]


async def test_an_event_that_the_log_refuses_is_not_announced() -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)

    async def refuse(operation: str) -> None:
        raise HubError(Code.NO_SPACE, "The disk is full.")

    log.before = refuse
    with pytest.raises(HubError):
        await topics.publish(ROOM, "note", Note("a"))
    assert listener.offered == []


async def test_an_event_that_the_log_has_is_announced_though_its_publisher_was_cancelled() -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)
    acknowledged = asyncio.Event()

    async def wait(operation: str) -> None:
        await acknowledged.wait()

    log.after = wait
    publishing = asyncio.create_task(topics.publish(ROOM, "note", Note("a")))
    await turns()
    publishing.cancel()
    await turns()
    acknowledged.set()
    await turns()
    assert len(await log.read(ROOM, 0, 10)) == 1
    assert listener.offsets == [1]


async def test_the_same_id_again_counts_once() -> None:
    topics, log = make()
    assert await topics.publish(ROOM, "note", Note("a"), id="x") == 1
    assert await topics.publish(ROOM, "note", Note("b"), id="y") == 2
    assert await topics.publish(ROOM, "note", Note("again"), id="x") == 1
    assert [record.id for record in await log.read(ROOM, 0, 10)] == ["x", "y"]


async def test_a_log_is_trimmed_now_and_then_to_what_is_kept() -> None:
    topics, log = make(Topic("short", {"note": Note}, READ, LogRetention(10, 1 << 20, 1e9)))
    for _ in range(TRIM_EVERY):
        await topics.publish("short", "note", Note())
    head = await log.head("short")
    assert (head.offset, head.floor) == (TRIM_EVERY, TRIM_EVERY - 10)


async def test_a_personal_topic_reaches_its_principal_only() -> None:
    topics, _ = make()
    _, (alices,) = listen(topics, "inbox/me", "alice")
    _, (bobs,) = listen(topics, "inbox/me", "bob")
    assert await topics.publish("inbox/me", "note", Note("a"), principal="alice") == 1
    assert await topics.publish("inbox/me", "note", Note("b"), principal="bob") == 1
    assert [event.topic for event in alices.events + bobs.events] == ["inbox/me", "inbox/me"]
    assert [bytes(event.data) for event in alices.events] == [b'{"text":"a"}']
    with pytest.raises(ValueError, match="personal"):
        await topics.publish("inbox/me", "note", Note("c"))


async def test_latest_values_are_the_newest_of_each_key_without_those_that_are_gone() -> None:
    topics, _ = make()
    for value in (Value("b", 1), Value("a", 1), Value("c", 1), Value("b", 2), Value("c", gone=True)):
        assert await topics.publish("values", "value", value) is None
    snapshot = topics.state("values", "alice").snapshot()
    assert [msgspec.json.decode(value.data, type=Value) for value in snapshot] == [Value("a", 1), Value("b", 2)]


async def test_latest_values_outlive_their_last_listener() -> None:
    topics, _ = make()
    state, (listener,) = listen(topics, "values")
    await topics.publish("values", "value", Value("a", 1))
    state.subscribers.discard(listener)
    topics.release(state)
    assert len(topics.state("values", "bob").snapshot()) == 1


async def test_a_volatile_event_reaches_who_listens_now_and_nobody_else() -> None:
    topics, _ = make()
    await topics.publish("shouts", "note", Note("early"))
    _, (listener,) = listen(topics, "shouts")
    assert await topics.publish("shouts", "note", Note("now")) is None
    assert [(event.offset, bytes(event.data)) for event in listener.events] == [(None, b'{"text":"now"}')]


async def test_what_another_server_writes_is_announced_here() -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)
    await topics.publish(ROOM, "note", Note("mine"))
    await log.write_foreign(ROOM, [Draft(f"f{n}", "note", 0, b'{"text":"theirs"}') for n in range(450)])
    log.tell(ROOM)
    await until(lambda: len(listener.events) == 451)
    assert listener.offsets == list(range(1, 452))


async def test_who_listens_is_told_when_the_log_turns_out_to_be_further() -> None:
    topics, log = make()
    state, (listener,) = listen(topics, ROOM)
    await topics.head(state)
    assert listener.catches_up == 0
    await log.write_foreign(ROOM, [Draft("f1", "note", 0, b'{"text":"theirs"}')])
    for _ in range(2):
        assert (await topics.head(state)).offset == 1
    assert (listener.catches_up, state.head) == (1, 1)


async def test_news_of_a_topic_that_nobody_here_knows_are_ignored() -> None:
    _, log = make()
    reads: list[str] = []

    async def note(operation: str) -> None:
        reads.append(operation)

    log.before = note
    log.tell(ROOM)
    await turns()
    assert reads == []


async def test_a_log_that_cannot_be_read_for_a_moment_is_told_of_in_the_servers_log_and_followed_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)
    failures = [HubError(Code.UNAVAILABLE, "The database is locked.")]

    async def fail_once(operation: str) -> None:
        if failures:
            raise failures.pop()

    log.before = fail_once
    await log.write_foreign(ROOM, [Draft("f1", "note", 0, b'{"text":"theirs"}')])
    log.tell(ROOM)
    await until(lambda: not failures)
    await turns()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    await log.write_foreign(ROOM, [Draft("f2", "note", 0, b'{"text":"theirs"}')])
    log.tell(ROOM)
    await until(lambda: len(listener.events) == 2)
    assert listener.offsets == [1, 2]
    assert topics.state(ROOM, "alice").head == 2


async def test_a_topic_that_nobody_listens_to_is_forgotten() -> None:
    topics, _ = make()
    state, (listener,) = listen(topics, ROOM)
    topics.release(state)
    assert topics.state(ROOM, "bob") is state
    state.subscribers.discard(listener)
    topics.release(state)
    assert topics.state(ROOM, "bob") is not state


async def test_stop_ends_what_follows_other_servers() -> None:
    topics, log = make()
    _, (listener,) = listen(topics, ROOM)

    async def hang(operation: str) -> None:
        await asyncio.Event().wait()

    log.before = hang
    await log.write_foreign(ROOM, [Draft("f1", "note", 0, b"{}")])
    log.tell(ROOM)
    await turns()
    await asyncio.wait_for(topics.stop(), 5)
    await topics.stop()
    assert listener.offered == []


async def test_all_who_follow_a_topic_are_held_at_once_and_asked_few_at_a_time() -> None:
    topics, _ = make()
    _, listeners = listen(topics, ROOM, number=2 * AT_A_TIME + 1)
    _, others = listen(topics, "notes/b")
    topics.recheck(ROOM)
    assert [listener.asked for listener in listeners] == [["hold"]] * len(listeners)
    await turns(1)
    assert sum(listener.asked == ["hold", "recheck"] for listener in listeners) == AT_A_TIME
    await turns()
    assert all(listener.asked == ["hold", "recheck"] for listener in listeners)
    assert others[0].asked == []
    topics.recheck("notes/nobody")
    _, (one, *_) = listen(topics, "inbox/me", "alice")
    _, (another, *_) = listen(topics, "inbox/me", "bob")
    topics.recheck("inbox/me")
    await turns()
    assert one.asked == another.asked == ["hold", "recheck"]
