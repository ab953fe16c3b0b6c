"""The rooms: made, listed, changed, and who may know of them. Kept as values `chat/room/<name>`."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..ports import Peer, Publish, Runtime
from ..storage.base import Storage
from .room import Room, RoomRead, RoomState


class RoomStore:
    """All rooms of the storage, for every server that shares it."""

    def __init__(self, storage: Storage, publish: Publish, runtime: Runtime, recheck: Callable[[str], None]) -> None:
        """`recheck` has the subscriptions of a topic checked again: somebody may not read it any more."""
        self._storage, self._publish, self._runtime, self._recheck = storage, publish, runtime, recheck

    async def get(self, name: str, peer: Peer) -> Room:
        """A room that the peer may read; `not_found` for others, private ones too, in the same words."""
        raise NotImplementedError

    async def require_open(self, name: str, peer: Peer) -> Room:
        """The same if it can be written to; `forbidden` if it is archived."""
        raise NotImplementedError

    async def is_moderator(self, room: Room, peer: Peer) -> bool:
        """Whether the peer made the room, or may `moderate` `chat`."""
        raise NotImplementedError

    async def states(self, peer: Peer, *, archived: bool) -> list[RoomState]:
        """The rooms that the peer may read, by title."""
        raise NotImplementedError

    async def create(self, room: Room, peer: Peer) -> Room:
        """Make a room; where the name is taken by one that the peer may read, that one is given, else `exists`."""
        raise NotImplementedError

    async def rename(self, name: str, title: str, peer: Peer) -> Room:
        """Give it another title; by who made it, or a moderator."""
        raise NotImplementedError

    async def change_members(self, name: str, add: Collection[str], remove: Collection[str], peer: Peer) -> Room:
        """Let people in and out of a private room; by a moderator of it. Who leaves by themselves needs not be one."""
        raise NotImplementedError

    async def archive(self, name: str, archived: bool, peer: Peer) -> Room:
        """Close it for writing, or open it again; by a moderator of it."""
        raise NotImplementedError

    async def delete(self, name: str, peer: Peer) -> None:
        """Remove it with all that was said; by a moderator of it."""
        raise NotImplementedError

    async def read(self, name: str, seq: int, peer: Peer) -> RoomRead:
        """Mark it as read up to a message; never goes back."""
        raise NotImplementedError
