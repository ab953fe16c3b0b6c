"""One answer under way: what its assistant gives is gathered and told to the room, until it ends in one way.

Two tasks: one takes from the assistant, the other one keeps and tells. So an assistant that hangs holds up nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

from msgspec.structs import replace

from ..ports import Runtime
from ..protocol.errors import HubError
from .gathering import MAX_PIECE_CHARACTERS
from .messages import ChatMessage
from .streaming import Ending, Streaming

CLOSE_S: Final = 0.12
"""How long the end of an answer waits for its assistant to let go: Stop is done within 200 ms."""

WATCH_S: Final = 0.5
"""How often the time limits are looked at, at least: they move with all that comes."""

STORE_PAUSES_S: Final = (0.1, 0.4, 1.5, 3.0)
"""Pauses between tries to keep what came, while the store is busy."""

Stream = Callable[[Callable[[], None], Callable[[Ending], None]], Awaitable[None]]
"""Fills a `Streaming`; it is given whom to call when something has come, and when it has ended."""


class KeepsAnswers(Protocol):
    """Keeps answers and tells of them, as `talk.Talk` does."""

    async def add_to_answer(self, message: ChatMessage, text: str) -> ChatMessage:
        """Tell of a piece; give the answer with it."""
        ...

    async def finish_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep it as it ended."""
        ...


class Answering:
    """Writes one answer."""

    def __init__(
        self, message: ChatMessage, streaming: Streaming, talk: KeepsAnswers, gather_s: float, runtime: Runtime
    ) -> None:
        """`message` is kept and told already; it has no text."""
        self.message = message
        self._streaming, self._talk, self._gather_s, self._runtime = streaming, talk, gather_s, runtime
        self._wake = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._ending: Ending | None = None
        self._work: asyncio.Task[None] | None = None

    @property
    def lingering(self) -> asyncio.Task[None] | None:
        """The assistant's task, where the answer has ended and that would not."""
        return None if self._work is None or self._work.done() else self._work

    async def run(self, stream: Stream) -> ChatMessage:
        """Write it to its end; give what it has become.

        Raises:
            HubError: it could not be kept.
        """
        self._work = asyncio.create_task(_run(stream, self._news, self.end))
        self._work.add_done_callback(self._worked)
        self._watch()
        try:
            try:
                while self._ending is None:
                    await self._wake.wait()
                    self._wake.clear()
                    await self._tell()
                await self._let_go(self._work)
                await self._tell(last=True)
            except HubError as error:
                self.end(failed := Ending("failed", error=error.message))
                self._ending = failed  # whatever its assistant has said since
                await self._let_go(self._work)
            await self._finish()
        finally:
            self._work.cancel()
            for timer in (self._gathering, self._watching):
                if timer is not None:
                    timer.cancel()
        return self.message

    def end(self, ending: Ending) -> None:
        """End it so, unless it has ended; the assistant is told at once."""
        if self._ending is not None:
            return
        self._ending = ending
        self._streaming.over = True
        self._wake.set()
        if self._work is not None and asyncio.current_task() is not self._work:
            self._work.cancel()

    def _worked(self, work: asyncio.Task[None]) -> None:
        error = None if work.cancelled() else work.exception()
        if error is not None:
            self._runtime.logger.error("An answer failed: this is a bug of the hub.", exc_info=error)
        self.end(Ending("failed", error="The assistant gave up without a word."))

    def _news(self) -> None:
        if self._gathering is None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_at(tick_after(loop.time(), self._gather_s), self._due)

    def _due(self) -> None:
        self._gathering = None
        self._wake.set()

    def _watch(self) -> None:
        loop, streaming = asyncio.get_running_loop(), self._streaming
        if loop.time() >= streaming.deadline_s:
            self.end(Ending("failed", "timeout", streaming.silence))
        else:
            self._watching = loop.call_at(min(streaming.deadline_s, loop.time() + WATCH_S), self._watch)

    async def _let_go(self, work: asyncio.Task[None]) -> None:
        """Wait a short time until the assistant has ended; who does not is told again, and left behind."""
        await asyncio.wait([work], timeout=CLOSE_S)
        if not work.done():
            work.cancel()

    async def _tell(self, *, last: bool = False) -> None:
        """Tell what was gathered; what comes while it is being kept is gathered anew, unless it is the `last`."""
        more = True
        while more and (text := self._streaming.gathered.take(last=last)):
            more = last or len(text) == MAX_PIECE_CHARACTERS
            try:
                self.message = await self._insist(partial(self._talk.add_to_answer, self.message, text))
            except HubError:
                while text:  # it stands in the answer at least
                    self.message = replace(self.message, text=self.message.text + text)
                    text = self._streaming.gathered.take(last=last)
                raise

    async def _finish(self) -> None:
        ending, answer = self._ending, self.message.answer
        assert ending is not None and answer is not None
        if ending.state == "done" and not self.message.text.strip():
            ending = Ending("failed", ending.reason, "The assistant gave no text.")
        fields: dict[str, Any] = {name: getattr(ending, name) for name in Ending.__struct_fields__}
        answer = replace(answer, **fields, usage=self._streaming.usage)
        self.message = await self._insist(partial(self._talk.finish_answer, replace(self.message, answer=answer)))

    async def _insist(self, keep: Callable[[], Awaitable[ChatMessage]]) -> ChatMessage:
        for pause_s in STORE_PAUSES_S:
            try:
                return await keep()
            except HubError as error:
                if not error.code.retryable:
                    raise
            await asyncio.sleep(pause_s)
        return await keep()


def tick_after(now_s: float, gather_s: float) -> float:
    """When what has come now is told: in 3/4 to the whole of `gather_s`.

    Answers are told in groups, so that the store and the clients have fewer turns, and not all in one, which would
    hold the loop.
    """
    tick_s = gather_s / 4
    return math.ceil(now_s / tick_s + 3) * tick_s if tick_s > 0 else now_s


async def _run(stream: Stream, on_news: Callable[[], None], on_end: Callable[[Ending], None]) -> None:
    await stream(on_news, on_end)
