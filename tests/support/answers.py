"""A room with people, assistants and a clock that jumps: for tests of answers under way."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec

from jupyter_ws_hub.chat.assistant import Assistant
from jupyter_ws_hub.chat.context import ContextReader
from jupyter_ws_hub.chat.generations import Asked, Generations, GenerationSettings
from jupyter_ws_hub.chat.messages import Author, ChatMessage
from jupyter_ws_hub.ports import Runtime
from jupyter_ws_hub.storage.memory import MemoryValues

from .assistants import ScriptedAssistant
from .fake_talk import FakeTalk
from .fakes import FakeClock, FakeContents, counting_ids, fake_peer
from .virtual import VirtualClock, VirtualLoop

P = ParamSpec("P")
ROBOT = Asked("robot")


def at_once(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A test in a loop of its own, in which nothing waits: the time jumps to the next timer."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def within() -> None:
            await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(within())

    del vars(run)["__wrapped__"]  # that is asynchronous, and would be run as such
    vars(run)["__signature__"] = inspect.signature(test)
    return run


class Room:
    """One room of one or more servers."""

    def __init__(self, *scripts: Any, talk: FakeTalk | None = None, values: MemoryValues | None = None, **limits: Any):
        """Assistant `robot` has these scripts; `limits` are of GenerationSettings."""
        self.clock: FakeClock = VirtualClock()
        self.talk = talk or FakeTalk()
        self.values = values or MemoryValues(self.clock)
        self.contents = FakeContents()
        self.robot = ScriptedAssistant(*scripts)
        self.assistants: dict[str, Assistant] = {"robot": self.robot}
        ids = counting_ids()
        self.runtime = Runtime(self.clock, self.clock, ids, logging.getLogger("test"), lambda: None, lambda: 1.0)
        self.generations = Generations(
            self.talk,
            self.assistants,
            ContextReader(self.contents.get, 10_000),
            GenerationSettings(**limits),
            self.runtime,
            self.values,
        )

    def says(self, who: str, text: str, **fields: Any) -> ChatMessage:
        """Somebody says something."""
        fields = {"id": f"m{len(self.talk.messages)}", "room": "lab", "time": 0, **fields}
        return self.talk.say(ChatMessage(author=Author(who, who.title()), text=text, **fields))

    async def asks(self, who: str = "alice", text: str = "Why?", *, id: str = "", asked: Asked = ROBOT) -> ChatMessage:
        """Somebody asks the robot; gives the answer as it begins."""
        peer = fake_peer(who)
        return await self.generations.begin(self.says(who, text), asked, peer, id=id)

    async def ended(self, answer: ChatMessage, timeout_s: float = 1000.0) -> ChatMessage:
        """An answer as it ended."""
        async with asyncio.timeout(timeout_s):
            while True:
                now = self.now(answer)
                if now.answer is None or now.answer.state != "writing":
                    return now
                await asyncio.sleep(0.001)

    def now(self, answer: ChatMessage) -> ChatMessage:
        """An answer as it is kept now."""
        return self.talk.messages[answer.room, answer.id]

    async def stop(self, answer: ChatMessage, who: str = "alice", *, moderator: bool = False) -> ChatMessage:
        """Somebody stops it."""
        return await self.generations.stop(answer.room, answer.id, fake_peer(who), moderator=moderator)


def built(talk: FakeTalk, answer: ChatMessage) -> str:
    """What somebody has who followed the room, by the rule for deltas."""
    units = b""
    for kind, message, at, text in talk.told:
        if message.id == answer.id and kind == "delta":
            assert at <= len(units) // 2, "a gap"
            if at == len(units) // 2:
                units += text.encode("utf-16-le")
    return units.decode("utf-16-le")
