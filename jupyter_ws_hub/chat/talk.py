"""What is said in the rooms: kept as documents of the collection `chat/<room>`, told on the topic of that name.

It asks nobody for permission; who calls has done so. What was kept is told sooner or later: also where the server died
in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

import msgspec

from ..ports import Publish, Runtime
from ..storage.base import Storage
from .messages import ChatMessage


class FoundMessage(msgspec.Struct, frozen=True):
    """A message in which the words stand, and a piece of it around them."""

    message: ChatMessage
    snippet: str


class Talk:
    """Messages of all rooms."""

    def __init__(self, storage: Storage, publish: Publish, runtime: Runtime) -> None:
        """Keep in `storage`, tell by `publish`."""
        self._storage, self._publish, self._runtime = storage, publish, runtime

    async def start(self, rooms: Collection[str]) -> None:
        """Tell of what a server that died had kept and not told; answers that it left unfinished have failed."""
        raise NotImplementedError

    async def get(self, room: str, id: str) -> ChatMessage:
        """A message as it is now, with what an answer has so far; `not_found` if there is none."""
        raise NotImplementedError

    async def history(self, room: str, before: int | None, limit: int) -> Sequence[ChatMessage]:
        """The last `limit` messages with a `seq` below `before`, oldest first, answers with what they have so far."""
        raise NotImplementedError

    async def post(self, message: ChatMessage) -> tuple[ChatMessage, bool]:
        """Keep a new message and tell of it; where its id is known, that message and False."""
        raise NotImplementedError

    async def change(self, message: ChatMessage) -> ChatMessage:
        """Keep a message that was edited or deleted and tell of it; `conflict` if its `version` is not the newest."""
        raise NotImplementedError

    async def begin_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep an answer that has no text yet, and tell of it (`message.started`)."""
        raise NotImplementedError

    async def add_to_answer(self, message: ChatMessage, text: str) -> ChatMessage:
        """Tell of a piece of an answer (`message.delta`); give the answer with it.

        It is in `get` and `history` at once, and in the store within about a second.
        """
        raise NotImplementedError

    async def finish_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep an answer as it ended, tell of it (`message.finished`), and let go of its pieces in the log."""
        raise NotImplementedError

    async def search(self, words: Sequence[str], rooms: Collection[str], limit: int, skip: int) -> list[FoundMessage]:
        """The newest messages in which all words stand."""
        raise NotImplementedError

    def everything(self, room: str) -> AsyncIterator[ChatMessage]:
        """All messages of a room, oldest first."""
        raise NotImplementedError

    async def delete_room(self, room: str) -> None:
        """Forget all that was said in a room."""
        raise NotImplementedError
