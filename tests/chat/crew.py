"""Assistants that do nothing but remember who asked them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from jupyter_ws_hub.chat.assistant import AssistantInfo
from jupyter_ws_hub.chat.generations import Asked, Generations
from jupyter_ws_hub.chat.messages import Answer, Author, ChatMessage
from jupyter_ws_hub.chat.talk import Talk
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

LOCAL = AssistantInfo("local", "Local model", "", ["small"], True)
CLEVER = AssistantInfo("clever-1", "Clever", "", ["big", "huge"], False)


class FakeCrew:
    """Stands for `Generations`: `asked` are the answers that were begun, by id."""

    def __init__(self, talk: Talk, infos: Sequence[AssistantInfo] = (LOCAL, CLEVER)) -> None:
        """Nobody has asked."""
        self._talk = talk
        self._infos = list(infos)
        self.asked: list[tuple[str, Asked]] = []
        self.stopped: list[str] = []

    def infos(self) -> list[AssistantInfo]:
        """See Generations."""
        return self._infos

    def model(self, asked: Asked) -> str:
        """See Generations."""
        if asked.assistant not in [info.name for info in self._infos]:
            raise HubError(Code.NOT_FOUND, "nobody")
        return asked.model

    async def begin(self, question: ChatMessage, asked: Asked, peer: Peer, *, id: str = "") -> ChatMessage:
        """See Generations."""
        self.asked.append((id, asked))
        answer = Answer("writing", question.id, peer.username, asked.model)
        author = Author(asked.assistant, asked.assistant.title(), True)
        return await self._talk.begin_answer(ChatMessage(id, question.room, author, "", question.time, answer=answer))

    async def stop(self, room: str, id: str, peer: Peer, *, moderator: bool) -> ChatMessage:
        """See Generations."""
        self.stopped.append(id)
        message = await self._talk.get(room, id)
        assert message.answer is not None
        stopped = msgspec.structs.replace(message.answer, state="stopped")
        return await self._talk.finish_answer(msgspec.structs.replace(message, answer=stopped))

    def as_generations(self) -> Generations:
        """As those are asked for."""
        return cast(Generations, self)
