"""How the model's process answers, with a runtime that says what it is told to; the real one is in test_local.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jupyter_ws_hub.assistants.local_messages import Ended, News, Question, Text
from jupyter_ws_hub.assistants.local_process import START
from jupyter_ws_hub.assistants.local_worker import Answering, Server, shortened
from jupyter_ws_hub.chat.assistant import Turn

SYSTEM, QUESTION = Turn("system", "s" * 10), Turn("user", "q" * 10)
OLD = [Turn("user", "a" * 10), Turn("assistant", "b" * 10), Turn("user", "c" * 10)]
USAGE = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def said(text: str = "", finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}


class Runtime(Server):
    """A token a character; says at most `room` fit."""

    def __init__(self, events: Sequence[Any], context: int = 100) -> None:
        """Say these events."""
        self._events, self._context = events, context
        self.asked: list[list[Turn]] = []

    def ask(self, question: Question, turns: Sequence[Turn], take: Callable[[bytes], bool]) -> None:
        """See Server."""
        self.asked.append(list(turns))
        tokens = sum(len(turn.text) for turn in turns)
        progress = {"choices": [{"delta": {}}], "prompt_progress": {"total": tokens, "processed": 0}}
        refusal = {"error": {"code": 400, "message": "too much", "n_prompt_tokens": tokens}}
        events = [refusal] if tokens > self._context else [progress, *self._events]
        for event in events:
            if take(event if isinstance(event, bytes) else json.dumps(event).encode()):
                return


def answered(runtime: Runtime, turns: Sequence[Turn] = (QUESTION,), limit: int = 5) -> tuple[list[News], Ended]:
    told: list[News] = []
    return told, Answering(Question(1, list(turns), limit, 0, None), told.append).run(runtime)


def test_an_answer_is_told_piece_by_piece_with_what_it_took() -> None:
    told, ended = answered(Runtime([said(""), said("a"), said("b"), said(finish="length"), USAGE]))
    assert told == [Text(1, "a"), Text(1, "b")]
    assert ended == Ended(1, "length", 5, 2)


@pytest.mark.parametrize("event", [b"{", {"error": {"message": "kaput"}}, {"error": "kaput"}])
def test_what_goes_wrong_is_told(event: Any) -> None:
    told, ended = answered(Runtime([said("a"), event, said("b")]))
    assert told == [Text(1, "a")]
    assert ended.error in ("kaput", "The runtime has said something strange.")


def test_a_dropped_answer_ends_at_the_next_event() -> None:
    told: list[News] = []

    def tell(news: News) -> None:
        told.append(news)
        answering.dropped = True

    answering = Answering(Question(1, [QUESTION], 5, 0, None), tell)
    answering.run(Runtime([said("a"), said("b"), said("c")]))
    assert told == [Text(1, "a")]


@pytest.mark.parametrize(
    ("context", "left"),
    [(100, [SYSTEM, *OLD, QUESTION]), (53, [SYSTEM, *OLD[1:], QUESTION]), (30, [SYSTEM, QUESTION])],
)
def test_the_oldest_turns_give_way(context: int, left: list[Turn]) -> None:
    runtime = Runtime([said("a"), said(finish="stop")], context)
    told, ended = answered(runtime, [SYSTEM, *OLD, QUESTION])
    assert runtime.asked[-1] == left
    assert told == [Text(1, "a")] and ended.reason == "stop"


@pytest.mark.parametrize("turns", [[QUESTION], [SYSTEM, QUESTION], [SYSTEM, *OLD, QUESTION]])
def test_a_question_that_is_too_long_by_itself_is_refused(turns: list[Turn]) -> None:
    told, ended = answered(Runtime([said("a")], 9), turns)
    assert told == [] and ended.too_long


def test_what_is_left_is_what_the_system_says_and_the_newest() -> None:
    assert shortened([SYSTEM, *OLD, QUESTION], 40, 50) == [SYSTEM, *OLD[1:], QUESTION]
    assert shortened([*OLD, QUESTION], 1, 40) == [QUESTION]
    assert shortened([QUESTION], 1, 10) == [QUESTION]


def child(data: bytes, *, keep_open: bool = False) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-S", "-c", START, *filter(None, sys.path)]
    return subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)


def test_the_process_ends_with_its_input() -> None:
    result = child(b"")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


@pytest.mark.real_model
@pytest.mark.parametrize("content", [None, b"no model", b"GGUF" + os.urandom(100)])
def test_a_file_that_is_no_model_is_told(content: bytes | None, tmp_path: Any) -> None:
    file = tmp_path / "m.gguf"
    if content is not None:
        file.write_bytes(content)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", START, *filter(None, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdin is not None and process.stdout is not None
        setup = {"type": "Setup", "model": str(file), "threads": 1, "context_tokens": 300}
        process.stdin.write(json.dumps(setup).encode() + b"\n")
        process.stdin.flush()
        news = json.loads(process.stdout.readline())
        assert news["type"] == "NotLoaded" and "model" in news["reason"]
        assert process.wait(30) == 1


def test_the_process_imports_little() -> None:
    code = "import sys; import jupyter_ws_hub.assistants.local_worker; print(*sys.modules)"
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert not modules & {"tornado", "traitlets", "jupyter_server", "openai", "asyncio", "sqlite3", "xllamacpp"}
