"""What a room is, on the wire and in the store."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

DEFAULT_ROOM: Final = "general"
RESERVED_ROOMS: Final = frozenset({"me", "all", "rooms"})
ROOM_KEY: Final = "chat/room/"
"""Rooms are kept as values under this and their name."""
GONE_KEY: Final = "chat/gone/"
"""That a room was deleted: what was said in it may be removed. Under this and its name, for a week."""
MAX_ROOMS: Final = 1000
MAX_MEMBERS: Final = 500

RoomName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
"""What names a room for ever: lower-case letters, digits and hyphens, at most 64."""

Title = Annotated[str, msgspec.Meta(max_length=100)]


class Room(msgspec.Struct, frozen=True):
    """A room. Its name stays; what people see is its title, where it has one."""

    name: str
    created: int
    created_by: str
    title: str = ""
    private: bool = False
    """Only its members know of it."""
    members: list[str] = []
    """Usernames; of a private room only."""
    archived: bool = False
    """It can be read, not written to."""


class RoomState(msgspec.Struct, frozen=True):
    """A room as it is for the one who asks."""

    room: Room
    newest: int
    """`seq` of its newest message; 0 if it is empty."""
    read: int
    """How far they have read."""
    moderator: bool
    """Whether they may change the room and others' messages."""


class RoomRead(msgspec.Struct, frozen=True):
    """How far a user has read a room: in another window of theirs, too."""

    room: str
    seq: int


class RoomsChanged(msgspec.Struct, frozen=True):
    """The rooms are not what they were: ask for them again. (Which ones is told to nobody who may not know of them.)"""


class Presence(msgspec.Struct, frozen=True):
    """Somebody who has a room open. `gone` when they have closed it."""

    username: str
    display_name: str = ""
    state: Literal["here", "typing"] = "here"
    gone: bool = False
