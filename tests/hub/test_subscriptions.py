"""Each subscription of a connection is answered once, whatever happens to it meanwhile, and leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Reply, Subscribe, Subscribed, Unsubscribe

from ..support.fakes import HookedLog, counting_ids, fake_peer, turns
from .client import KEEP_ALL, READ, HubClient, Note, code_of, make_hub, only, opened, run

TOPICS = ("notes/a", "notes/b", "values", "shouts")


class SlowLog:
    """A log whose operations wait for a gate."""

    def __init__(self) -> None:
        self.log = HookedLog(counting_ids("epoch"))
        self.gate = asyncio.Event()
        self.log.before = self._wait

    async def _wait(self, operation: str) -> None:
        await self.gate.wait()


def answers(client: HubClient) -> dict[int | None, str]:
    """How each `ref` was answered: `ok`, or the code of an error."""
    told = {answer.ref: "ok" for answer in only(Subscribed, client.messages)}
    refused = {reply.ref: code_of(reply) for reply in only(Reply, client.messages) if reply.error is not None}
    assert not told.keys() & refused.keys()
    return told | refused


async def test_what_is_replaced_or_ended_before_its_answer_is_told_so() -> None:
    slow = SlowLog()
    client = await opened(make_hub(log=slow.log))
    client.send(Subscribe(1, "notes/a"), Subscribe(2, "notes/a"), Subscribe(3, "notes/b"), Unsubscribe(4, "notes/b"))
    await turns()
    slow.gate.set()
    await client.read()
    assert answers(client) == {1: "superseded", 2: "ok", 3: "superseded"}


async def test_a_connection_that_ends_while_it_asks_leaves_no_task_and_no_topic() -> None:
    slow = SlowLog()
    hub = make_hub(log=slow.log)
    client = await opened(hub)
    before = len(asyncio.all_tasks())
    client.send(*(Subscribe(ref, f"notes/{ref}") for ref in range(1, 20)))
    await turns()
    client.lose()
    await turns()
    assert len(asyncio.all_tasks()) <= before
    assert hub.topics._states == {}


@pytest.mark.parametrize("error", [HubError(Code.UNAVAILABLE, "Locked."), RuntimeError("a bug")])
async def test_a_log_that_fails_is_told_and_the_topic_may_be_asked_for_again(error: Exception) -> None:
    log = HookedLog(counting_ids("epoch"))
    client = await opened(make_hub(log=log))

    async def fail(operation: str) -> None:
        raise error

    works, log.before = log.before, fail
    client.send(Subscribe(1, "notes/a"))
    await client.read()
    log.before = works
    client.send(Subscribe(2, "notes/a"))
    await client.read()
    expected = error.code.wire_name if isinstance(error, HubError) else "internal"
    assert answers(client) == {1: expected, 2: "ok"}


STEPS = st.lists(st.tuples(st.sampled_from(["follow", "leave", "turn"]), st.sampled_from(TOPICS)), max_size=25)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_every_subscription_is_answered_once_and_the_last_one_counts(steps: list[tuple[str, str]]) -> None:
    async def scenario() -> None:
        hub = make_hub()
        client = await opened(hub)
        asked, following = set[int](), set[str]()
        for ref, (step, topic) in enumerate(steps, start=1):
            if step == "turn":
                await turns(1)
            elif step == "follow":
                client.send(Subscribe(ref, topic))
                asked.add(ref)
                following.add(topic)
            else:
                client.send(Unsubscribe(ref, topic))
                following.discard(topic)
        await client.read()
        assert answers(client).keys() == asked
        client.messages.clear()
        for topic in ("notes/a", "notes/b", "shouts"):
            await hub.topics.publish(topic, "note", Note("now"))
        await client.read()
        assert {event.topic for event in only(Event, client.messages)} == following - {"values"}
        client.lose()
        await hub.stop(0)

    run(scenario())


class Club:
    """A topic whose members are told by `check`, each of whose looks may wait for a gate."""

    def __init__(self) -> None:
        self.members = {"alice", "bob"}
        self.gate = asyncio.Event()
        self.gate.set()

    async def check(self, peer: Peer, topic: str) -> None:
        allowed = peer.username in self.members
        await self.gate.wait()
        if not allowed:
            raise HubError(Code.NOT_FOUND, "There is no such club.")

    def hub(self) -> Hub:
        """One that serves it."""
        topics = (Topic("club/*", {"note": Note}, READ, KEEP_ALL, check=self.check), Topic("notes/*", {}, READ))
        return make_hub(topics=topics)


async def test_who_may_follow_a_topic_no_longer_is_told_so_and_nothing_more() -> None:
    club = Club()
    hub = club.hub()
    alice, bob = await opened(hub, fake_peer("alice")), await opened(hub, fake_peer("bob"))
    for client in (alice, bob):
        await client.subscribe(1, "club/a")
        await client.subscribe(2, "club/b")
    club.members.discard("bob")
    hub.topics.recheck("club/a")
    hub.topics.recheck("club/nowhere")
    (refusal,) = only(Reply, await bob.read())
    assert (refusal.ref, code_of(refusal)) == (None, "not_found")
    assert refusal.error is not None and refusal.error.details == {"topic": "club/a"}
    await hub.topics.publish("club/a", "note", Note("secret"))
    assert only(Event, await bob.read()) == [] and len(only(Event, await alice.read())) == 1
    assert only(Reply, alice.messages) == []


async def test_who_was_let_in_a_moment_before_is_asked_again() -> None:
    club = Club()
    hub = club.hub()
    bob = await opened(hub, fake_peer("bob"))
    club.gate.clear()
    bob.send(Subscribe(1, "club/a"))
    await turns()
    club.members.discard("bob")
    hub.topics.recheck("club/a")
    await turns()
    club.gate.set()
    await bob.read()
    assert answers(bob) == {1: "not_found"}
    await hub.topics.publish("club/a", "note", Note("secret"))
    assert only(Event, await bob.read()) == []


async def test_a_connection_that_ends_while_it_is_asked_again_leaves_no_task() -> None:
    club = Club()
    hub = club.hub()
    bob = await opened(hub, fake_peer("bob"))
    await bob.subscribe(1, "club/a")
    before = len(asyncio.all_tasks())
    club.gate.clear()
    hub.topics.recheck("club/a")
    await turns()
    bob.lose()
    await turns()
    assert len(asyncio.all_tasks()) <= before
