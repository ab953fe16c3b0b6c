"""Service `assistants`: which chat models there are; asking again, and stopping."""

from __future__ import annotations

import msgspec

from ..chat.assistant import AssistantInfo
from ..chat.generations import Asked
from ..chat.messages import ChatMessage, MessageId
from ..chat.room import RoomName
from ..ports import Peer
from .base import Nothing, Service, method

READ = ("read", "chat")
WRITE = ("write", "chat")


class Assistants(msgspec.Struct, frozen=True):
    """The assistants, the default one first; where there is none, `hint` says in two lines how to get one."""

    assistants: list[AssistantInfo]
    hint: list[str]


class AskParams(msgspec.Struct, frozen=True):
    """Have a message that is there answered. `id` is the client's own random id of the answer."""

    room: RoomName
    message: MessageId
    id: MessageId
    ask: Asked


class StopParams(msgspec.Struct, frozen=True):
    """An answer that is to end."""

    room: RoomName
    id: MessageId


class AssistantsService(Service):
    """Chat models that answer in rooms."""

    name = "assistants"

    @method("assistants.list", permission=READ, idempotent=True, activity=False)
    async def all(self, params: Nothing, peer: Peer) -> Assistants:
        """Which assistants there are, their models, and how they are."""
        raise NotImplementedError

    @method("assistants.ask", permission=WRITE, idempotent=True)
    async def ask(self, params: AskParams, peer: Peer) -> ChatMessage:
        """Have a message answered (again); gives the answer as it begins. It goes on when the asker is gone."""
        raise NotImplementedError

    @method("assistants.stop", permission=WRITE, idempotent=True)
    async def end(self, params: StopParams, peer: Peer) -> ChatMessage:
        """End an answer: who asked for it, or a moderator. Gives it as it ended."""
        raise NotImplementedError
