"""Service `chat`: rooms in which the people on a server write to each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Position
from ..storage.base import LogRetention, VersionConflict
from .base import Nothing, Service, Topic, method

READ = ("read", "chat")
WRITE = ("write", "chat")
DEFAULT_ROOM: Final = "general"
MAX_TEXT_CHARACTERS: Final = 20_000
PAGE: Final = 50
MAX_PAGE: Final = 200
_ROOM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ROOM_KEY = "chat/room/"


class Author(msgspec.Struct, frozen=True):
    """Who wrote a message: the authenticated user of the request, always."""

    username: str
    display_name: str


class ChatMessage(msgspec.Struct, frozen=True):
    """A message in a room. `id` is the client's, so that a message sent twice stands there once."""

    id: str
    room: str
    author: Author
    text: str
    time: int
    """Milliseconds since 1970-01-01 UTC, by the server's clock."""


class Room(msgspec.Struct, frozen=True):
    """A room."""

    name: str
    created: int
    created_by: str


class RoomParams(msgspec.Struct, frozen=True):
    """A room by its name: lower-case letters, digits and hyphens, at most 64."""

    name: str


class Rooms(msgspec.Struct, frozen=True):
    """All rooms, by name."""

    rooms: list[Room]


class PostParams(msgspec.Struct, frozen=True):
    """What to say where. `id` is the client's own random id for the message."""

    room: str
    text: str
    id: str


class HistoryParams(msgspec.Struct, frozen=True):
    """The messages before an offset, or the newest ones."""

    room: str
    before: int | None = None
    limit: int = PAGE


class HistoryItem(msgspec.Struct, frozen=True):
    """A message and its offset in the room's log."""

    offset: int
    message: ChatMessage


class History(msgspec.Struct, frozen=True):
    """A page of messages, oldest first; `more` says whether there are older ones."""

    items: list[HistoryItem]
    more: bool


class ChatService(Service):
    """Rooms, messages and history."""

    name = "chat"

    def all_topics(self) -> Sequence[Topic]:
        """One topic per room; a reset brings the room's newest messages."""
        topic = Topic(
            "chat/*",
            events={"message": ChatMessage},
            permission=READ,
            retain=LogRetention(count=10_000, bytes=32 * 1024 * 1024, age_s=365 * 86400),
            check=self._check,
            snapshot=self._snapshot,
            snapshot_type=History,
        )
        return (topic,)

    async def start(self) -> None:
        """Make sure that there is a room to meet in."""
        await self._create(DEFAULT_ROOM, "")

    @method("chat.rooms", permission=READ, idempotent=True, activity=False)
    async def rooms(self, params: Nothing, peer: Peer) -> Rooms:
        """List the rooms."""
        stored = await self.context.storage.values.scan(_ROOM_KEY)
        return Rooms([msgspec.json.decode(value.value, type=Room) for value in stored.values()])

    @method("chat.create", permission=WRITE, idempotent=True)
    async def create(self, params: RoomParams, peer: Peer) -> Room:
        """Make a room; where it exists already, that one is given."""
        return await self._create(params.name, peer.username)

    @method("chat.post", permission=WRITE, idempotent=True)
    async def post(self, params: PostParams, peer: Peer) -> HistoryItem:
        """Say something in a room. The same `id` again gives the message that is there."""
        await self._check(f"chat/{params.room}")
        if not params.text.strip() or not 1 <= len(params.id) <= 64:
            raise HubError(Code.INVALID, "A message needs a text, and an id of 1 to 64 characters.")
        if len(params.text) > MAX_TEXT_CHARACTERS:
            raise HubError(Code.TOO_BIG, f"A message has at most {MAX_TEXT_CHARACTERS} characters.")
        message = ChatMessage(
            id=params.id,
            room=params.room,
            author=Author(peer.username, peer.display_name),
            text=params.text,
            time=self.context.runtime.now_ms(),
        )
        offset = await self.context.publish(f"chat/{params.room}", "message", message, id=params.id)
        assert offset is not None
        (record,) = await self.context.storage.log.read(f"chat/{params.room}", offset - 1, 1)
        return HistoryItem(offset, msgspec.json.decode(record.data, type=ChatMessage))

    @method("chat.history", permission=READ, idempotent=True)
    async def history(self, params: HistoryParams, peer: Peer) -> History:
        """Read a room's messages, newest page first."""
        await self._check(f"chat/{params.room}")
        if not 1 <= params.limit <= MAX_PAGE:
            raise HubError(Code.INVALID, f"limit goes from 1 to {MAX_PAGE}.")
        return await self._history(params.room, params.before, params.limit)

    async def _history(self, room: str, before: int | None, limit: int) -> History:
        log, topic = self.context.storage.log, f"chat/{room}"
        records = await log.read_back(topic, before, limit)
        items = [HistoryItem(r.offset, msgspec.json.decode(r.data, type=ChatMessage)) for r in records]
        more = bool(items) and bool(await log.read_back(topic, items[0].offset, 1))
        return History(items, more)

    async def _snapshot(self, peer: Peer, topic: str, position: Position) -> msgspec.Struct:
        return await self._history(topic.partition("/")[2], position.offset + 1, PAGE)

    async def _check(self, topic: str) -> None:
        room = topic.partition("/")[2]
        if await self.context.storage.values.get(_ROOM_KEY + room) is None:
            raise HubError(Code.NOT_FOUND, f"There is no room {room[:80]!r}; chat.create makes one.")

    async def _create(self, name: str, username: str) -> Room:
        if not _ROOM_NAME.fullmatch(name):
            raise HubError(
                Code.INVALID, "A room's name is made of lower-case letters, digits and hyphens, at most 64 characters."
            )
        room = Room(name, self.context.runtime.now_ms(), username)
        values = self.context.storage.values
        try:
            await values.put(_ROOM_KEY + name, msgspec.json.encode(room), expect=0)
        except VersionConflict:
            stored = await values.get(_ROOM_KEY + name)
            if stored is not None:
                return msgspec.json.decode(stored.value, type=Room)
        return room
