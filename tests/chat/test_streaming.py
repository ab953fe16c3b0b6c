"""What an assistant does wrong ends its answer with a reason, in time, and is asked again only where that is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Self

import pytest

from jupyter_ws_hub.chat.assistant import Ask, AssistantError, Delta, Done, Piece, Queued, Turn, Usage
from jupyter_ws_hub.chat.messages import MAX_ANSWER_CHARACTERS, Answer, Attachment, ChatMessage, TokenUsage
from jupyter_ws_hub.protocol.codes import Code
from tests.support.answers import ROBOT, Room, at_once, built
from tests.support.fakes import fake_peer

Script = Callable[[Sequence[Turn], Ask], AsyncIterator[Piece]]
KEY = "sk-proj-abcdefgh12345"


def script(*steps: Any) -> Script:
    """Says texts, waits for numbers, raises errors, and gives what else there is."""

    async def play(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Any, None]:
        for step in steps:
            if isinstance(step, str):
                yield Delta(step)
            elif isinstance(step, int | float):
                await asyncio.sleep(step)
            elif isinstance(step, BaseException):
                raise step
            else:
                yield step

    return play


def busy(retry_after_ms: int | None) -> AssistantError:
    return AssistantError("The provider is busy.", code=Code.RATE_LIMITED, retry_after_ms=retry_after_ms)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def outcome(room: Room) -> tuple[ChatMessage, Answer]:
    ended = await room.ended(await room.asks())
    assert ended.answer is not None
    assert built(room.talk, ended) == ended.text
    return ended, ended.answer


# Time


@at_once
async def test_who_does_not_begin_is_ended_after_the_first_time_limit() -> None:
    room = Room(script(Usage(1, 0), 1000, "late"), first_token_timeout_s=20, idle_timeout_s=5)
    ended, answer = await outcome(room)
    assert 20 <= now_s() < 20.5
    assert (ended.text, answer.state, answer.reason) == ("", "failed", "timeout")
    assert answer.error == "It did not begin to answer within 20 s."


@at_once
async def test_who_falls_silent_is_ended_after_the_second_with_what_was_said() -> None:
    room = Room(script(10, "one ", 4, "two ", 4, Usage(3, 2), 1000, "late"), first_token_timeout_s=20, idle_timeout_s=5)
    ended, answer = await outcome(room)
    assert 19 <= now_s() < 19.5
    assert (ended.text, answer.state, answer.usage) == ("one two ", "failed", TokenUsage(3, 2))
    assert answer.error == "It said nothing more for 5 s."


@at_once
async def test_usage_and_empty_pieces_are_no_sign_of_life() -> None:
    async def chatter(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        yield Delta("one")
        while True:
            await asyncio.sleep(0.5)
            yield Usage(1, 1)
            yield Delta("")

    _, answer = await outcome(Room(chatter, idle_timeout_s=5))
    assert answer.state == "failed" and now_s() < 6


@at_once
async def test_the_time_for_the_first_word_begins_when_it_is_its_turn() -> None:
    ended, answer = await outcome(Room(script(Queued(2), 30, Queued(0), 19, "one"), first_token_timeout_s=20))
    assert (ended.text, answer.state) == ("one", "done") and 49 <= now_s() < 49.5
    _, answer = await outcome(Room(script(Queued(1), 30, Queued(0), 21, "late"), first_token_timeout_s=20))
    assert answer.error == "It did not begin to answer within 20 s." and 99 <= now_s() < 99.9
    _, answer = await outcome(Room(script("one", Queued(1), 1000, "late"), idle_timeout_s=5))
    assert answer.error == "It said nothing more for 5 s."


@at_once
async def test_what_is_attached_may_not_take_for_ever() -> None:
    room = Room()

    async def hang(path: str, *, content: bool, type: str | None = None, format: str | None = None) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    room.generations._prompts._context._get = hang
    message = room.says("alice", "Why?", attachments=[Attachment("file", "a")])
    ended = await room.ended(await room.generations.begin(message, ROBOT, fake_peer()))
    assert ended.answer is not None and "could not be read within 30 s" in ended.answer.error
    assert not room.robot.asked


@at_once
async def test_an_attachment_that_cannot_be_read_is_what_the_answer_says() -> None:
    room = Room()
    message = room.says("alice", "Why?", attachments=[Attachment("file", "gone.py")])
    ended = await room.ended(await room.generations.begin(message, ROBOT, fake_peer()))
    assert ended.answer is not None
    assert (ended.answer.state, ended.answer.error) == ("failed", "There is no 'gone.py'.")
    assert not room.robot.asked


# Once more


@at_once
async def test_a_busy_provider_is_asked_again_when_it_says() -> None:
    room = Room(script(busy(3000)), script(1, busy(0)), script("fine", Done()))
    ended, answer = await outcome(room)
    assert (ended.text, answer.state) == ("fine", "done")
    assert 4 <= now_s() < 5
    assert len(room.robot.asked) == 3


@pytest.mark.parametrize(
    ("scripts", "asks"),
    [
        ([script(busy(100))], 3),
        ([script(busy(None))], 1),
        ([script(busy(31_000))], 1),
        ([script(busy(20_000))], 2),
        ([script("begun", busy(100))], 1),
        ([script(busy(100)), script("begun", busy(100))], 2),
        ([script(ValueError("a bug"))], 1),
    ],
)
@at_once
async def test_it_is_asked_again_twice_at_most_within_30_s_and_never_after_the_first_word(
    scripts: list[Script], asks: int
) -> None:
    room = Room(*scripts)
    ended, answer = await outcome(room)
    assert answer.state == "failed"
    assert len(room.robot.asked) == asks
    assert ended.text == ("begun" if room.robot.scripts[0] is scripts[-1] and ended.text else "")
    assert now_s() < 31


@at_once
async def test_when_it_may_be_asked_again_is_passed_on() -> None:
    _, answer = await outcome(Room(script(busy(60_000))))
    assert (answer.error, answer.retry_after_ms) == ("The provider is busy.", 60_000)


# What goes wrong


@pytest.mark.parametrize(
    "error",
    [
        AssistantError(f"Incorrect API key provided: {KEY}. See /home/ann/.config/key.txt."),
        ValueError(f"Bearer {KEY} in /home/ann/model.py"),
        TypeError("x"),
        asyncio.CancelledError(),
        StopAsyncIteration(),
        KeyError(KEY),
    ],
)
@at_once
async def test_a_failure_is_told_without_keys_paths_and_tracebacks(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    ended, answer = await outcome(Room(script("begun ", 0.01, error)))
    assert (ended.text, answer.state) == ("begun ", "failed")
    assert answer.error
    for text in (answer.error, caplog.text):
        assert KEY not in text
    assert "/home" not in answer.error and "Traceback" not in answer.error
    if not isinstance(error, AssistantError | asyncio.CancelledError):
        assert "a bug" in answer.error.lower()
        assert "Traceback" in caplog.text


@pytest.mark.parametrize("piece", ["text", None, 7])
@at_once
async def test_what_is_no_piece_is_a_bug_of_the_assistant(piece: object) -> None:
    async def wrong(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Any, None]:
        yield piece

    _, answer = await outcome(Room(wrong))
    assert answer.state == "failed" and "bug" in answer.error


@at_once
async def test_an_assistant_that_is_no_generator_serves_too_and_one_that_cannot_even_begin_is_told_of() -> None:
    class Plain:
        def __init__(self) -> None:
            self.left = ["a", "b"]

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> Piece:
            if not self.left:
                raise StopAsyncIteration
            return Delta(self.left.pop(0))

    ended, answer = await outcome(Room(lambda turns, ask: Plain()))
    assert (ended.text, answer.state) == ("ab", "done")

    def broken(turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        raise RuntimeError("broken")

    _, answer = await outcome(Room(broken))
    assert answer.state == "failed"


@at_once
async def test_no_text_is_a_failure_that_says_so() -> None:
    for steps in ([Done("length")], [], ["\n ", Done()], ["\x00", Done()]):
        _, answer = await outcome(Room(script(*steps)))
        assert (answer.state, answer.error) == ("failed", "The assistant gave no text.")


@at_once
async def test_an_endless_answer_is_ended_with_a_reason_and_holds_nobody_up() -> None:
    closed = []

    async def endless(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        try:
            while True:
                yield Delta("x" * 50)  # and never waits
        finally:
            closed.append(True)

    room = Room(endless)
    others = 0

    async def other() -> None:
        nonlocal others
        while not closed:
            others += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    ended, answer = await outcome(room)
    await beside
    assert len(ended.text) == MAX_ANSWER_CHARACTERS
    assert (answer.state, answer.reason) == ("done", "length")
    assert str(MAX_ANSWER_CHARACTERS) in answer.error
    assert closed == [True]
    assert others > 3


@at_once
async def test_what_comes_after_done_is_not_looked_at_and_the_stream_is_closed() -> None:
    closed = []

    async def more(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        try:
            yield Delta("all")
            yield Done("stop")
            yield Delta("more")
        finally:
            closed.append(True)

    ended, _ = await outcome(Room(more))
    assert (ended.text, closed) == ("all", [True])
