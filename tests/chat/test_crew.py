"""Assistants start beside everything else, and what is wrong with one is known of that one."""

from __future__ import annotations

import asyncio
import logging

import pytest

from jupyter_ws_hub.chat.assistant import Assistant, AssistantInfo
from jupyter_ws_hub.chat.crew import Crew
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.answers import at_once
from tests.support.assistants import ScriptedAssistant

LOGGER = logging.getLogger("test.crew")


def crew_of(*assistants: ScriptedAssistant) -> Crew:
    named: dict[str, Assistant] = {assistant.state.name: assistant for assistant in assistants}
    return Crew(named, LOGGER)


@at_once
async def test_each_is_starting_until_it_has_and_the_order_stays() -> None:
    quick, slow = ScriptedAssistant(name="zoe"), ScriptedAssistant(name="abe")
    slow.gate = asyncio.Event()
    crew = crew_of(quick, slow)
    assert [info.state for info in crew.infos()] == ["ok", "ok"], "nobody has begun to start them"
    crew.start()
    await asyncio.sleep(1)
    assert [(info.name, info.state) for info in crew.infos()] == [("zoe", "ok"), ("abe", "starting")]
    assert await crew.ready("zoe") is quick
    waiting = asyncio.create_task(crew.ready("abe"))
    await asyncio.sleep(1)
    assert not waiting.done()
    slow.gate.set()
    assert await waiting is slow
    assert slow.started == 1


@at_once
async def test_a_bug_at_the_start_makes_it_down_and_is_logged_without_keys(caplog: pytest.LogCaptureFixture) -> None:
    broken = ScriptedAssistant()

    def fail() -> None:
        raise OSError("api_key=abcdef123456 is wrong in /home/ann/x")

    broken.starting = fail
    crew = crew_of(broken, ScriptedAssistant(name="other"))
    crew.start()
    await asyncio.sleep(1)
    bad, good = crew.infos()
    assert (bad.state, good.state) == ("down", "ok")
    assert bad.reason == "It could not start (OSError); the server's log has the reason."
    assert "Traceback" in caplog.text and "abcdef123456" not in caplog.text
    with pytest.raises(HubError) as refused:
        await crew.ready("robot")
    assert refused.value.code is Code.UNAVAILABLE


@at_once
async def test_one_that_cannot_tell_how_it_is_is_down_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    class Sick(ScriptedAssistant):
        def info(self) -> AssistantInfo:
            raise RuntimeError("no idea")

    crew = crew_of(Sick(name="sick"))
    for _ in range(5):
        (info,) = crew.infos()
        assert (info.name, info.state, info.reason) == ("sick", "down", "It failed: RuntimeError.")
    assert len(caplog.records) == 1


@at_once
async def test_one_that_comes_later_is_started_when_asked_and_its_successor_too() -> None:
    assistants: dict[str, Assistant] = {}
    crew = Crew(assistants, LOGGER)
    crew.start()
    for _ in range(2):
        late = assistants["robot"] = ScriptedAssistant()
        assert await crew.ready("robot") is late
        assert late.started == 1
    del assistants["robot"]
    for name in ("robot", "x" * 1000):
        with pytest.raises(HubError) as refused:
            await crew.ready(name)
        assert refused.value.code is Code.NOT_FOUND


@at_once
async def test_all_are_stopped_in_a_short_time_whatever_they_do(caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(ScriptedAssistant):
        async def stop(self) -> None:
            await asyncio.sleep(100)

    class Broken(ScriptedAssistant):
        async def stop(self) -> None:
            raise RuntimeError("cannot")

    good, starting = ScriptedAssistant(name="good"), ScriptedAssistant(name="starting")
    starting.gate = asyncio.Event()
    crew = crew_of(good, starting, Deaf(name="deaf"), Broken(name="broken"))
    crew.start()
    await asyncio.sleep(1)
    began_s = asyncio.get_running_loop().time()
    await crew.stop()
    assert asyncio.get_running_loop().time() - began_s < 1
    assert (good.stopped, starting.stopped, starting.started) == (1, 1, 0)
    assert "1 assistants did not stop" in caplog.text and "'broken' cannot stop" in caplog.text
    await Crew({}, LOGGER).stop()
