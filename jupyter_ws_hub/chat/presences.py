"""Who has which room open, and who is typing. In memory; told on the topic `presence/<room>`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..ports import Peer, Publish, Runtime
from .room import Presence

HERE_S: Final = 45.0
TYPING_S: Final = 8.0
MAX_PEOPLE: Final = 500
"""In one room; others are not shown."""
MAX_CLIENTS: Final = 64
"""Of one person in a room; of more than these, who was heard of longest ago is forgotten."""

State: TypeAlias = Literal["here", "typing", "gone"]


@dataclass
class _Client:
    """One of the tabs in which somebody has a room open, and when it has last said so."""

    state: State
    heard_s: float


@dataclass
class _Person:
    """Somebody in a room: there as long as one of their clients is."""

    presence: Presence
    clients: dict[str, _Client] = field(default_factory=dict)

    def state(self) -> State:
        """What all clients together say."""
        states = {client.state for client in self.clients.values()}
        return "typing" if "typing" in states else "here" if states else "gone"


class Presences:
    """The people of this server's clients."""

    def __init__(self, publish: Publish, runtime: Runtime) -> None:
        """Nobody is there."""
        self._publish, self._runtime = publish, runtime
        self._rooms: dict[str, dict[str, _Person]] = {}

    async def note(self, room: str, state: State, peer: Peer, display_name: str = "") -> list[Presence]:
        """A client says that its user is there, or no longer; give who is.

        A user is gone when all of their clients are. Without another word within 45 s a client is gone; one that types
        and says nothing for 8 s does not any more. `display_name` is how they are shown where that is not what the
        peer says.
        """
        people = self._rooms.setdefault(room, {})
        person = people.get(peer.username)
        if person is None and state != "gone" and len(people) < MAX_PEOPLE:
            person = people[peer.username] = _Person(Presence(peer.username, gone=True))
        if person is not None:
            self._hear(person.clients, state, peer.client)
            await self._settle(room, person, display_name or peer.display_name)
        found = [person.presence for person in people.values()]
        if not people:
            self._rooms.pop(room, None)
        return found

    def _hear(self, clients: dict[str, _Client], state: State, client: str) -> None:
        clients.pop(client, None)  # the one that was heard last stands last
        if state != "gone":
            clients[client] = _Client(state, self._runtime.monotonic())
            if len(clients) > MAX_CLIENTS:
                del clients[next(iter(clients))]

    async def _settle(self, room: str, person: _Person, display_name: str) -> None:
        """Tell what has changed of somebody."""
        state, before = person.state(), person.presence
        if state == "gone":
            await self.leave(room, [before.username])
            return
        person.presence = Presence(before.username, display_name, state)
        if person.presence != before:
            await self._tell(room, person.presence)

    def would_tell(self, room: str, state: State, peer: Peer) -> bool:
        """Whether others would be told of such a note: nothing is to be told of who is there still."""
        known = self._rooms.get(room, {}).get(peer.username)
        if known is None:
            return state != "gone"
        others = {id: client for id, client in known.clients.items() if id != peer.client}
        if state != "gone":
            others[peer.client] = _Client(state, 0)
        return _Person(known.presence, others).state() != known.presence.state

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
                if people.get(username) is not person:
                    continue  # they have left while others were told
                for id, client in list(person.clients.items()):
                    silent_s = now_s - client.heard_s
                    if silent_s > HERE_S:
                        del person.clients[id]
                    elif silent_s > TYPING_S:
                        client.state = "here"
                await self._settle(room, person, person.presence.display_name)

    async def _tell(self, room: str, presence: Presence) -> None:
        await self._publish(f"presence/{room}", "presence", presence)
