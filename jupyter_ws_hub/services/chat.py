"""Service `chat`: rooms in which the people on a server write to each other, and to assistants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Final, Literal

import msgspec

from ..chat.export import exported
from ..chat.messages import (
    ChatMessage,
    MessageChanged,
    MessageDelta,
    MessageFinished,
    MessageId,
    MessageStarted,
)
from ..chat.room import DEFAULT_ROOM, Presence, Room, RoomName, RoomRead, RoomsChanged, RoomState, Title
from ..chat.saying import PostParams, Saying, author_of
from ..chat.talk import FoundMessage
from ..hub.declare import Latest
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.messages import Position
from ..rates import KeyedRate, Rate
from ..storage.base import LogRetention
from .base import Nothing, Service, ServiceContext, Topic, method

READ = ("read", "chat")
WRITE = ("write", "chat")
PAGE: Final = 50
MAX_PAGE: Final = 200
PRESENCE_SWEEP_S: Final = 2.0
TALK_SWEEP_S: Final = 2.0
MAX_WORDS: Final = 20
Username = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]


class RoomsParams(msgspec.Struct, frozen=True):
    """Whether archived rooms are wanted, too."""

    archived: bool = False


class RoomStates(msgspec.Struct, frozen=True):
    """The rooms that the user may read, by title."""

    rooms: list[RoomState]


class RoomParams(msgspec.Struct, frozen=True):
    """A room."""

    room: RoomName


class CreateRoomParams(msgspec.Struct, frozen=True):
    """A new room; of a private one the maker is a member."""

    name: RoomName
    title: Title = ""
    private: bool = False
    members: Annotated[list[Username], msgspec.Meta(max_length=500)] = []


class RenameRoomParams(msgspec.Struct, frozen=True):
    """Another title for a room."""

    room: RoomName
    title: Title


class MembersParams(msgspec.Struct, frozen=True):
    """Who comes into a private room, and who leaves it."""

    room: RoomName
    add: Annotated[list[Username], msgspec.Meta(max_length=500)] = []
    remove: Annotated[list[Username], msgspec.Meta(max_length=500)] = []


class ArchiveParams(msgspec.Struct, frozen=True):
    """Close a room for writing, or open it again."""

    room: RoomName
    archived: bool = True


class EditParams(msgspec.Struct, frozen=True):
    """Another text for a message that has this version."""

    room: RoomName
    id: MessageId
    text: str
    version: int


class MessageParams(msgspec.Struct, frozen=True):
    """A message of a room."""

    room: RoomName
    id: MessageId


class HistoryParams(msgspec.Struct, frozen=True):
    """The last messages before a place in the room, the first ones after it, or with neither the newest ones."""

    room: RoomName
    before: int | None = None
    limit: Limit = PAGE
    after: int | None = None


class History(msgspec.Struct, frozen=True):
    """A page of messages, oldest first; `more` says whether there are older ones, or after a place newer ones."""

    messages: list[ChatMessage]
    more: bool


class SearchParams(msgspec.Struct, frozen=True):
    """Words to look for, in one room or in all that the user may read; the last one may be a beginning."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    room: Annotated[str, msgspec.Meta(max_length=64)] = ""
    limit: Limit = PAGE
    skip: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class Found(msgspec.Struct, frozen=True):
    """The newest messages in which the words stand, newest first; `more` says whether there are others."""

    hits: list[FoundMessage]
    more: bool


class ExportParams(msgspec.Struct, frozen=True):
    """A room, to be read elsewhere."""

    room: RoomName
    format: Literal["markdown", "json"] = "markdown"


class Exported(msgspec.Struct, frozen=True):
    """A piece of the document; all pieces in order are the whole."""

    text: str


class ReadParams(msgspec.Struct, frozen=True):
    """How far a room was read."""

    room: RoomName
    seq: Annotated[int, msgspec.Meta(ge=0)]


class PresenceParams(msgspec.Struct, frozen=True):
    """What the user does in a room. To be said again every 20 s while it is open."""

    room: RoomName
    state: Literal["here", "typing", "gone"] = "here"


class Present(msgspec.Struct, frozen=True):
    """Who is there."""

    people: list[Presence]


class ChatService(Service):
    """Rooms, messages and history."""

    name = "chat"

    def bind(self, context: ServiceContext) -> None:
        """See Service."""
        super().bind(context)
        self._chat, settings, monotonic = context.chat, context.chat.settings, context.runtime.monotonic
        self._saying = Saying(context.chat, context.runtime)
        self._searches = KeyedRate(Rate.per_minute(settings.searches_per_minute), "searches", monotonic)
        self._changes = KeyedRate(Rate.per_minute(settings.changes_per_minute), "changes of rooms", monotonic)
        self._notes = KeyedRate(Rate.per_minute(settings.presences_per_minute), "changes of presence", monotonic)
        self._sweepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make sure that there is a room to meet in, and go on where a server has died."""
        await self._chat.rooms.ensure(DEFAULT_ROOM)
        await self._chat.talk.start(await self._chat.rooms.names())
        sweeps = ((PRESENCE_SWEEP_S, self._chat.presences.sweep), (TALK_SWEEP_S, self._chat.talk.sweep))
        self._sweepers = [asyncio.create_task(self._every(pause_s, sweep)) for pause_s, sweep in sweeps]

    async def _every(self, pause_s: float, sweep: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                await sweep()
            except HubError as error:  # the store is busy; it is tried again
                self.context.runtime.logger.warning("What was left of chats could not be tidied up: %s", error)

    async def stop(self) -> None:
        """See Service."""
        for sweeper in self._sweepers:
            sweeper.cancel()
        if self._sweepers:
            await asyncio.wait(self._sweepers)
        await self._chat.talk.stop()

    def all_topics(self) -> Sequence[Topic]:
        """One topic per room for what is said, one for who is there; and what becomes of the rooms themselves."""
        said = Topic(
            "chat/*",
            events={
                "message": ChatMessage,
                "message.started": MessageStarted,
                "message.delta": MessageDelta,
                "message.finished": MessageFinished,
                "message.changed": MessageChanged,
            },
            permission=READ,
            retain=LogRetention(count=10_000, bytes=32 * 1024 * 1024, age_s=365 * 86400),
            check=self._check,
            snapshot=self._snapshot,
            snapshot_type=History,
        )
        there = Topic("presence/*", {"presence": Presence}, READ, Latest(key="username"), check=self._check)
        return (
            said,
            there,
            Topic("rooms", {"changed": RoomsChanged}, READ),
            Topic("rooms/me", {"read": RoomRead}, READ),
        )

    @method("chat.rooms", permission=READ, idempotent=True, activity=False)
    async def rooms(self, params: RoomsParams, peer: Peer) -> RoomStates:
        """List the rooms that the user may read, with how far they have."""
        return RoomStates(await self._chat.rooms.states(peer, archived=params.archived))

    @method("chat.create", permission=WRITE, idempotent=True)
    async def create(self, params: CreateRoomParams, peer: Peer) -> Room:
        """Make a room; where it exists already, that one is given."""
        self._changes.require(peer.principal)
        if await self._chat.rooms.is_to_be_emptied(params.name):
            await self._chat.talk.delete_room(params.name)
        room = Room(params.name, 0, "", params.title, params.private, params.members)
        return await self._chat.rooms.create(room, peer)

    @method("chat.rename", permission=WRITE, idempotent=True)
    async def rename(self, params: RenameRoomParams, peer: Peer) -> Room:
        """Give a room another title: who made it, or a moderator."""
        self._changes.require(peer.principal)
        return await self._chat.rooms.rename(params.room, params.title, peer)

    @method("chat.members", permission=WRITE, idempotent=True)
    async def members(self, params: MembersParams, peer: Peer) -> Room:
        """Let people into a private room, or out of it: who made it, or a moderator. Everybody may leave."""
        self._changes.require(peer.principal)
        room = await self._chat.rooms.change_members(params.room, params.add, params.remove, peer)
        await self._chat.presences.leave(params.room, {*params.remove} - {*room.members})
        return room

    @method("chat.archive", permission=WRITE, idempotent=True)
    async def archive(self, params: ArchiveParams, peer: Peer) -> Room:
        """Close a room for writing, or open it again: who made it, or a moderator."""
        self._changes.require(peer.principal)
        return await self._chat.rooms.archive(params.room, params.archived, peer)

    @method("chat.remove", permission=WRITE, idempotent=True)
    async def remove(self, params: RoomParams, peer: Peer) -> Nothing:
        """Delete a room with all that was said in it: who made it, or a moderator."""
        self._changes.require(peer.principal)
        await self._chat.rooms.delete(params.room, peer)
        await self._chat.talk.delete_room(params.room)
        await self._chat.rooms.emptied(params.room)
        await self._chat.presences.close(params.room)
        return Nothing()

    @method("chat.post", permission=WRITE, idempotent=True)
    async def post(self, params: PostParams, peer: Peer) -> ChatMessage:
        """Say something in a room. The same `id` again gives the message that is there."""
        return await self._saying.post(params, peer)

    @method("chat.edit", permission=WRITE, idempotent=True)
    async def edit(self, params: EditParams, peer: Peer) -> ChatMessage:
        """Change a message: its author, or a moderator. `conflict` if it is not in the version that was seen."""
        return await self._saying.edit(params.room, params.id, params.text, params.version, peer)

    @method("chat.delete", permission=WRITE, idempotent=True)
    async def delete(self, params: MessageParams, peer: Peer) -> ChatMessage:
        """Take a message's text away: its author, who asked for the answer, or a moderator."""
        return await self._saying.delete(params.room, params.id, peer)

    @method("chat.message", permission=READ, idempotent=True, activity=False)
    async def message(self, params: MessageParams, peer: Peer) -> ChatMessage:
        """A message as it is now; of an answer under way, what there is so far."""
        await self._chat.rooms.get(params.room, peer)
        return await self._chat.talk.get(params.room, params.id)

    @method("chat.history", permission=READ, idempotent=True, activity=False)
    async def history(self, params: HistoryParams, peer: Peer) -> History:
        """Read a room's messages back or on from a place; a page of long messages has fewer than `limit`."""
        await self._chat.rooms.get(params.room, peer)
        if params.after is None:
            return await self._history(params.room, params.before, params.limit)
        if params.before is not None:
            raise HubError(Code.INVALID, "History goes back `before` a place or on `after` one; ask for one of them.")
        messages, more = await self._chat.talk.later(params.room, params.after, params.limit)
        return History(list(messages), more)

    async def _history(self, room: str, before: int | None, limit: int) -> History:
        messages = list(await self._chat.talk.history(room, before, limit))
        return History(messages, bool(messages) and messages[0].seq > 1)

    @method("chat.search", permission=READ, idempotent=True)
    async def search(self, params: SearchParams, peer: Peer) -> Found:
        """Find messages by their words."""
        rooms = self._chat.rooms
        names = [(await rooms.get(params.room, peer)).name] if params.room else await rooms.readable(peer)
        self._searches.require(peer.principal)
        hits = await self._chat.talk.search(params.text.split()[:MAX_WORDS], names, params.limit + 1, params.skip)
        return Found(hits[: params.limit], len(hits) > params.limit)

    @method("chat.export", permission=READ, idempotent=True)
    async def export(self, params: ExportParams, peer: Peer) -> AsyncIterator[Exported]:
        """Write a room as one Markdown or JSON document, in pieces."""
        room = await self._chat.rooms.get(params.room, peer)
        self._searches.require(peer.principal)
        messages = self._chat.talk.everything(room.name)
        async for text in exported(room, messages, params.format, self.context.runtime.now_ms()):
            yield Exported(text)

    @method("chat.read", permission=READ, idempotent=True, activity=False)
    async def read(self, params: ReadParams, peer: Peer) -> RoomRead:
        """Mark a room as read up to a message; the marker never goes back."""
        return await self._chat.rooms.read(params.room, params.seq, peer)

    @method("chat.presence", permission=READ, idempotent=True, activity=False)
    async def presence(self, params: PresenceParams, peer: Peer) -> Present:
        """Say that one is in a room, and typing; learn who else is."""
        await self._chat.rooms.get(params.room, peer)
        if self._chat.presences.would_tell(params.room, params.state, peer):
            self._notes.require(peer.principal)
        author = author_of(peer, self._chat.generations.infos())
        return Present(await self._chat.presences.note(params.room, params.state, peer, author.display_name))

    async def _check(self, peer: Peer, topic: str) -> None:
        await self._chat.rooms.get(topic.partition("/")[2], peer)

    async def _snapshot(self, peer: Peer, topic: str, position: Position) -> msgspec.Struct:
        """The newest page: it may have what is told after the position, too."""
        return await self._history(topic.partition("/")[2], None, PAGE)
