"""What a user has read and what they do not want to see any more; kept per user, for all their windows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from ..storage.base import Storage, VersionConflict
from .notification import ReadMarker

MAX_DISMISSED: Final = 4000
"""More than two logs hold, so that nothing that is there comes back."""


class ReadState(msgspec.Struct, frozen=True):
    """What is kept of a user: how far they have read which logs, and the ids of what they have dismissed.

    An epoch is "" where it was not noted. Offsets in a log say nothing about another one with the same name.
    """

    me: int = 0
    all: int = 0
    me_epoch: str = ""
    all_epoch: str = ""
    dismissed: list[str] = []

    def marker(self, me_epoch: str, all_epoch: str) -> ReadMarker:
        """How far they have read the logs with these epochs."""
        me = self.me if self.me_epoch in ("", me_epoch) else 0
        return ReadMarker(me, self.all if self.all_epoch in ("", all_epoch) else 0)

    def read_up_to(self, marker: ReadMarker, me_epoch: str, all_epoch: str) -> ReadState:
        """The state after they have read so far; a marker never goes back."""
        before = self.marker(me_epoch, all_epoch)
        me, everybody = max(before.me, marker.me), max(before.all, marker.all)
        if (me, everybody) == (before.me, before.all):
            return self
        return ReadState(me, everybody, me_epoch, all_epoch, self.dismissed)

    def without(self, id: str, still_there: Collection[str]) -> ReadState:
        """The state after they have dismissed one; what is not there any more is forgotten when it is too much."""
        if id in self.dismissed:
            return self
        dismissed = [*self.dismissed, id]
        if len(dismissed) > MAX_DISMISSED:
            dismissed = [one for one in dismissed if one in still_there][-MAX_DISMISSED:]
        return msgspec.structs.replace(self, dismissed=dismissed)


class ReadStates:
    """The states of all users."""

    def __init__(self, storage: Storage) -> None:
        """Kept as values `notifications/read/<principal>`."""
        self._storage = storage

    async def get(self, principal: str) -> ReadState:
        """A user's."""
        stored = await self._storage.values.get(_key(principal))
        return ReadState() if stored is None else msgspec.json.decode(stored.value, type=ReadState)

    async def change(self, principal: str, change: Callable[[ReadState], ReadState]) -> tuple[ReadState, bool]:
        """Change a user's, whoever else does so at the same time; the state then, and whether it is another one."""
        while True:
            stored = await self._storage.values.get(_key(principal))
            before = ReadState() if stored is None else msgspec.json.decode(stored.value, type=ReadState)
            after = change(before)
            if after == before:
                return before, False
            version = 0 if stored is None else stored.version
            try:
                await self._storage.values.put(_key(principal), msgspec.json.encode(after), expect=version)
            except VersionConflict:
                continue  # another window of the same user was faster: begin with what it has made of it
            return after, True


def _key(principal: str) -> str:
    return f"notifications/read/{principal}"
