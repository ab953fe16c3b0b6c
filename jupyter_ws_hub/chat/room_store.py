"""The rooms: made, listed, changed, and who may know of them. Kept as values `chat/room/<name>`.

Who made a room is known by their principal: where a server has one token and no names, a person's username is another
one in each browser, and the room is still theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import quote

import msgspec

from ..ports import Peer, Publish, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import Storage, VersionConflict
from .kept import topic_of, was_deleted
from .names import clean_title, looks_like
from .room import (
    DEFAULT_ROOM,
    GONE_KEY,
    MAX_MEMBERS,
    MAX_ROOMS,
    RESERVED_ROOMS,
    ROOM_KEY,
    Room,
    RoomRead,
    RoomsChanged,
    RoomState,
)

READ_KEY: Final = "chat/read/"
GONE_TTL_S: Final = 7 * 86400.0
BREATHE_EVERY: Final = 50
"""After so many rooms others get their turn."""


class KeptRoom(Room, frozen=True):
    """A room and what nobody is told of it."""

    principal: str = ""
    """Of who made it; "" if nobody did."""
    left: bool = False
    """Who made it is no member any more, unless by their name."""

    def made_by(self, peer: Peer) -> bool:
        """Whether the peer made it."""
        if self.principal:
            return self.principal == peer.principal
        return self.created_by != "" and self.created_by == peer.username

    def may_read(self, peer: Peer) -> bool:
        """Whether the peer may know of it."""
        if not self.private or peer.username in self.members or peer.principal in self.members:
            return True
        return self.made_by(peer) and not self.left

    def room(self) -> Room:
        """What may be told."""
        return Room(**{field: getattr(self, field) for field in Room.__struct_fields__})


Change = Callable[[KeptRoom], KeptRoom]


class RoomStore:
    """All rooms of the storage, for every server that shares it."""

    def __init__(self, storage: Storage, publish: Publish, runtime: Runtime, recheck: Callable[[str], None]) -> None:
        """`recheck` has the subscriptions of a topic checked again: somebody may not read it any more."""
        self._storage, self._publish, self._runtime, self._recheck = storage, publish, runtime, recheck

    async def ensure(self, name: str) -> None:
        """Have a room that nobody made."""
        await self._put_new(KeptRoom(name, self._runtime.now_ms(), ""))

    async def names(self) -> list[str]:
        """All rooms there are, private ones too: for the server itself."""
        return [key.removeprefix(ROOM_KEY) for key in await self._storage.values.scan(ROOM_KEY)]

    async def was_deleted(self, name: str) -> bool:
        """Whether somebody has deleted the room. One that only cannot be found may be there again later."""
        return await was_deleted(self._storage, name)

    async def is_to_be_emptied(self, name: str) -> bool:
        """Whether the room was deleted, and what was said in it perhaps not yet: its server may have died."""
        stored = await self._storage.values.get(f"{GONE_KEY}{name}")
        return stored is not None and not stored.value and await self.was_deleted(name)

    async def emptied(self, name: str) -> None:
        """What was said in a deleted room is gone, too."""
        await self._storage.values.put(f"{GONE_KEY}{name}", b"empty", ttl_s=GONE_TTL_S)

    async def get(self, name: str, peer: Peer) -> Room:
        """A room that the peer may read; `not_found` for others, private ones too, in the same words."""
        return (await self._get(name, peer))[0].room()

    async def _get(self, name: str, peer: Peer) -> tuple[KeptRoom, int]:
        """The room as it is kept, and its version."""
        stored = await self._storage.values.get(f"{ROOM_KEY}{name}")
        if stored is not None:
            kept = msgspec.json.decode(stored.value, type=KeptRoom)
            if kept.may_read(peer):
                return kept, stored.version
        raise HubError(Code.NOT_FOUND, f"There is no room {name[:80]!r}; chat.create makes one.")

    async def require_open(self, name: str, peer: Peer) -> Room:
        """The same if it can be written to; `forbidden` if it is archived."""
        room = await self.get(name, peer)
        if room.archived:
            raise HubError(Code.FORBIDDEN, f"The room {name!r} is archived: it can be read, not written to.")
        return room

    async def is_moderator(self, room: Room, peer: Peer) -> bool:
        """Whether the peer made the room, or may `moderate` `chat`; never of a room that they may not read."""
        try:
            kept, _ = await self._get(room.name, peer)
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return False
        return kept.made_by(peer) or await peer.authorize("moderate", "chat")

    async def states(self, peer: Peer, *, archived: bool) -> list[RoomState]:
        """The rooms that the peer may read, by title."""
        rooms = [room for room in await self._all(peer) if archived or not room.archived]
        ends = await self._storage.documents.ends([topic_of(room.name) for room in rooms])
        prefix = self._read_key(peer, "")
        reads = await self._storage.values.scan(prefix)
        moderates = await peer.authorize("moderate", "chat")

        def state(kept: KeptRoom) -> RoomState:
            newest, read = ends[topic_of(kept.name)], reads.get(f"{prefix}{kept.name}")
            until = min(int(read.value), newest) if read is not None else 0
            return RoomState(kept.room(), newest, until, moderates or kept.made_by(peer))

        return sorted(map(state, rooms), key=lambda found: (found.room.title or found.room.name).casefold())

    async def readable(self, peer: Peer) -> list[str]:
        """The names of the rooms that the peer may read."""
        return [room.name for room in await self._all(peer)]

    async def _all(self, peer: Peer) -> list[KeptRoom]:
        found: list[KeptRoom] = []
        for number, stored in enumerate((await self._storage.values.scan(ROOM_KEY)).values(), 1):
            kept = msgspec.json.decode(stored.value, type=KeptRoom)
            if kept.may_read(peer):
                found.append(kept)
            if number % BREATHE_EVERY == 0:
                await asyncio.sleep(0)
        return found

    async def create(self, room: Room, peer: Peer) -> Room:
        """Make a room; where the name is taken by one that the peer may read, that one is given, else `exists`."""
        if room.name in RESERVED_ROOMS:
            raise HubError(Code.INVALID, f"No room can be named {room.name!r}; take another name.")
        stored = await self._storage.values.get(f"{ROOM_KEY}{room.name}")
        if stored is None:
            members = sorted({*room.members, peer.username}) if room.private else []
            _check_members(members)
            title = await self._title(room.title, room.name)
            kept = KeptRoom(
                name=room.name,
                created=self._runtime.now_ms(),
                created_by=peer.username,
                title=title,
                private=room.private,
                members=members,
                principal=peer.principal,
            )
            if await self._put_new(kept):
                return kept.room()
        try:
            return await self.get(room.name, peer)
        except HubError as error:
            raise HubError(Code.EXISTS, f"The name {room.name!r} cannot be had; take another one.") from error

    async def _put_new(self, kept: KeptRoom) -> bool:
        if len(await self._storage.values.scan(ROOM_KEY)) >= MAX_ROOMS:
            raise HubError(Code.BUSY, f"There are {MAX_ROOMS} rooms already; delete one that is not needed any more.")
        try:
            await self._storage.values.put(f"{ROOM_KEY}{kept.name}", msgspec.json.encode(kept), expect=0)
        except VersionConflict:
            return False
        await self._storage.values.delete(f"{GONE_KEY}{kept.name}")
        await self._tell()
        return True

    async def _tell(self) -> None:
        await self._publish("rooms", "changed", RoomsChanged())

    async def _title(self, title: str, name: str) -> str:
        """A title as it is kept; one that looks like another public room is refused."""
        title = clean_title(title)
        for stored in (await self._storage.values.scan(ROOM_KEY)).values() if title else ():
            other = msgspec.json.decode(stored.value, type=Room)
            if other.private or other.name == name:
                continue
            if looks_like(title, other.name) or (other.title and looks_like(title, other.title)):
                raise HubError(Code.EXISTS, f"{title!r} looks like the room {other.title or other.name!r}.")
        return title

    async def _change(self, name: str, peer: Peer, change: Change, *, moderate: bool = True) -> Room:
        """Change a room, whoever else does so at the same time."""
        while True:
            kept, version = await self._get(name, peer)
            if moderate and not await self.is_moderator(kept, peer):
                raise HubError(Code.FORBIDDEN, f"Only who made the room {name!r}, or a moderator, may do that.")
            changed = change(kept)
            try:
                await self._storage.values.put(f"{ROOM_KEY}{name}", msgspec.json.encode(changed), expect=version)
            except VersionConflict:
                continue
            await self._tell()
            return changed.room()

    async def rename(self, name: str, title: str, peer: Peer) -> Room:
        """Give it another title; by who made it, or a moderator."""
        await self.get(name, peer)
        title = await self._title(title, name)
        return await self._change(name, peer, lambda kept: msgspec.structs.replace(kept, title=title))

    async def change_members(self, name: str, add: Collection[str], remove: Collection[str], peer: Peer) -> Room:
        """Let people in and out of a private room; by a moderator of it. Who leaves by themselves needs not be one."""

        def change(kept: KeptRoom) -> KeptRoom:
            if not kept.private:
                raise HubError(Code.INVALID, f"The room {name!r} is open to everybody: it has no members.")
            members = sorted(({*kept.members} | {*add}) - {*remove})
            _check_members(members)
            goes = (kept.made_by(peer) and peer.username in remove) or kept.created_by in remove
            left = (kept.left or goes) and kept.created_by not in members
            if not members and left:
                raise HubError(Code.INVALID, f"Nobody would be left in the room {name!r}: delete it instead.")
            return msgspec.structs.replace(kept, members=members, left=left)

        leaves = not add and {*remove} == {peer.username}
        room = await self._change(name, peer, change, moderate=not leaves)
        if remove:
            self._recheck_all(name)
        return room

    def _recheck_all(self, name: str) -> None:
        self._recheck(topic_of(name))
        self._recheck(f"presence/{name}")

    async def archive(self, name: str, archived: bool, peer: Peer) -> Room:
        """Close it for writing, or open it again; by a moderator of it."""
        if archived:
            _check_not_default(name)
        return await self._change(name, peer, lambda kept: msgspec.structs.replace(kept, archived=archived))

    async def delete(self, name: str, peer: Peer) -> None:
        """Remove it; by a moderator of it. What was said in it is to be removed then, by `Talk.delete_room`."""
        _check_not_default(name)
        await self._change(name, peer, lambda kept: kept)
        await self._storage.values.put(f"{GONE_KEY}{name}", b"", ttl_s=GONE_TTL_S)
        await self._storage.values.delete(f"{ROOM_KEY}{name}")
        for key in await self._storage.values.scan(READ_KEY):
            if key.endswith(f"/{name}"):
                await self._storage.values.delete(key)
        self._recheck_all(name)
        await self._tell()

    def _read_key(self, peer: Peer, name: str) -> str:
        return f"{READ_KEY}{quote(peer.principal, safe='')}/{name}"

    async def read(self, name: str, seq: int, peer: Peer) -> RoomRead:
        """Mark it as read up to a message; never goes back."""
        await self.get(name, peer)
        key, values = self._read_key(peer, name), self._storage.values
        seq = min(seq, (await self._storage.documents.ends([topic_of(name)]))[topic_of(name)])
        while True:
            stored = await values.get(key)
            if stored is not None and int(stored.value) >= seq:
                return RoomRead(name, int(stored.value))
            try:
                await values.put(key, str(seq).encode(), expect=stored.version if stored is not None else 0)
            except VersionConflict:
                continue
            read = RoomRead(name, seq)
            await self._publish("rooms/me", "read", read, principal=peer.principal)
            return read


def _check_members(members: Collection[str]) -> None:
    if len(members) > MAX_MEMBERS:
        raise HubError(Code.TOO_BIG, f"A room has at most {MAX_MEMBERS} members.")


def _check_not_default(name: str) -> None:
    """Everybody meets there, and it would be there again after the next start."""
    if name == DEFAULT_ROOM:
        raise HubError(Code.FORBIDDEN, f"The room {name!r} is always there; it can have another title.")
