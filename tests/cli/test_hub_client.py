"""Requests on /ws: answered once, asked again after a break, and never twice where that could do harm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from jupyter_ws_hub.cli import hub_client
from jupyter_ws_hub.cli.hub_client import HubClient
from jupyter_ws_hub.cli.servers import REFUSED, CommandError, Server
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, RemoteProtocolError

from ..support.scripted import Script, scripted


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hub_client, "BACKOFF_S", (0.02,))
    yield


class Seen:
    """What the server has got, of all connections."""

    def __init__(self) -> None:
        self.hellos: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []


async def messages(socket: ServerConnection, seen: Seen, *, resumed: bool = False, silence_ms: int = 9000) -> Any:
    """Say welcome, and give the requests that come."""
    async for frame in socket:
        for message in msgspec.json.decode(frame):
            if message["type"] == "hello":
                seen.hellos.append(message)
                limits = {"frame_bytes": 1, "requests_in_flight": 1, "topics": 1}
                beat = {"interval_ms": silence_ms, "grace_ms": 0}
                plain = {"session": "s1", "resume": "r1", "server": "x", "principal": "me", "heartbeat": beat}
                await say(socket, {"type": "welcome", "resumed": resumed, "limits": limits, **plain})
            elif message["type"] == "request":
                seen.requests.append(message)
                yield message
            else:
                seen.others.append(message)


async def say(socket: ServerConnection, *envelopes: dict[str, Any]) -> None:
    await socket.send(msgspec.json.encode(envelopes).decode())


def answering(seen: Seen, *, resumed: bool = False) -> Script:
    async def script(socket: ServerConnection) -> None:
        async for request in messages(socket, seen, resumed=resumed):
            await say(socket, {"type": "ping", "t": 7.0}, {"type": "reply", "ref": request["ref"], "result": [1]})

    return script


def breaking(seen: Seen, code: int | None = None) -> Script:
    """Ends with the first request."""

    async def script(socket: ServerConnection) -> None:
        async for request in messages(socket, seen):
            await say(socket, {"type": "item", "ref": request["ref"], "n": 0, "data": 1})
            if code is None:
                socket.transport.abort()
            else:
                await socket.close(code)

    return script


async def test_a_request_is_answered_and_acknowledged() -> None:
    seen = Seen()
    async with scripted(answering(seen)) as server, HubClient(server) as hub:
        answers = await asyncio.gather(*(hub.request("a.b", {"x": n}, list[int]) for n in range(3)))
    assert answers == [[1]] * 3
    assert [request["ref"] for request in seen.requests] == [1, 2, 3]
    assert {"type": "pong", "t": 7.0} in seen.others
    assert seen.others[-1]["type"] == "bye"
    acks = [other for other in seen.others if other["type"] == "ack"]
    assert acks[-1]["done"] >= 1 and [ack["frames"] for ack in acks] == [*range(1, len(acks) + 1)]


@pytest.mark.parametrize(("resumed", "idempotent"), [(True, False), (True, True), (False, True)])
async def test_after_a_break_it_is_asked_again(resumed: bool, idempotent: bool) -> None:
    seen = Seen()
    async with scripted(breaking(seen), answering(seen, resumed=resumed)) as server, HubClient(server) as hub:
        assert await hub.request("a.b", {}, list[int], idempotent=idempotent) == [1]
    assert [request["ref"] for request in seen.requests] == [1, 1]
    assert (seen.hellos[1]["session"], seen.hellos[1]["resume"]) == ("s1", "r1")


async def test_what_may_have_run_is_not_run_twice() -> None:
    seen = Seen()
    async with scripted(breaking(seen), answering(seen)) as server, HubClient(server) as hub:
        with pytest.raises(HubError) as caught:
            await hub.request("a.b", {}, list[int], idempotent=False)
        assert caught.value.code is Code.UNKNOWN_OUTCOME
        assert await hub.request("a.c", {}, list[int], idempotent=False) == [1]
    assert [request["method"] for request in seen.requests] == ["a.b", "a.c"]


async def test_items_are_gathered_once_whatever_breaks() -> None:
    seen = Seen()

    async def streaming(socket: ServerConnection) -> None:
        async for request in messages(socket, seen):
            items = [{"type": "item", "ref": request["ref"], "n": n, "data": n + 10} for n in (0, 1, 0, 2)]
            await say(socket, *items, {"type": "reply", "ref": request["ref"], "result": None})

    async with scripted(breaking(seen), streaming) as server, HubClient(server) as hub:
        assert await hub.stream("a.b", {}, int, lambda raw: []) == [10, 11, 12]
    async with scripted(answering(seen)) as server, HubClient(server) as hub:
        assert await hub.stream("a.b", {}, int, lambda raw: [len(bytes(raw))]) == [3]


async def test_errors_are_raised_as_what_they_are() -> None:
    seen = Seen()

    async def refusing(socket: ServerConnection) -> None:
        async for request in messages(socket, seen):
            error = {"code": "not_found", "message": "No.", "retryable": False}
            await say(socket, {"type": "reply", "ref": request["ref"], "error": error})

    async with scripted(refusing) as server, HubClient(server) as hub:
        with pytest.raises(HubError, match="No") as caught:
            await hub.request("a.b", {}, list[int])
        assert caught.value.code is Code.NOT_FOUND
    async with scripted(answering(seen)) as server, HubClient(server) as hub:
        with pytest.raises(RemoteProtocolError):
            await hub.request("a.b", {}, str)


async def test_a_silent_connection_is_replaced() -> None:
    seen = Seen()

    async def silent(socket: ServerConnection) -> None:
        async for _ in messages(socket, seen, silence_ms=100):
            pass

    async with scripted(silent, answering(seen)) as server, HubClient(server) as hub:
        assert await hub.request("a.b", {}, list[int]) == [1]


async def test_a_server_that_lets_nobody_in_ends_what_is_asked() -> None:
    seen = Seen()
    async with scripted(breaking(seen, 4501)) as server, HubClient(server) as hub:
        for _ in range(2):
            with pytest.raises(CommandError) as caught:
                await hub.request("a.b", {}, list[int])
            assert caught.value.status == REFUSED


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(CommandError, match="cannot be reached"):
        async with HubClient(Server("http://127.0.0.1:1/")):
            pass
