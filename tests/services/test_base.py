"""How a service's methods become declarations, and what every service does unless it says otherwise."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_ws_hub.hub.declare import Lane, Topic
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.services.base import Health, Nothing, Service, method

from ..hub.client import code_of, content, opened
from ..support.fakes import Stage, fake_peer


class Sum(msgspec.Struct, frozen=True):
    """Two numbers."""

    a: int
    b: int = 0


class Counter(Service):
    """A service of tests."""

    name = "counter"
    topics = (Topic("counter", {}, ("read", "counter")),)

    @method("counter.sum", permission=("read", "counter"), lane=Lane.BULK, idempotent=True)
    async def sum(self, params: Sum, peer: Peer) -> int:
        """Add."""
        return params.a + params.b

    @method("counter.reset", permission=("write", "counter"))
    async def reset(self, params: Nothing, peer: Peer) -> None:
        """Forget."""

    async def not_declared(self, params: Nothing, peer: Peer) -> None:
        """No method for clients."""


def test_a_method_is_declared_with_its_types_and_all_that_its_decorator_says() -> None:
    reset, add = Counter().methods()
    assert (add.name, add.params, add.result) == ("counter.sum", Sum, int)
    assert (add.permission, add.lane, add.idempotent, add.document) == (("read", "counter"), Lane.BULK, True, "Add.")
    assert (reset.name, reset.params, reset.result) == ("counter.reset", Nothing, type(None))
    assert (reset.lane, reset.idempotent) == (Lane.INTERACTIVE, False)


async def test_a_declared_method_is_the_services_own() -> None:
    _, add = Counter().methods()
    assert await add.call(Sum(2, 3), fake_peer()) == 5


def test_a_method_has_one_parameter_beside_the_peer() -> None:
    class Odd(Service):
        """Takes too much."""

        name = "odd"

        @method("odd.f", permission=("read", "odd"))
        async def f(self, params: Sum, more: Sum, peer: Peer) -> int:
            """Never called."""
            return 0

    with pytest.raises(ValueError, match="too many values"):
        list(Odd().methods())


async def test_a_service_is_well_and_starts_and_stops_unless_it_says_otherwise() -> None:
    service = Counter()
    await service.start()
    await service.stop()
    assert service.health() == Health("counter", "ok")
    assert service.all_topics() is Counter.topics


async def test_a_service_is_reached_through_the_hub_by_who_may() -> None:
    stage = Stage(service := Counter())
    assert service.context is stage.context
    client = await opened(stage.hub, fake_peer(denied=[("write", "counter")]))
    reply = await client.ask(1, "counter.sum", {"a": 2, "b": 3})
    assert content(reply.result) == b"5"
    assert code_of(await client.ask(2, "counter.sum", {})) == "invalid"
    assert code_of(await client.ask(3, "counter.reset")) == "forbidden"
    assert code_of(await client.ask(4, "counter.not_declared")) == "unknown_method"
