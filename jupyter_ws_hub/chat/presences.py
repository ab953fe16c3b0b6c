"""Who has which room open, and who is typing. In memory; told on the topic `presence/<room>`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ..ports import Peer, Publish, Runtime
from .room import Presence

HERE_S: Final = 45.0
TYPING_S: Final = 8.0
MAX_PEOPLE: Final = 500
"""In one room; others are not shown."""


@dataclass
class _Person:
    """Somebody in a room, and when they have last said so."""

    presence: Presence
    heard_s: float


class Presences:
    """The people of this server's clients."""

    def __init__(self, publish: Publish, runtime: Runtime) -> None:
        """Nobody is there."""
        self._publish, self._runtime = publish, runtime
        self._rooms: dict[str, dict[str, _Person]] = {}

    async def note(
        self, room: str, state: Literal["here", "typing", "gone"], peer: Peer, display_name: str = ""
    ) -> list[Presence]:
        """A client says that its user is there; give who is.

        Without another word within 45 s they are gone; who types and says nothing for 8 s does not any more.
        `display_name` is how they are shown where that is not what the peer says.
        """
        people = self._rooms.setdefault(room, {})
        if state == "gone":
            await self.leave(room, [peer.username])
        elif peer.username in people or len(people) < MAX_PEOPLE:
            now = Presence(peer.username, display_name or peer.display_name, state)
            known = people.get(peer.username)
            people[peer.username] = _Person(now, self._runtime.monotonic())
            if known is None or known.presence != now:
                await self._tell(room, now)
        found = [person.presence for person in people.values()]
        if not people:
            self._rooms.pop(room, None)
        return found

    def would_tell(self, room: str, state: str, peer: Peer) -> bool:
        """Whether others would be told of such a note: nothing is to be told of who is there still."""
        known = self._rooms.get(room, {}).get(peer.username)
        return (known.presence.state if known is not None else "gone") != state

    async def leave(self, room: str, usernames: Collection[str]) -> None:
        """These people are in the room no longer, or may not be."""
        people = self._rooms.get(room, {})
        for username in usernames:
            if people.pop(username, None) is not None:
                await self._tell(room, Presence(username, gone=True))
        if not people:
            self._rooms.pop(room, None)

    async def close(self, room: str) -> None:
        """There is no such room any more."""
        await self.leave(room, list(self._rooms.get(room, ())))

    async def sweep(self) -> None:
        """Let those go who have said nothing for long; to be called every few seconds."""
        now_s = self._runtime.monotonic()
        for room, people in list(self._rooms.items()):
            for username, person in list(people.items()):
                silent_s = now_s - person.heard_s
                if silent_s > HERE_S:
                    await self.leave(room, [username])
                elif person.presence.state == "typing" and silent_s > TYPING_S:
                    person.presence = msgspec.structs.replace(person.presence, state="here")
                    await self._tell(room, person.presence)

    async def _tell(self, room: str, presence: Presence) -> None:
        await self._publish(f"presence/{room}", "presence", presence)
