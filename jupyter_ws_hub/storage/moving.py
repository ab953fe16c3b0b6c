"""Moving what one storage has gathered into another that has content of its own: messages by their ids, values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .base import Draft, Storage, Stored

PAGE: Final = 500
ROUNDS: Final = 5
"""At most so often the messages that came during the last round are moved while others come."""

PROBE_KEY: Final = "storage/probe"
PROBE_BYTES: Final = 64 * 1024
"""Enough that a disk with room for one more message only is still full, little beside what is to be moved."""


class Move:
    """From one storage to another. Done over, it adds nothing twice: messages keep their ids, values their versions."""

    def __init__(self, source: Storage, target: Storage, carried: Mapping[str, Stored]) -> None:
        """`carried` are the values that the source had from the target at its beginning."""
        self._source = source
        self._target = target
        self._carried = carried
        self._moved: dict[str, int] = {}

    async def probe(self) -> None:
        """Raise `HubError` if the target does not take what is written.

        What it has not yet put in order comes first: on a disk that was full, that may be what takes the space.
        """
        await self._target.upkeep()
        await self._target.values.put(PROBE_KEY, bytes(PROBE_BYTES), ttl_s=1)
        await self._target.values.delete(PROBE_KEY)

    async def most_messages(self) -> None:
        """Move messages while others are added to the source, as long as fewer and fewer are left."""
        before = await self._messages()
        for _ in range(ROUNDS):
            number = await self._messages()
            if number > before // 2:
                return
            before = number

    async def rest(self) -> None:
        """Move the messages that came meanwhile, and the values; nothing may be added to the source any more."""
        await self._messages()
        values = await self._source.values.dump()
        new = {key: item for key, item in values.items() if self._carried.get(key) != item}
        await self._target.values.load(new, self._carried.keys() - values.keys())

    async def _messages(self) -> int:
        """Move what there is by now and no round before has moved; the number of messages."""
        number = 0
        for topic in await self._source.log.topics():
            end = (await self._source.log.head(topic)).offset
            while (moved := self._moved.get(topic, 0)) < end:
                records = await self._source.log.read(topic, moved, PAGE)
                drafts = [Draft(record.id, record.kind, record.time_ms, record.data) for record in records]
                await self._target.log.append(topic, drafts)
                self._moved[topic] = records[-1].offset if records else end
                number += len(records)
        return number
