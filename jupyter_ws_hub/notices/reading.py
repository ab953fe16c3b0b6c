"""What a user has read and what they do not want to see any more; kept per user, for all their windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from ..storage.base import Storage, VersionConflict
from .notification import ReadMarker
from .shelf import Entry

MAX_DISMISSED: Final = 2000
"""Of a log: more than it holds, so that nothing that is there comes back."""

To = Literal["me", "all"]
"""Whose log it is: the user's own or everybody's."""


class ReadState(msgspec.Struct, frozen=True):
    """What is kept of a user: how far they have read which logs, and up to where they have dismissed what.

    An epoch is "" where it was not noted. Offsets in a log say nothing about another one with the same name.
    """

    me: int = 0
    all: int = 0
    me_epoch: str = ""
    all_epoch: str = ""
    dismissed: frozenset[str] = frozenset()
    """Ids, as earlier versions have kept them: they hide what those have posted."""
    me_dismissed: dict[str, int] = {}
    """By id, up to which offset of their own log."""
    all_dismissed: dict[str, int] = {}
    """By id, up to which offset of everybody's log."""

    def of(self, to: To, epoch: str) -> ReadState:
        """The state for the log with this epoch, without what belongs to another one with its name."""
        changes: dict[str, Any] = {f"{to}_epoch": epoch}
        if not self._is_of(to, epoch):
            changes |= {to: 0, f"{to}_dismissed": {}}
        return msgspec.structs.replace(self, **changes)

    def _is_of(self, to: To, epoch: str) -> bool:
        return (self.me_epoch if to == "me" else self.all_epoch) in ("", epoch)

    def _dismissed_of(self, to: To) -> dict[str, int]:
        return self.me_dismissed if to == "me" else self.all_dismissed

    def marker(self, me_epoch: str, all_epoch: str) -> ReadMarker:
        """How far they have read the logs with these epochs."""
        state = self.of("me", me_epoch).of("all", all_epoch)
        return ReadMarker(state.me, state.all)

    def read_up_to(self, marker: ReadMarker, me_epoch: str, all_epoch: str) -> ReadState:
        """The state after they have read so far; a marker never goes back."""
        before = self.of("me", me_epoch).of("all", all_epoch)
        me, everybody = max(before.me, marker.me), max(before.all, marker.all)
        if (me, everybody) == (before.me, before.all):
            return self
        return msgspec.structs.replace(before, me=me, all=everybody)

    def hides(self, to: To, epoch: str, entry: Entry) -> bool:
        """Whether they have dismissed this one, of the log with this epoch, and not only what it has replaced."""
        id = entry.notification.id
        if entry.notification.updated == 0 and id in self.dismissed:
            return True
        return self._is_of(to, epoch) and entry.counts_at <= self._dismissed_of(to).get(id, 0)

    def without(self, to: To, epoch: str, id: str, offset: int, there: Mapping[str, int]) -> ReadState:
        """The state after they have dismissed one up to an offset of the log with this epoch.

        `there` says of all ids of the log up to where one has to have seen them: when it is too much, what is not
        there any more is forgotten.
        """
        state = self.of(to, epoch)
        dismissed = state._dismissed_of(to)
        if dismissed.get(id, 0) >= offset:
            return self
        dismissed = {**dismissed, id: offset}
        if len(dismissed) > MAX_DISMISSED:
            hiding = [(one, up_to) for one, up_to in dismissed.items() if there.get(one, up_to + 1) <= up_to]
            dismissed = dict(hiding[-MAX_DISMISSED:])
        return msgspec.structs.replace(state, **{f"{to}_dismissed": dismissed})


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
