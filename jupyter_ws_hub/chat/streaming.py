"""One answer as it comes from its assistant: the attempts, what has come, the time limits, and how it ended.

Nothing here keeps or tells; see answering.py.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from logging import Logger
from time import perf_counter
from typing import Final, Literal

import msgspec

from ..protocol.errors import HubError
from .assistant import Ask, Assistant, AssistantError, Delta, Done, Piece, Queued, Turn, Usage
from .gathering import Gathered
from .messages import MAX_ANSWER_CHARACTERS, TokenUsage
from .plain_words import for_a_person, for_the_log

MAX_RETRIES: Final = 2
MAX_RETRY_WAIT_S: Final = 30.0
PREPARE_S: Final = 30.0
SLICE_S: Final = 0.0005


class Ending(msgspec.Struct, frozen=True):
    """How an answer ended; the fields are those of `messages.Answer`."""

    state: Literal["done", "stopped", "failed"]
    reason: str = ""
    error: str = ""
    retry_after_ms: int | None = None


STOPPED: Final = Ending("stopped", "stopped")


class Timeouts(msgspec.Struct, frozen=True):
    """How long an assistant may say nothing, in seconds: before its first word, and after any other."""

    first_token_s: float
    idle_s: float


class Streaming:
    """What one assistant says to one prompt. `run` fills it; whoever looks on may read it at any time."""

    def __init__(self, ask: Ask, timeouts: Timeouts, logger: Logger) -> None:
        """Nothing has come yet."""
        self._ask, self._timeouts, self._logger = ask, timeouts, logger
        self.gathered = Gathered(MAX_ANSWER_CHARACTERS)
        self.usage: TokenUsage | None = None
        self.begun = False
        """Something has come: it is not asked again."""
        self.over = False
        """Whatever comes now is of no use."""
        self.deadline_s = math.inf
        """By the loop's clock: when it has been silent for too long."""
        self.silence = ""
        """What is wrong then, for a person."""
        self._idle = f"It said nothing more for {timeouts.idle_s:g} s."

    async def run(
        self,
        assistant: Callable[[], Awaitable[Assistant]],
        prompt: Callable[[], Awaitable[Sequence[Turn]]],
        on_news: Callable[[], None],
        on_end: Callable[[Ending], None],
    ) -> None:
        """Until it has ended; `on_end` is told how, before the assistant has been let go of. Raises nothing."""
        self._expect(PREPARE_S, f"What it is to answer could not be read within {PREPARE_S:g} s.")
        try:
            turns = await prompt()
            await self._attempts(assistant, turns, on_news, on_end)
        except HubError as error:
            on_end(Ending("failed", error=for_a_person(error.message), retry_after_ms=error.retry_after_ms))
        except Exception as bug:  # noqa: BLE001  # logged without keys
            self._logger.error("An assistant failed: this is a bug of it.\n%s", for_the_log(bug))
            name = type(bug).__name__
            on_end(Ending("failed", error=f"A bug of the assistant ({name}): the server's log has the reason."))

    async def _attempts(
        self,
        assistant: Callable[[], Awaitable[Assistant]],
        turns: Sequence[Turn],
        on_news: Callable[[], None],
        on_end: Callable[[Ending], None],
    ) -> None:
        waited_s = 0.0
        for attempt in count():
            self._expect_begin()
            try:
                return await self._once(await assistant(), turns, on_news, on_end)
            except AssistantError as error:
                pause_s = math.inf if error.retry_after_ms is None else error.retry_after_ms / 1000
                waited_s += pause_s
                if self.begun or self.over or attempt == MAX_RETRIES or waited_s > MAX_RETRY_WAIT_S:
                    raise
            self.deadline_s = math.inf
            await asyncio.sleep(pause_s)

    def _expect_begin(self, *, in_line: bool = False) -> None:
        first_s = self._timeouts.first_token_s
        self._expect(math.inf if in_line else first_s, f"It did not begin to answer within {first_s:g} s.")

    def _expect(self, within_s: float, silence: str) -> None:
        self.silence = silence
        self.deadline_s = asyncio.get_running_loop().time() + within_s

    async def _once(
        self,
        assistant: Assistant,
        turns: Sequence[Turn],
        on_news: Callable[[], None],
        on_end: Callable[[Ending], None],
    ) -> None:
        stream = assistant.stream(turns, self._ask)
        try:
            on_end(await self._read(stream, on_news))
        finally:
            # Only this tells its provider: an iterator that is dropped is closed whenever memory is tidied up.
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def _read(self, stream: AsyncIterator[Piece], on_news: Callable[[], None]) -> Ending:
        began_s = perf_counter()
        async for piece in stream:
            if self.over:
                break  # it did not mind being cancelled
            if isinstance(piece, Delta):
                if piece.text:
                    self.begun = True
                    self._expect(self._timeouts.idle_s, self._idle)
                fits = self.gathered.add(piece.text)
                on_news()
                if not fits:
                    return Ending("done", "length", f"It was ended at {MAX_ANSWER_CHARACTERS} characters.")
            elif isinstance(piece, Usage):
                self.usage = TokenUsage(piece.input_tokens, piece.output_tokens)
            elif isinstance(piece, Queued):
                if not self.begun:
                    self._expect_begin(in_line=piece.ahead > 0)
            elif isinstance(piece, Done):
                return Ending("done", for_a_person(piece.reason))
            else:
                raise TypeError(f"an assistant gave a {type(piece).__name__}")
            if perf_counter() - began_s > SLICE_S:
                await asyncio.sleep(0)  # a stream that never has to wait would hold the loop
                began_s = perf_counter()
        return Ending("done")
