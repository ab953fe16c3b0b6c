"""Which answers are under way on all servers of one storage, so that one writes each and any can end it.

Each is a value `chat/answering/<room>/<id>`, made by the server that writes it and deleted when it has ended. To end
one, a server puts that into the value; who writes looks at most a second later.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

from ..storage.base import KeyValue, VersionConflict, Versioned

PREFIX: Final = "chat/answering/"
KEPT_S: Final = 6 * 3600.0
"""How long the value of a server that died may lie there."""

CLAIM_S: Final = 10.0
"""The same, where it died before anything had begun."""


class Underway(msgspec.Struct, frozen=True):
    """An answer that a server writes."""

    principal: str
    """Who asked for it."""
    stop: bool = False
    """It is to end."""


def _key(room: str, id: str) -> str:
    return f"{PREFIX}{room}/{id}"


def _data(principal: str) -> bytes:
    return msgspec.json.encode(Underway(principal))


def _decode(stored: Versioned) -> Underway:
    return msgspec.json.decode(stored.value, type=Underway)


class UnderwayNotes:
    """The answers under way, as the storage knows them. All methods raise `HubError`, as the storage does."""

    def __init__(self, values: KeyValue) -> None:
        """Keep them in `values`."""
        self._values = values

    async def claim(self, room: str, id: str, principal: str) -> int | None:
        """Say that this server will write it, which is to be confirmed soon; None if another one says so already."""
        try:
            return await self._values.put(_key(room, id), _data(principal), expect=0, ttl_s=CLAIM_S)
        except VersionConflict:
            return None

    async def confirm(self, room: str, id: str, principal: str, claim: int) -> None:
        """It is begun."""
        with suppress(VersionConflict):  # somebody has asked already to end it
            await self._values.put(_key(room, id), _data(principal), expect=claim, ttl_s=KEPT_S)

    async def release(self, room: str, id: str) -> None:
        """It has ended; raises `HubError`."""
        await self._values.delete(_key(room, id))

    async def get(self, room: str, id: str) -> Underway | None:
        """What is known of it; None if nobody writes it."""
        stored = await self._values.get(_key(room, id))
        return None if stored is None else _decode(stored)

    async def ask_to_stop(self, room: str, id: str) -> None:
        """Have whoever writes it end it; nothing happens if nobody does any more."""
        key = _key(room, id)
        while (stored := await self._values.get(key)) is not None:
            note = _decode(stored)
            if note.stop:
                return
            data = msgspec.json.encode(msgspec.structs.replace(note, stop=True))
            try:
                await self._values.put(key, data, expect=stored.version, ttl_s=KEPT_S)
            except VersionConflict:
                continue
            return

    async def to_stop(self) -> list[tuple[str, str]]:
        """Room and id of all that are to end."""
        found = await self._values.scan(PREFIX)
        asked = [key.removeprefix(PREFIX) for key, stored in found.items() if _decode(stored).stop]
        return [(room, id) for room, _, id in (key.partition("/") for key in asked)]
