"""Models in a real server: a mention is answered in the room, by an endpoint or on this machine; no key gets out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Address, HubClient, until
from tests.support.follower import Follower
from tests.support.openai_stub import WORDS, Behaviour, openai_stub
from tests.support.proxy import FaultProxy
from tests.support.server import TOKEN, RealServer
from tests.support.waits import FairClock

KEY = "sk-Very5ecretKeyOfNobody"
LOCAL_S = 50.0
STOP_S = 0.2
SHORT = "c.HubApp.first_token_timeout_s = 1.5\nc.HubApp.idle_timeout_s = 1\n"
IDS = count()


@asynccontextmanager
async def served(folder: Path, config: str, environment: dict[str, str] | None = None) -> AsyncIterator[RealServer]:
    """A server that runs, started and ended beside the event loop, which serves others."""
    server = RealServer(folder, config=config, environment=environment)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.stop)


def address(port: int) -> Address:
    return Address(port, "/", {"Authorization": f"token {TOKEN}"})


@asynccontextmanager
async def in_room(port: int, room: str = "models") -> AsyncIterator[tuple[HubClient, Follower]]:
    async with HubClient(address(port)) as client:
        await client.request("chat.create", {"name": room})
        await client.subscribe(f"chat/{room}")
        yield client, Follower(client, room)


async def ask(client: HubClient, text: str, room: str = "models") -> str:
    """Say something that mentions an assistant; give the id of its answer."""
    id = f"question{next(IDS)}"
    await client.request("chat.post", {"room": room, "id": id, "text": text})
    messages = (await client.request("chat.history", {"room": room}))["messages"]
    (answer,) = [m for m in messages if (m["answer"] or {}).get("to") == id]
    return str(answer["id"])


async def until_started(client: HubClient) -> None:
    """Wait until the first assistant can be asked: what it imports takes long."""
    info = (await client.request("assistants.list"))["assistants"][0]
    while info["state"] == "starting":
        await asyncio.sleep(0.02)
        info = (await client.request("assistants.list"))["assistants"][0]


def everything(folder: Path) -> list[bytes]:
    """All that is in files: the log, the database, …"""
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


def endpoint(url: str) -> str:
    return f"""
c.HubApp.assistants = ["*"]
c.LocalAssistant.name = "unused"
c.OpenAIAssistant.base_url = {url!r}
c.OpenAIAssistant.key_env = "STUB_KEY"
c.OpenAIAssistant.models = ["m"]
c.OpenAIAssistant.endpoints = [{{"name": "second", "base_url": {url!r}, "models": ["x"]}}]
import logging
logging.basicConfig(level=logging.DEBUG)
c.HubApp.asks_per_minute = 0
"""


async def test_an_endpoint_answers_a_mention_and_its_key_gets_out_nowhere(tmp_path: Path) -> None:
    async with (
        openai_stub() as stub,
        served(tmp_path, endpoint(stub.base_url), {"STUB_KEY": KEY}) as server,
        in_room(server.port) as (client, follower),
    ):
        listed = (await client.request("assistants.list"))["assistants"]
        assert [info["name"] for info in listed][:2] == ["openai", "second"]
        ended = await follower.until_ended(await ask(client, "@openai Hello?"))
        assert ended["text"] == "".join(WORDS) and ended["answer"]["model"] == "m"
        assert ended["answer"]["usage"] == {"input_tokens": 7, "output_tokens": len(WORDS)}
        ended = await follower.until_ended(await ask(client, "@second Hello?"))
        assert ended["text"] == "".join(WORDS)
        assert [asked.key for asked in stub.questions] == [KEY, "none"], "each endpoint gets its own key only"
        for behaviour in (
            Behaviour(status=401, error={"error": {"message": "Wrong key {key}"}}),
            Behaviour(status=400, error="bad {key}"),
            Behaviour(raw=f'data: {{"error": {{"message": "{KEY}"}}}}\n\n'.encode()),
            Behaviour(raw=b"data: {" + KEY.encode() + b"\n\n"),
        ):
            stub.behaviour = behaviour
            ended = await follower.until_ended(await ask(client, "@openai And now?"))
            assert ended["answer"]["state"] == "failed" and ended["answer"]["error"]
        told = repr([client.events, client.others, await client.request("assistants.list")])
        told += repr(await client.request("chat.history", {"room": "models"}))
        told += repr(await client.request("status.get"))
    assert "chat/completions" in server.log_text, "the log is as talkative as it can be"
    for part in (KEY, KEY[:8], KEY[-6:]):
        assert part not in server.log_text + told
    assert KEY.encode() not in b"".join(everything(tmp_path))


async def test_stop_in_a_room_closes_the_stream_at_the_provider(tmp_path: Path) -> None:
    async with (
        openai_stub(Behaviour(endless=True, between_s=0.01)) as stub,
        served(tmp_path, endpoint(stub.base_url), {"STUB_KEY": KEY}) as server,
        in_room(server.port) as (client, follower),
    ):
        clock = FairClock(server.pid)
        id = await ask(client, "@openai Go on for ever.")
        await follower.until_text(id, 20)
        stopped = await client.request("assistants.stop", {"room": "models", "id": id})
        assert stopped["answer"]["state"] == "stopped" and stopped["text"] == follower.text(id)
        answered_s = clock.now_s()
        await until(lambda: stub.questions[0].gone_s, "the disconnect")
        assert clock.now_s() - answered_s < STOP_S


async def test_an_endpoint_that_falls_silent_is_told_in_words_and_let_go_of(tmp_path: Path) -> None:
    async with (
        openai_stub() as stub,
        served(tmp_path, endpoint(stub.base_url) + SHORT, {"STUB_KEY": KEY}) as server,
        in_room(server.port) as (client, follower),
    ):
        await until_started(client)
        for behaviour, words, error in (
            (Behaviour(silent=True), "", "It did not begin to answer within 1.5 s."),
            (Behaviour(stall_after=0), "", "It did not begin to answer within 1.5 s."),
            (Behaviour(stall_after=2), WORDS[0] + WORDS[1], "It said nothing more for 1 s."),
        ):
            stub.behaviour = behaviour
            asked = len(stub.questions)
            id = await ask(client, "@openai Are you there?")
            ended = await follower.until_ended(id)
            assert (ended["answer"]["state"], ended["answer"]["error"]) == ("failed", error)
            assert ended["text"] == follower.text(id) == words
            await until(lambda: stub.questions[-1].gone_s, "the disconnect")
            assert len(stub.questions) == asked + 1, "it is not asked again"


@pytest.mark.real_model
async def test_the_local_model_answers_and_who_was_cut_off_has_the_identical_text(tmp_path: Path) -> None:
    config = 'c.HubApp.assistants = ["local"]\nc.HubApp.max_output_tokens = 40\n'
    async with (
        served(tmp_path, config) as server,
        FaultProxy(server.port) as proxy,
        in_room(server.port) as (alice, hers),
        in_room(proxy.port) as (bob, his),
    ):
        (info,) = (await alice.request("assistants.list"))["assistants"]
        assert (info["name"], info["local"], info["state"]) == ("local", True, "ok")
        before = server.resident_bytes
        id = await ask(alice, "@local Tell me about the sea.")
        await alice.wait_for(lambda: len(hers.text(id)) > 10, "the first words", LOCAL_S)
        proxy.cut_all()
        await bob.wait_for(lambda: bob.close_code is not None, "the cut")
        await alice.wait_for(lambda: len(hers.text(id)) > len(his.text(id)), "words that he misses", LOCAL_S)
        await bob.reconnect()
        ended = await hers.until_ended(id, LOCAL_S)
        assert ended["answer"]["state"] == "done" and ended["answer"]["reason"] in ("length", "stop")
        assert 0 < ended["answer"]["usage"]["output_tokens"] <= 40
        assert await his.until_ended(id, LOCAL_S) == ended
        assert ended["text"].strip() and his.text(id) == hers.text(id) == ended["text"]
        assert server.resident_bytes - before < 30_000_000, "the model is not in the server"


@pytest.mark.real_model
async def test_stop_ends_the_local_model_early(tmp_path: Path) -> None:
    config = 'c.HubApp.assistants = ["local"]\n'
    async with served(tmp_path, config) as server, in_room(server.port) as (client, follower):
        id = await ask(client, "@local Tell me a long story.")
        await client.wait_for(lambda: len(follower.text(id)) > 5, "the first words", LOCAL_S)
        stopped: dict[str, Any] = await client.request("assistants.stop", {"room": "models", "id": id})
        assert stopped["answer"]["state"] == "stopped" and stopped["text"] == follower.text(id)
        assert len(stopped["text"]) < 2000
