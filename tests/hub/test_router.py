"""How a name finds its declaration, and what a caller is told when a call does not go well."""

from __future__ import annotations

import asyncio
import logging

import pytest

from jupyter_ws_hub.hub.declare import Method, Topic
from jupyter_ws_hub.hub.router import Router
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import fake_peer, fake_runtime, until
from .client import READ, Desk, Note, raw

EVENTS = {"note": Note}
FAMILY = Topic("rooms/*", EVENTS, READ)
LOBBY = Topic("rooms/lobby", EVENTS, READ)


def router(desk: Desk | None = None, *topics: Topic) -> Router:
    """A router for a desk's methods."""
    return Router((desk or Desk()).methods(), topics, fake_runtime())


async def failure(router: Router, name: str, params: object, peer: Peer | None = None) -> HubError:
    """What the caller is told."""
    with pytest.raises(HubError) as caught:
        await router.call(router.method(name), raw(params), peer or fake_peer())
    return caught.value


def test_an_exact_topic_goes_before_its_family() -> None:
    assert router(None, FAMILY, LOBBY).topic("rooms/lobby") is LOBBY
    assert router(None, FAMILY, LOBBY).topic("rooms/other") is FAMILY


@pytest.mark.parametrize("name", ["", "rooms", "rooms/", "rooms/a/b", "x" * 100_000])
def test_an_unknown_topic_is_an_error_of_bounded_size(name: str) -> None:
    with pytest.raises(HubError) as caught:
        router(None, FAMILY).topic(name)
    assert caught.value.code is Code.UNKNOWN_TOPIC
    assert len(caught.value.message) < 400


def test_an_unknown_method_is_an_error_of_bounded_size() -> None:
    with pytest.raises(HubError) as caught:
        router().method("x" * 100_000)
    assert caught.value.code is Code.UNKNOWN_METHOD
    assert len(caught.value.message) < 400


def test_a_name_is_declared_once() -> None:
    methods = Desk().methods()
    with pytest.raises(ValueError, match="'echo'"):
        Router([*methods, methods[0]], [], fake_runtime())
    with pytest.raises(ValueError, match="'rooms/lobby'"):
        Router([], [LOBBY, LOBBY], fake_runtime())


async def test_a_call_gives_the_encoded_result() -> None:
    assert (
        await (its := router()).call(its.method("echo"), raw({"text": "hi", "unknown": 1}), fake_peer())
        == b'{"text":"hi"}'
    )


async def test_params_that_are_not_understood_are_invalid_and_the_field_is_named() -> None:
    desk = Desk()
    error = await failure(router(desk), "echo", {"text": 7})
    assert error.code is Code.INVALID
    assert "$.text" in error.message
    assert desk.calls == []


@pytest.mark.parametrize("params", [[], "x", None, 3])
async def test_params_that_are_no_object_are_invalid(params: object) -> None:
    assert (await failure(router(), "echo", params)).code is Code.INVALID


async def test_permission_is_asked_before_anything_is_said_about_the_params() -> None:
    desk = Desk()
    error = await failure(router(desk), "echo", {"text": 7}, fake_peer(denied=[("write", "desk")]))
    assert error.code is Code.FORBIDDEN
    assert desk.calls == []


async def test_permission_is_asked_at_every_call() -> None:
    denied: list[tuple[str, str]] = []
    its, peer = router(), fake_peer(denied=denied)
    assert await its.call(its.method("echo"), raw({}), peer)
    denied.append(("write", "desk"))
    assert (await failure(its, "echo", {}, peer)).code is Code.FORBIDDEN


async def test_a_services_own_words_reach_the_caller() -> None:
    told = HubError(Code.CONFLICT, "It changed.", retry_after_ms=5, details={"now": 3})
    assert await failure(router(Desk(error=told)), "fail", {}) is told


@pytest.mark.parametrize(
    "error", [RuntimeError("/secret/path"), KeyError("/secret/path"), TimeoutError("/secret/path")]
)
async def test_a_services_failure_is_internal_without_details_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told = await failure(router(Desk(error=error)), "fail", {})
    assert told.code is Code.INTERNAL
    assert "secret" not in told.message and told.details is None
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None and record.exc_info[1] is error


async def test_a_result_that_cannot_be_encoded_is_internal() -> None:
    async def call(params: Note, peer: Peer) -> object:
        return object()

    its = Router([Method("odd", Note, Note, READ, call)], [], fake_runtime())
    assert (await failure(its, "odd", {})).code is Code.INTERNAL


async def test_an_authorizer_that_fails_is_internal() -> None:
    async def authorize(action: str, resource: str) -> bool:
        raise RuntimeError("/secret/path")

    told = await failure(router(), "echo", {}, Peer("alice", "alice", "Alice", authorize))
    assert told.code is Code.INTERNAL
    assert "secret" not in told.message


async def test_a_call_that_is_cancelled_is_not_turned_into_an_error() -> None:
    calling = asyncio.create_task((its := router(desk := Desk())).call(its.method("wait"), raw({}), fake_peer()))
    await until(lambda: bool(desk.calls))
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
