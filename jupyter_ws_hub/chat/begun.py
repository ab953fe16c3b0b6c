"""What was begun with messages and is not known to have ended: written down before, so that it survives its server.

Kept as values `chat/begun/<room>/<version>/<id>`. Whether a server that writes an answer lives, its pulse says: the
value `chat/pulse/<server>`, which dies when it is not renewed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..ports import Runtime
from ..storage.base import Storage

PREFIX: Final = "chat/begun/"
PULSE: Final = "chat/pulse/"
PULSE_TTL_S: Final = 8.0
"""So long after its last word a server counts as dead."""
PULSE_S: Final = 2.0
LOOK_S: Final = PULSE_TTL_S
"""How often it is looked for what other servers have left, while nothing is known to have begun."""
YOUNG_MS: Final = 60_000
"""What was begun no longer ago may only just be under way, on whatever server."""


class Mark(msgspec.Struct, frozen=True):
    """That a message in some version was to be changed, or an answer to be written."""

    room: str
    id: str
    version: int
    """Which it had before; 0 of an answer that is written."""
    time: int
    before: list[str] = []
    """Ids of the events that are not to be replayed any more."""
    writer: str = ""
    """Which server writes the answer."""

    @property
    def key(self) -> str:
        """The key of its value."""
        return f"{PREFIX}{self.room}/{self.version}/{self.id}"


class Begun:
    """The marks of all servers that share the storage, and this one's pulse."""

    def __init__(self, storage: Storage, runtime: Runtime) -> None:
        """This server has a random name of its own."""
        self._storage, self._runtime = storage, runtime
        self.server = runtime.new_id()
        self._pulse_s = -PULSE_S
        self._looked_s = -LOOK_S
        self._number_put = 0
        self._nothing_at: int | None = None
        """How much had begun here when it was last looked for what is left, if that was nothing."""

    def is_young(self, mark: Mark) -> bool:
        """Whether what it tells of may be under way although nothing is to be seen of it."""
        return self._runtime.now_ms() - mark.time < YOUNG_MS

    async def put(self, mark: Mark) -> None:
        """Write down what begins now."""
        self._number_put += 1
        await self._storage.values.put(mark.key, msgspec.json.encode(mark))

    async def done(self, mark: Mark) -> None:
        """It has ended."""
        await self._storage.values.delete(mark.key)

    async def all(self, room: str | None = None) -> Sequence[Mark]:
        """What has not ended, in all rooms or in one."""
        values = await self._storage.values.scan(PREFIX if room is None else f"{PREFIX}{room}/")
        return [msgspec.json.decode(value.value, type=Mark) for value in values.values()]

    async def left(self) -> Sequence[Mark]:
        """What has not ended, to be asked for every few seconds; the store is not asked as long as that is nothing.

        What another server has begun is found within `LOOK_S`.
        """
        now_s, number_put = self._runtime.monotonic(), self._number_put
        if self._nothing_at == number_put and now_s - self._looked_s < LOOK_S:
            return []
        marks = await self.all()
        self._looked_s = now_s
        self._nothing_at = None if marks else number_put
        return marks

    async def beat(self) -> None:
        """Show that this server lives; to be called at least every `PULSE_S` while it writes."""
        now_s = self._runtime.monotonic()
        if now_s - self._pulse_s >= PULSE_S:
            await self._storage.values.put(f"{PULSE}{self.server}", b"", ttl_s=PULSE_TTL_S)
            self._pulse_s = now_s

    async def lives(self, server: str) -> bool:
        """Whether a server has shown of late that it lives; of this one it is known."""
        return server == self.server or await self._storage.values.get(f"{PULSE}{server}") is not None
