"""The assistant `openai`, through the real package `openai`, against a stub that does what endpoints do wrong."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config, Configurable

from jupyter_ws_hub.assistants import openai as module
from jupyter_ws_hub.assistants.openai import OpenAIAssistant
from jupyter_ws_hub.chat.assistant import Ask, AssistantError, Delta, Done, Piece, Turn, Usage
from jupyter_ws_hub.protocol.codes import Code
from tests.support.fakes import until
from tests.support.openai_stub import WORDS, Behaviour, OpenAIStub, openai_stub
from tests.support.waits import FairClock

TURNS = (Turn("system", "Be brief."), Turn("user", "Hi?"))
STOP_S = 0.2
KEY = "sk-Very5ecretKeyOfNobody"


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    """Have the package imported: read from a cold disk it takes longer than any test may wait for an assistant."""
    importlib.import_module("jupyter_ws_hub.assistants.openai_client")


@asynccontextmanager
async def running(behaviour: Behaviour | None = None, **settings: Any) -> AsyncIterator[tuple[OpenAIStub, Any]]:
    """A stub, and an assistant that asks it."""
    async with openai_stub(behaviour) as stub:
        assistant = OpenAIAssistant(base_url=stub.base_url, **{"models": ["m"], **settings})
        await assistant.start()
        await until(lambda: assistant.info().state != "starting", 20)
        try:
            yield stub, assistant
        finally:
            await assistant.stop()


async def pieces(assistant: OpenAIAssistant, **fields: Any) -> list[Piece]:
    return [piece async for piece in assistant.stream(TURNS, Ask("", 50, **fields))]


async def failure(assistant: OpenAIAssistant, so_far: list[Piece] | None = None, model: str = "") -> AssistantError:
    """How an answer fails."""
    with pytest.raises(AssistantError) as caught:
        async for piece in assistant.stream(TURNS, Ask(model, 50)):
            if so_far is not None:
                so_far.append(piece)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    return caught.value


def text(found: list[Piece]) -> str:
    return "".join(piece.text for piece in found if isinstance(piece, Delta))


async def test_an_answer_streams_with_usage_and_an_end() -> None:
    async with running() as (stub, assistant):
        assert assistant.info().state == "ok" and assistant.info().models == ["m"]
        found = await pieces(assistant, temperature=0.5, seed=3)
        assert [piece.text for piece in found if isinstance(piece, Delta)] == list(WORDS)
        assert found[-2:] == [Usage(7, len(WORDS)), Done("stop")]
        (asked,) = stub.questions
        assert asked.body == {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"}],
            "stream": True,
            "max_tokens": 50,
            "temperature": 0.5,
            "seed": 3,
            "stream_options": {"include_usage": True},
        }
        assert asked.key == "none" and asked.gone_s is None


async def test_pieces_come_as_they_are_sent() -> None:
    async with running(Behaviour(stall_after=1)) as (_, assistant):
        async with aclosing(assistant.stream(TURNS, Ask("", 50))) as stream:
            assert await anext(stream) == Delta(WORDS[0])


async def test_the_model_that_is_asked_is_one_of_those_that_are_configured() -> None:
    async with running(models=["a", "b"]) as (stub, assistant):
        await pieces(assistant)
        [_ async for _ in assistant.stream(TURNS, Ask("b", 5))]
        assert [asked.body["model"] for asked in stub.questions] == ["a", "b"]
        assert (await failure(assistant, model="expensive")).code is Code.NOT_FOUND
        assert len(stub.questions) == 2
        assert not [asked for asked in stub.asked if asked.path == "/v1/models"]


async def test_without_models_the_endpoint_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    async with running(Behaviour(status=503), models=[]) as (stub, assistant):
        await until(lambda: len(stub.asked) > 2)
        assert assistant.info().state == "down" and "503" in assistant.info().reason
        assert "not known" in (await failure(assistant)).message
        stub.behaviour = Behaviour()
        await until(lambda: assistant.info().state == "ok")
        assert assistant.info().models == ["small", "large"]
        count = len(stub.asked)
        await pieces(assistant)
        assert len(stub.asked) == count + 1 and stub.questions[-1].body["model"] == "small"


@pytest.mark.parametrize("models", ["no JSON", [1, 2], {"data": 5}, {"data": [{"name": "x"}]}, {"data": []}])
async def test_a_strange_list_of_models_makes_it_down(models: Any) -> None:
    async with openai_stub() as stub:
        stub.models = models
        assistant = OpenAIAssistant(base_url=stub.base_url)
        await assistant.start()
        await until(lambda: assistant.info().state == "down", 20)
        await assistant.stop()
        assert assistant.info().reason


@pytest.mark.parametrize("how", ["close", "cancel"])
@pytest.mark.parametrize(
    ("behaviour", "events"),
    [
        (Behaviour(silent=True), 0),
        (Behaviour(stall_after=0), 0),
        (Behaviour(stall_after=2), 2),
        (Behaviour(endless=True, between_s=0.001), 5),
        (Behaviour(endless=True), 5),
    ],
    ids=["no headers", "slow first token", "stalls", "endless", "endless and fast"],
)
async def test_stop_is_seen_by_the_provider_at_once(behaviour: Behaviour, events: int, how: str) -> None:
    clock = FairClock()
    async with running(behaviour) as (stub, assistant):
        seen: list[Piece] = []
        stream = assistant.stream(TURNS, Ask("", 50))

        async def read() -> None:
            async with aclosing(stream):
                async for piece in stream:
                    seen.append(piece)
                    if how == "close" and len(seen) == events:
                        break

        task = asyncio.create_task(read())
        await until(lambda: len(seen) >= events and len(stub.questions) == 1)
        stopped_s = clock.now_s()
        if how == "cancel" or events == 0:
            task.cancel()
        await asyncio.wait([task])
        await until(lambda: stub.questions[0].gone_s is not None)
        assert clock.now_s() - stopped_s < STOP_S


@pytest.mark.parametrize(
    ("behaviour", "words", "code", "retry"),
    [
        (
            Behaviour(status=401, error={"error": {"message": "Incorrect API key: {key}"}}),
            "key",
            Code.UNAVAILABLE,
            None,
        ),
        (Behaviour(status=403, error="no"), "key", Code.UNAVAILABLE, None),
        (Behaviour(status=404, error={"error": {"code": "model_not_found"}}), "'m'", Code.NOT_FOUND, None),
        (Behaviour(status=429, headers=(("Retry-After", "7"),), error={}), "too often", Code.RATE_LIMITED, 7000),
        (Behaviour(status=429, headers=(("Retry-After-Ms", "250"),), error={}), "too often", Code.RATE_LIMITED, 250),
        (Behaviour(status=429, error={}), "too often", Code.RATE_LIMITED, None),
        (
            Behaviour(status=429, headers=(("Retry-After", "7"),), error={"error": {"code": "insufficient_quota"}}),
            "used up",
            Code.UNAVAILABLE,
            None,
        ),
        (Behaviour(status=402, error={}), "used up", Code.UNAVAILABLE, None),
        (Behaviour(status=503, headers=(("Retry-After", "2"),), error="<html>"), "503", Code.UNAVAILABLE, 2000),
        (Behaviour(status=307, headers=(("Location", "http://x.invalid/"),), error=""), "elsewhere", None, None),
        (Behaviour(status=400, error={"error": {"code": "context_length_exceeded"}}), "too long", Code.TOO_BIG, None),
        (Behaviour(status=400, error={"error": {"message": "Bad,\nreally."}}), "Bad, really.", Code.INVALID, None),
        (Behaviour(status=400, error=["?"]), "HTTP 400", Code.INVALID, None),
        (Behaviour(status=418, error={"error": {"message": {"a": 1}}}), "HTTP 418", Code.INVALID, None),
    ],
)
async def test_a_refusal_is_told_in_words(behaviour: Behaviour, words: str, code: Code | None, retry: int) -> None:
    async with running(behaviour) as (stub, assistant):
        error = await failure(assistant)
        assert words in error.message
        assert error.code is (code or Code.UNAVAILABLE)
        assert error.retry_after_ms == retry
        assert len(stub.questions) == 1  # nothing is tried again by itself


async def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    async with running(Behaviour(status=429, headers=(("Retry-After", date),), error={})) as (_, assistant):
        wait_ms = (await failure(assistant)).retry_after_ms
        assert wait_ms is not None and 90_000 < wait_ms <= 100_000


@pytest.mark.parametrize(
    ("behaviour", "said", "words"),
    [
        (Behaviour(reset_after=0), 0, "broke"),
        (Behaviour(reset_after=2), 2, "broke"),
        (Behaviour(end_after=0), 0, "understood"),
        (Behaviour(end_after=2), 2, "without saying why"),
        (Behaviour(finish=None, marker=False, usage=False), len(WORDS), "without saying why"),
        (Behaviour(raw=b"data: {oops\n\n"), 1, "understood"),
        (Behaviour(raw=b"data: [1]\n\n"), 1, "understood"),
        (Behaviour(raw=b'data: {"choices": "no"}\n\n'), 1, "understood"),
        (Behaviour(raw=b"data: \xff\xfe\n\n"), 1, "understood"),
        (Behaviour(raw=b"data: " + b"x" * 1_100_000), 1, "understood"),
        (Behaviour(raw=b'data: {"error": {"message": "The engine\'s gone."}}\n\n'), 1, "The engine's gone."),
        (Behaviour(raw=b'data: {"error": "kaput"}\n\n'), 1, "kaput"),
        (Behaviour(raw=b'data: {"error": {"message": "slow down", "code": 429}}\n\n'), 1, "too often"),
    ],
)
async def test_a_stream_that_breaks_says_how_after_what_it_has_said(
    behaviour: Behaviour, said: int, words: str
) -> None:
    async with running(behaviour) as (_, assistant):
        seen: list[Piece] = []
        assert words in (await failure(assistant, seen)).message
        assert text(seen) == "".join(WORDS[:said])


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(marker=False, usage=False),
        Behaviour(finish=None),
        Behaviour(raw=b": a comment\nevent: message\r\nid: 3\r\ndata:{}\r\n\r\n"),
        Behaviour(raw=b'data: {"choices": [{"delta": {"role": "assistant", "content": null, "more": [1]}}]}\n\n'),
        Behaviour(raw=b'data: {"choices": null, "usage": null, "error": null}\n\n'),
    ],
)
async def test_what_endpoints_do_differently_is_taken(behaviour: Behaviour) -> None:
    async with running(behaviour) as (_, assistant):
        found = await pieces(assistant)
        assert found[-1] == Done("stop")
        assert text(found).startswith("Hello") and text(found).endswith("!")


async def test_why_it_ended_is_told() -> None:
    async with running(Behaviour(finish="length")) as (_, assistant):
        assert (await pieces(assistant))[-1] == Done("length")


async def test_what_an_endpoint_refuses_is_left_out_and_remembered() -> None:
    async with running(Behaviour(refuse=("stream_options", "seed", "max_tokens"))) as (stub, assistant):
        for _ in range(2):
            assert text(await pieces(assistant, seed=1, temperature=0.0)) == "".join(WORDS)
        last = stub.questions[-1].body
        assert "stream_options" not in last and "seed" not in last and "max_tokens" not in last
        assert last["max_completion_tokens"] == 50 and last["temperature"] == 0
        assert len(stub.questions) == 5


async def test_usage_is_not_asked_for_where_that_is_off() -> None:
    async with running(ask_usage=False) as (stub, assistant):
        assert not [piece for piece in await pieces(assistant) if isinstance(piece, Usage)]
        assert "stream_options" not in stub.questions[0].body


async def test_who_is_not_there_is_told_so() -> None:
    async with running() as (stub, _assistant):
        pass
    gone = OpenAIAssistant(base_url=stub.base_url, models=["m"])
    assert "cannot be reached" in (await failure(gone)).message
    await gone.stop()


@pytest.mark.parametrize("source", ["env", "file"])
async def test_the_key_goes_to_the_provider_and_nowhere_else(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "key").chmod(0o600)
    settings: dict[str, Any] = {"key_env": "TEST_KEY"} if source == "env" else {"key_file": str(tmp_path / "key")}
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with running(models=[], **settings) as (stub, assistant):
        await until(lambda: assistant.info().models != [])
        bodies = [f"Wrong key {{key}}, {KEY[:8]}…{KEY[-6:]}", {"error": {"message": f"bad {KEY[-7:].upper()}"}}]
        for status in (400, 401, 429, 500):
            for body in bodies:
                stub.behaviour = Behaviour(status=status, error=body)
                error = await failure(assistant)
                told += [str(error), repr(error), error.message]
        stub.behaviour = Behaviour(raw=f'data: {{"error": {{"message": "{KEY}"}}}}\n\n'.encode())
        told.append(str(await failure(assistant)))
        stub.behaviour = Behaviour(raw=KEY.encode() + b"\n\ndata: {" + KEY.encode() + b"\n\n")
        told.append(str(await failure(assistant)))
        told += [repr(assistant), repr(vars(assistant)), repr(assistant.info())]
        assert {asked.key for asked in stub.asked} == {KEY}
    everywhere = "\n".join([*told, caplog.text]).casefold()
    for part in (KEY[:8], KEY[-6:], KEY):
        assert part.casefold() not in everywhere


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"key_env": "NOT_SET"}, "NOT_SET"),
        ({"key_file": "TMP/open"}, "chmod 600"),
        ({"key_file": "TMP/nowhere"}, "No such file"),
        ({"key_file": "TMP/two"}, "one line"),
        ({"key_file": "TMP"}, "read"),
    ],
)
async def test_a_key_that_cannot_be_used_makes_it_down(
    settings: dict[str, str], reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, mode, content in (("open", 0o640, KEY), ("two", 0o600, f"{KEY}\n{KEY}")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    placed: dict[str, Any] = {name: value.replace("TMP", str(tmp_path)) for name, value in settings.items()}
    async with running(**placed) as (stub, assistant):
        info = assistant.info()
        assert info.state == "down" and reason in info.reason
        assert reason in (await failure(assistant)).message
        assert not stub.asked
    assert str(tmp_path) not in info.reason and KEY not in caplog.text + info.reason


async def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: OpenAIAssistant) -> None:
        raise ImportError("openai")

    monkeypatch.setattr(OpenAIAssistant, "_connect", missing)
    async with running() as (_, assistant):
        assert assistant.info().state == "down" and "pip install" in assistant.info().reason


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "/v1", "x/v1", "http:///v1", "https://me:pw@x/v1", "https://x/v1?key=1", "https://x/v1#a"]
)
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(TraitError) as caught:
        OpenAIAssistant(base_url=url)
    assert "pw" not in str(caught.value) and "key=1" not in str(caught.value)


def made(**settings: Any) -> list[OpenAIAssistant]:
    return list(OpenAIAssistant.make(Configurable(config=Config({"OpenAIAssistant": settings}))))


def test_none_is_made_unless_it_is_configured() -> None:
    assert made() == []
    assert made(key_env="OPENAI_API_KEY") == []


def test_several_are_made_side_by_side_and_do_not_share_keys(caplog: pytest.LogCaptureFixture) -> None:
    lab = {"name": "lab", "display_name": "The lab", "base_url": "http://lab/v1", "models": ["x"], "local": True}
    broken = [
        {"name": "b", "base_url": "http://b/v1", "api_key": KEY},
        {"base_url": "http://c/v1"},
        {"name": "d"},
        {"name": "e", "base_url": "http://e/v1", "models": 3},
        {"name": "f", "base_url": "http://f/v1", "endpoints": []},
    ]
    first, second = made(base_url="https://api.x/v1", key_env="FIRST", models=["m"], endpoints=[lab, *broken])
    assert (first.name, first.key_env, first.info().display_name) == ("openai", "FIRST", "OpenAI")
    assert (second.name, second.key_env, second.models) == ("lab", "", ["x"])
    info = second.info()
    assert (info.display_name, info.local, info.description) == ("The lab", True, "Models at lab")
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == len(broken)
    assert KEY not in caplog.text


async def test_nothing_happens_before_the_start_and_stop_is_idempotent() -> None:
    assistant = OpenAIAssistant(base_url="http://127.0.0.1:1/v1", models=["m"])
    assert assistant.info().state == "starting"
    await assistant.stop()
    await assistant.start()
    await assistant.stop()
    await assistant.stop()
