"""A world for the tests of conversations: a store that servers share, servers that die, and one who listens."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec

from jupyter_ws_hub.chat.messages import (
    Answer,
    Author,
    ChatMessage,
    MessageChanged,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    utf16_length,
)
from jupyter_ws_hub.chat.room import RoomRead, RoomsChanged
from jupyter_ws_hub.chat.talk import Talk
from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.storage.base import Draft, LogRetention, Record, Storage
from jupyter_ws_hub.storage.memory import MemoryLog, MemoryStorage, MemoryValues

from ..support.fakes import FakeClock, fake_runtime

ROOM = "general"
TOPIC = f"chat/{ROOM}"
READ = ("read", "chat")
TOPICS = (
    Topic(
        "chat/*",
        events={
            "message": ChatMessage,
            "message.started": MessageStarted,
            "message.delta": MessageDelta,
            "message.finished": MessageFinished,
            "message.changed": MessageChanged,
        },
        permission=READ,
        retain=LogRetention(count=10_000, bytes=1 << 25, age_s=1e9),
    ),
    Topic("rooms", {"changed": RoomsChanged}, READ),
    Topic("rooms/me", {"read": RoomRead}, READ),
)


class Reader:
    """What one who follows a room knows: by the rules of the protocol, from the events alone."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self.messages: dict[str, ChatMessage] = {}
        self.order: list[str] = []
        self.missed = 0
        """Pieces of answers that did not follow."""

    def take(self, kind: str, data: bytes) -> None:
        """Take an event."""
        if kind == "message.delta":
            self._delta(msgspec.json.decode(data, type=MessageDelta))
        elif kind == "message":
            self._put(msgspec.json.decode(data, type=ChatMessage))
        else:
            self._put(msgspec.json.decode(data, type=MessageStarted).message)

    def _put(self, message: ChatMessage) -> None:
        known = self.messages.get(message.id)
        if known is None:
            self.order.append(message.id)
        if known is None or message.version >= known.version:
            self.messages[message.id] = message

    def _delta(self, delta: MessageDelta) -> None:
        known = self.messages.get(delta.message)
        if known is None or known.answer is None or known.answer.state != "writing":
            return
        length = utf16_length(known.text)
        self.missed += delta.at > length
        if delta.at == length:
            self.messages[known.id] = msgspec.structs.replace(known, text=known.text + delta.text)


class ToldLog(MemoryLog):
    """A log that tells a reader of each event at once, as a subscriber that is never behind is told."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Nobody has said anything."""
        super().__init__(new_id)
        self.readers: dict[str, Reader] = {}
        self.kinds: list[str] = []

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        head = (await self.head(topic)).offset
        records = await super().append(topic, drafts)
        for record in records:
            if record.offset > head:
                head = record.offset
                self.kinds.append(record.kind)
                self.readers.setdefault(topic, Reader()).take(record.kind, record.data)
        return records


class Gated:
    """A store through which a server goes as long as it lives: `step` is awaited before and after each operation."""

    def __init__(self, inner: object, step: Callable[[str], Awaitable[None]]) -> None:
        """Do what `inner` does."""
        self._inner, self._step = inner, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **more: Any) -> Any:
            await self._step(name)
            result = await found(*args, **more)
            await self._step(name)
            return result

        return call


class Server:
    """One life of a server: it dies when it has gone `steps` steps through the store."""

    def __init__(self, world: World, steps: int | None = None) -> None:
        """Begin on what the world's store has."""
        self.steps = steps
        self.died = asyncio.Event()
        inner = world.storage
        log, values = Gated(inner.log, self._step), Gated(inner.values, self._step)
        storage = MemoryStorage(world.clock, world.runtime.new_id)
        documents = Gated(inner.documents, self._step)
        storage.log, storage.values = cast(MemoryLog, log), cast(MemoryValues, values)
        storage.documents = cast(Any, documents)
        self.storage: Storage = storage
        self.hub = Hub([], TOPICS, storage.log, MemoryValues(world.clock), world.runtime, HubSettings())
        self.talk = Talk(storage, self.hub.topics.publish, world.runtime)

    async def _step(self, operation: str) -> None:
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                self.died.set()
                await asyncio.Event().wait()  # for ever: nothing of it happens any more

    async def does(self, work: Awaitable[Any]) -> Any:
        """Do something; None if the server dies of it."""
        task, death = asyncio.ensure_future(work), asyncio.ensure_future(self.died.wait())
        await asyncio.wait([task, death], return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if task.done() and not self.died.is_set():
            return task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return None


class World:
    """A store in memory that outlives servers, and a clock."""

    def __init__(self) -> None:
        """Nothing is kept."""
        self.clock = FakeClock()
        self.runtime = fake_runtime(self.clock)
        self.storage = MemoryStorage(self.clock, self.runtime.new_id)
        self.log = ToldLog(self.runtime.new_id)
        self.storage.log = self.log

    def server(self, steps: int | None = None) -> Server:
        """A server on this store."""
        return Server(self, steps)

    def reader(self, room: str = ROOM) -> Reader:
        """Who has followed a room from the beginning."""
        return self.log.readers.setdefault(f"chat/{room}", Reader())

    async def replayed(self, room: str = ROOM) -> Reader:
        """Who follows a room from now on, and is told of what the log still has."""
        reader = Reader()
        for record in await self.log.read(f"chat/{room}", 0, 100_000):
            reader.take(record.kind, record.data)
        return reader

    async def everything(self, room: str = ROOM) -> bytes:
        """All that the log of a room has."""
        return b"\n".join(record.data for record in await self.log.read(f"chat/{room}", 0, 100_000))


def said(id: str = "m1", text: str = "hello", *, room: str = ROOM, by: str = "alice", time: int = 1) -> ChatMessage:
    """A message of a person."""
    return ChatMessage(id, room, Author(by, by.title()), text, time)


def answer(id: str = "a1", to: str = "m1", *, room: str = ROOM) -> ChatMessage:
    """An answer that has no text yet."""
    written = Answer("writing", to, "alice", "model")
    return ChatMessage(id, room, Author("echo", "Echo", True), "", 1, answer=written)


def ended(message: ChatMessage, state: str = "done", **more: Any) -> ChatMessage:
    """How an answer ends."""
    assert message.answer is not None
    return msgspec.structs.replace(message, answer=msgspec.structs.replace(message.answer, state=state, **more))
