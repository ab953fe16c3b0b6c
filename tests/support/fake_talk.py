"""Talk in memory, with what was told in `told`; it can be slow and can fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from jupyter_ws_hub.chat.messages import ChatMessage, utf16_length
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from .fakes import nothing

Told = tuple[str, ChatMessage, int, str]
"""Kind, the message as it is then, and of a delta where it goes and its text."""


class FakeTalk:
    """The face of `chat.talk.Talk` that answers use."""

    def __init__(self) -> None:
        """Nothing was said. `before` an operation it has done nothing."""
        self.messages: dict[tuple[str, str], ChatMessage] = {}
        self.told: list[Told] = []
        self.before: Callable[[str], Awaitable[None]] = nothing

    def say(self, message: ChatMessage) -> ChatMessage:
        """A message of somebody."""
        return self._keep(message)

    def _keep(self, message: ChatMessage) -> ChatMessage:
        known = self.messages.get((message.room, message.id))
        seq = known.seq if known else 1 + sum(room == message.room for room, _ in self.messages)
        kept = replace(message, seq=seq, version=known.version + 1 if known else 1)
        self.messages[message.room, message.id] = kept
        return kept

    async def get(self, room: str, id: str) -> ChatMessage:
        """See Talk."""
        await self.before("get")
        if (room, id) not in self.messages:
            raise HubError(Code.NOT_FOUND, "There is no such message.")
        return self.messages[room, id]

    async def history(self, room: str, before: int | None, limit: int) -> Sequence[ChatMessage]:
        """See Talk."""
        await self.before("history")
        said = [m for m in self.messages.values() if m.room == room and (before is None or m.seq < before)]
        return said[-limit:]

    async def begin_answer(self, message: ChatMessage) -> ChatMessage:
        """See Talk."""
        await self.before("begin")
        known = self.messages.get((message.room, message.id))
        if known is not None:
            return known
        kept = self._keep(message)
        self.told.append(("started", kept, 0, ""))
        return kept

    async def post(self, message: ChatMessage) -> tuple[ChatMessage, bool]:
        """See Talk."""
        await self.before("post")
        known = self.messages.get((message.room, message.id))
        return (known, False) if known is not None else (self._keep(message), True)

    async def add_to_answer(self, message: ChatMessage, text: str) -> ChatMessage:
        """See Talk."""
        await self.before("add")
        self.told.append(("delta", message, utf16_length(message.text), text))
        return self._keep(replace(message, text=message.text + text))

    async def finish_answer(self, message: ChatMessage) -> ChatMessage:
        """See Talk."""
        await self.before("finish")
        kept = self._keep(message)
        self.told.append(("finished", kept, 0, ""))
        return kept
