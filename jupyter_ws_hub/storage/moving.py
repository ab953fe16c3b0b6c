"""Moving what one storage has gathered into another with content of its own: messages, documents (by ids), values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .base import Draft, Spare, Storage, Stored

PAGE: Final = 500
DOCUMENTS_PAGE: Final = 100

PROBE_KEY: Final = "storage/probe"
PROBE_BYTES: Final = 64 * 1024
"""Enough that a disk with room for one more message only is still full, little beside what is to be moved."""


class Move:
    """From one storage to another.

    Done over, it adds nothing twice: messages and documents keep their ids, values their versions.
    """

    def __init__(self, source: Spare, target: Storage, carried: Mapping[str, Stored]) -> None:
        """`carried` are the values that the source had from the target at its beginning."""
        self._source = source
        self._target = target
        self._carried = carried
        self._moved: dict[str, int] = {}
        self._changes = 0
        """As many changes of documents were moved."""

    async def probe(self) -> None:
        """Raise `HubError` if the target does not take what is written.

        What it has not yet put in order comes first: on a disk that was full, that may be what takes the space.
        """
        await self._target.upkeep()
        await self._target.values.put(PROBE_KEY, bytes(PROBE_BYTES), ttl_s=1)
        await self._target.values.delete(PROBE_KEY)

    async def most(self) -> None:
        """Move messages and documents while others are added to the source, as long as less and less is left."""
        await self._documents()
        left = await self._left()
        before = left + 1
        while 0 < left < before:
            for topic in await self._source.log.topics():
                await self._page(topic)
            before, left = left, await self._left()

    async def rest(self) -> None:
        """Move what came meanwhile, and the values; nothing may be added to the source any more."""
        # Documents go first: who is told by a message what has become of one finds it so.
        await self._documents()
        for topic in await self._source.log.topics():
            while await self._page(topic):
                pass
        values = await self._source.values.dump()
        new = {key: item for key, item in values.items() if self._carried.get(key) != item}
        await self._target.values.load(new, self._carried.keys() - values.keys())

    async def _left(self) -> int:
        """How many messages are still to be moved, about."""
        heads = {topic: (await self._source.log.head(topic)).offset for topic in await self._source.log.topics()}
        return sum(offset - self._moved.get(topic, 0) for topic, offset in heads.items())

    async def _documents(self) -> None:
        """Move what has become of documents by now."""
        while gathered := await self._source.documents.gathered(self._changes, DOCUMENTS_PAGE):
            await self._target.documents.load(gathered)
            self._changes = gathered[-1].number

    async def _page(self, topic: str) -> bool:
        """Move the next messages of a topic; whether there were any."""
        moved = self._moved.get(topic, 0)
        end = (await self._source.log.head(topic)).offset
        if moved == end:
            return False
        records = await self._source.log.read(topic, moved, PAGE)
        drafts = [Draft(record.id, record.kind, record.time_ms, record.data) for record in records]
        await self._target.log.append(topic, drafts)
        self._moved[topic] = records[-1].offset if records else end
        return True
