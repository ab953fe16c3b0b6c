"""Topics whose newest values the service has: the hub keeps none, and who begins to follow misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest

from jupyter_ws_hub.hub.declare import Latest, Newest, Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.hub.topic_state import LatestValue
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Subscribe, Subscribed

from ..support.fakes import fake_peer, turns
from .client import READ, HubClient, Value, content, make_hub, only, opened

MINE = "values/me"


@dataclass
class Shelf:
    """A service that has values; who asks waits at `gate` after the first of them, and gets `error` if there is one."""

    values: dict[str, list[Value]] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    asked: int = 0

    async def ask(self, principal: str) -> AsyncIterator[Newest]:
        """See Latest."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        for value in list(self.values.get(principal, [])):
            yield Newest("value", 5, value)
            await self.gate.wait()

    def hub(self, settings: HubSettings | None = None) -> Hub:
        """A hub with this service's topic."""
        return make_hub(topics=[Topic(MINE, {"value": Value}, READ, Latest("id", values=self.ask))], settings=settings)


@pytest.fixture
def shelf() -> Shelf:
    """One that has two of alice's, and tells at once."""
    shelf = Shelf({"alice": [Value("b", 1), Value("a", 1)]})
    shelf.gate.set()
    return shelf


def listed(answer: Subscribed) -> list[Value]:
    """What a snapshot has."""
    values = msgspec.json.decode(content(answer.snapshot), type=list[LatestValue])
    return [msgspec.json.decode(value.data, type=Value) for value in values]


def told(client: HubClient) -> list[Value]:
    """The values of the events that came."""
    return [msgspec.json.decode(event.data, type=Value) for event in only(Event, client.messages)]


async def publish(hub: Hub, *values: Value) -> None:
    for value in values:
        await hub.topics.publish(MINE, "value", value, principal="alice")


async def test_who_begins_gets_what_the_service_has_and_then_what_comes(shelf: Shelf) -> None:
    hub = shelf.hub()
    await publish(hub, Value("c", 1))
    client = await opened(hub)
    answer = await client.subscribe(1, MINE)
    assert listed(answer) == [Value("a", 1), Value("b", 1)]
    assert msgspec.json.decode(content(answer.snapshot), type=list[LatestValue])[0].time == 5
    await publish(hub, Value("a", 2))
    await client.read()
    assert told(client) == [Value("a", 2)]
    bob = await opened(hub, fake_peer("bob"))
    assert listed(await bob.subscribe(1, MINE)) == []


async def test_what_is_published_while_the_service_is_asked_counts_and_comes_once(shelf: Shelf) -> None:
    hub, shelf.gate = shelf.hub(), asyncio.Event()
    clients = [await opened(hub) for _ in range(2)]
    for client in clients:
        client.send(Subscribe(1, MINE, "latest"))
        await turns()
    await publish(hub, Value("b", 2), Value("c", 1), Value("d", 1), Value("d", gone=True), Value("a", gone=True))
    shelf.gate.set()
    for client in clients:
        await client.read()
        (answer,) = only(Subscribed, client.messages)
        assert listed(answer) == [Value("b", 2), Value("c", 1)]
        assert told(client) == []
    assert hub.topics.state(MINE, "alice").snapshot() == [], "it is the service that has them"


async def test_nothing_is_kept_when_nobody_is_answered(shelf: Shelf) -> None:
    hub = shelf.hub()
    await publish(hub, Value("x"))
    client = await opened(hub)
    await client.subscribe(1, MINE)
    await publish(hub, Value("x"), Value("y", gone=True))
    state = hub.topics.state(MINE, "alice")
    assert state.snapshot() == []
    client.lose()
    await turns()
    assert not state.is_needed


async def test_a_service_that_cannot_tell_is_an_error_and_the_next_may_be_better(shelf: Shelf) -> None:
    hub, shelf.error = shelf.hub(), HubError(Code.NO_SPACE, "The disk is full.")
    client = await opened(hub)
    assert await client.refusal(Subscribe(1, MINE, "latest")) == "no_space"
    shelf.error = RuntimeError("boom")
    assert await client.refusal(Subscribe(2, MINE, "latest")) == "internal"
    shelf.error = None
    assert len(listed(await client.subscribe(3, MINE))) == 2


async def test_who_leaves_while_the_service_is_asked_gets_nothing(shelf: Shelf) -> None:
    hub, shelf.gate = shelf.hub(), asyncio.Event()
    client = await opened(hub)
    client.send(Subscribe(1, MINE, "latest"))
    await turns()
    state = hub.topics.state(MINE, "alice")
    client.lose()
    shelf.gate.set()
    await turns()
    assert (only(Subscribed, client.messages), state.is_needed, state.snapshot()) == ([], False, [])


async def test_a_full_outbox_ends_with_what_the_service_has(shelf: Shelf) -> None:
    hub = shelf.hub(HubSettings(outbox_bytes=1000))
    client = await opened(hub)
    await client.subscribe(1, MINE)
    for number in range(200):
        shelf.values["alice"] = [Value("a", number)]
        await publish(hub, Value("a", number))
        assert client.queued_bytes <= 1500
    state = Value("a", -1)
    for message in await client.read():
        if isinstance(message, Subscribed):
            assert (message.status, message.reason) == ("reset", "lagging")
            (state,) = listed(message)
        elif isinstance(message, Event):
            state = msgspec.json.decode(message.data, type=Value)
    assert state == Value("a", 199)
    assert shelf.asked < 100


async def test_a_service_that_fails_under_a_full_outbox_ends_the_connection(shelf: Shelf) -> None:
    hub = shelf.hub(HubSettings(outbox_bytes=1000))
    client = await opened(hub)
    await client.subscribe(1, MINE)
    shelf.error = HubError(Code.UNAVAILABLE, "The disk is away.")
    for number in range(200):
        await publish(hub, Value("a", number))
    await client.read()
    assert client.close_code == Code.UNAVAILABLE


def test_only_a_personal_topic_can_have_its_values_from_the_service(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="personal"):
        Topic("values", {"value": Value}, READ, Latest("id", values=shelf.ask))
