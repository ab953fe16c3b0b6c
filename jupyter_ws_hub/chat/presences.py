"""Who has which room open, and who is typing. In memory; told on the topic `presence/<room>`."""

from __future__ import annotations

from typing import Literal

from ..ports import Peer, Publish, Runtime
from .room import Presence


class Presences:
    """The people of this server's clients."""

    def __init__(self, publish: Publish, runtime: Runtime) -> None:
        """Nobody is there."""
        self._publish, self._runtime = publish, runtime

    async def note(self, room: str, state: Literal["here", "typing", "gone"], peer: Peer) -> list[Presence]:
        """A client says that its user is there; give who is.

        Without another word within 45 s they are gone; who types and says nothing for 8 s does not any more.
        """
        raise NotImplementedError

    async def sweep(self) -> None:
        """Let those go who have said nothing for long; to be called every few seconds."""
        raise NotImplementedError
