"""Assistants that do what a test wants: by a script in Python, or by words of the question in a server process."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from jupyter_ws_hub.chat.assistant import Ask, AssistantError, AssistantInfo, Delta, Done, Piece, Turn, Usage

Script = Callable[[Sequence[Turn], Ask], AsyncIterator[Piece]]


async def says(*texts: str) -> AsyncGenerator[Piece, None]:
    """An answer in these pieces."""
    for text in texts:
        yield Delta(text)
    yield Usage(7, len(texts))
    yield Done()


class ScriptedAssistant:
    """Answers with one script after the other, and always with the last one then; notes what it was asked."""

    def __init__(self, *scripts: Script, name: str = "robot", local: bool = True) -> None:
        """Without a script it greets."""
        self.scripts = list(scripts) or [lambda turns, ask: says("Hello ", "there")]
        self.asked: list[tuple[list[Turn], Ask]] = []
        self.started = self.stopped = 0
        self.starting: Callable[[], None] = lambda: None
        self.gate: asyncio.Event | None = None
        self.state = AssistantInfo(name, name.title(), "for tests", ["small", "large"], local)

    def info(self) -> AssistantInfo:
        """See Assistant."""
        return self.state

    def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        """See Assistant."""
        self.asked.append((list(turns), ask))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return script(turns, ask)

    async def start(self) -> None:
        """See Assistant."""
        if self.gate is not None:
            await self.gate.wait()
        self.starting()
        self.started += 1

    async def stop(self) -> None:
        """See Assistant."""
        self.stopped += 1


class Puppet:
    """Does what the question says: `words=20 pause=0.01 first=0.5 end=done|bug|error|hang|cut fails=2 stubborn=1`.

    Its answer is "word0 word1 word2 …"; with `stamp=1`, when each is said, in milliseconds since 1970; with `echo=1`,
    what it was asked, and what was attached to that. How often it was let go of stands in its description, as
    `closed: n`.
    """

    name = "puppet"

    def __init__(self, parent: object = None) -> None:
        """Nothing was asked. `parent` has the configuration, of which there is none."""
        self._closed = 0
        self._failed: dict[str, int] = {}

    def info(self) -> AssistantInfo:
        """See Assistant."""
        return AssistantInfo(self.name, "Puppet", f"closed: {self._closed}", ["wood"], True)

    async def start(self) -> None:
        """See Assistant."""

    async def stop(self) -> None:
        """See Assistant."""

    async def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        """See Assistant."""
        question = turns[-1].text
        orders = dict(re.findall(r"(\w+)=([\w.]+)", question.rpartition("@puppet")[2]))
        try:
            async for piece in self._play(orders, question):
                yield piece
        finally:
            self._closed += 1

    async def _play(self, orders: dict[str, str], question: str) -> AsyncGenerator[Piece, None]:
        self._failed[question] = self._failed.get(question, 0) + 1
        if self._failed[question] <= int(orders.get("fails", 0)):
            raise AssistantError("The provider is busy.", retry_after_ms=50)
        await self._wait(float(orders.get("first", 0)), orders)
        if "echo" in orders:
            yield Delta(question)
        for n in range(int(orders.get("words", 0 if "echo" in orders else 3))):
            yield Delta(f"{time.time_ns() // 1_000_000} " if "stamp" in orders else f"word{n} ")
            await self._wait(float(orders.get("pause", 0)), orders)
        await self._end(orders.get("end", "done"))
        yield Usage(10, int(orders.get("words", 3)))
        yield Done()

    async def _wait(self, seconds: float, orders: dict[str, str]) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if "stubborn" not in orders:
                raise
            await asyncio.sleep(3)

    async def _end(self, how: str) -> None:
        if how == "bug":
            raise ValueError("sk-secret1234567 in /home/somebody/model.py")
        if how == "error":
            raise AssistantError("The provider refused: Bearer sk-secret1234567, see /home/somebody/model.py.")
        if how == "hang":
            await asyncio.Event().wait()
