"""The chat service, put together on a stage, with people of different permissions."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine
from typing import Any

import pytest

from jupyter_ws_hub.chat.room import DEFAULT_ROOM, Room
from jupyter_ws_hub.chat.room_store import RoomStore
from jupyter_ws_hub.chat.saying import PostParams
from jupyter_ws_hub.chat.settings import ChatSettings
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.chat import (
    ChatService,
    CreateRoomParams,
)

from ..chat.crew import FakeCrew
from ..support.fakes import Stage, fake_peer

PLAIN = [("moderate", "chat")]
ALICE, BOB, CAROL = (fake_peer(name, PLAIN) for name in ("alice", "bob", "carol"))
BOSS = fake_peer("boss")
ROOM = DEFAULT_ROOM
TOPIC = f"chat/{ROOM}"


class Place:
    """The service, started, with assistants that do nothing."""

    def __init__(self, settings: ChatSettings | None = None) -> None:
        """Put it together."""
        self.service = ChatService()
        self.stage = stage = Stage(self.service)
        self.rechecked: list[str] = []
        self.crew = FakeCrew(stage.chat.talk)
        chat = dataclasses.replace(
            stage.chat,
            rooms=RoomStore(stage.storage, stage.hub.topics.publish, stage.runtime, self.rechecked.append),
            generations=self.crew.as_generations(),
            settings=settings or ChatSettings(),
        )
        self.service.bind(dataclasses.replace(stage.context, chat=chat))

    async def say(self, number: int, room: str = ROOM) -> None:
        """Post some messages."""
        for index in range(1, number + 1):
            await self.service.post(PostParams(room, f"text {index}", f"m{index}"), ALICE)

    async def team(self, *members: str) -> Room:
        """A private room of alice's."""
        return await self.service.create(CreateRoomParams("team", "", True, list(members)), ALICE)


async def begin(settings: ChatSettings | None = None) -> Place:
    """The service, started."""
    place = Place(settings)
    await place.service.start()
    return place


async def refused(work: Coroutine[Any, Any, object]) -> Code:
    """The code of the error that a call raises."""
    with pytest.raises(HubError) as caught:
        await work
    return caught.value.code
