"""Tells of messages on their rooms' topics, and sees to it that what they said before is not replayed any more.

The ids of events follow from the message, so that telling again what was told does nothing: the log has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from ..ports import Publish
from ..storage.base import LogRetention, Storage
from .kept import topic_of
from .messages import ChatMessage, MessageChanged, MessageDelta, MessageFinished, MessageStarted, utf16_length

PAGE: Final = 500
"""Events of a log that are looked through at a time."""

NOTHING: Final = LogRetention(count=0, bytes=0, age_s=-1e9)
"""Keeps no event, however young it is, whatever the clock says."""


class Told(NamedTuple):
    """An event of a message."""

    id: str
    kind: str
    payload: msgspec.Struct


class Pieces(NamedTuple):
    """What the log has of an answer's deltas: where they are, and the text that they make of the one before."""

    offsets: list[int]
    text: str


def _delta_prefix(id: str) -> str:
    return f"{id}:at"


def events_of(message: ChatMessage) -> list[Told]:
    """All events that lead to a message as it is, but its deltas; each with the message as it is."""
    answer = message.answer
    events = [Told(message.id, "message", message)]
    if answer is not None:
        events = [Told(f"{message.id}:started", "message.started", MessageStarted(message))]
        if answer.state != "writing":
            finished = MessageFinished(message, utf16_length(message.text))
            events.append(Told(f"{message.id}:finished", "message.finished", finished))
    if message.edited is not None or message.deleted:
        events.append(Told(f"{message.id}:{message.version}", "message.changed", MessageChanged(message)))
    return events


class Teller:
    """Tells what the store has; never anything that it has not."""

    def __init__(self, storage: Storage, publish: Publish) -> None:
        """Tell by `publish`, into the log of `storage`."""
        self._storage, self._publish = storage, publish

    async def tell(self, message: ChatMessage) -> None:
        """Tell of a message as it is; its place among the room's events is that of this call."""
        topic = topic_of(message.room)
        for event in events_of(message):
            await self._publish(topic, event.kind, event.payload, id=event.id)

    async def tell_last(self, message: ChatMessage) -> None:
        """Tell of what has become of a message that was told before."""
        last = events_of(message)[-1]
        await self._publish(topic_of(message.room), last.kind, last.payload, id=last.id)

    async def tell_instead(self, message: ChatMessage, before: Iterable[str]) -> None:
        """Tell of a message that was changed, and take what the events with the ids `before` said out of the log."""
        topic = topic_of(message.room)
        epoch = (await self._storage.log.head(topic)).epoch
        *earlier, last = events_of(message)
        kinds = {event.id: event for event in earlier}
        old = [kinds.get(id, Told(id, last.kind, last.payload)) for id in dict.fromkeys(before) if id != last.id]
        # Of an event that is in the log this gives the place; one that is not says what the message is now.
        offsets = await asyncio.gather(*(self._publish(topic, e.kind, e.payload, id=e.id) for e in (*old, last)))
        await self._storage.log.compact(topic, [offset for offset in offsets[:-1] if offset is not None], epoch)

    async def tell_piece(self, message: ChatMessage, at: int, text: str) -> int | None:
        """Tell of a piece of an answer; give its offset."""
        delta = MessageDelta(message.id, at, text)
        id = f"{_delta_prefix(message.id)}{at}"
        return await self._publish(topic_of(message.room), "message.delta", delta, id=id)

    async def forget_pieces(self, room: str, offsets: Sequence[int]) -> None:
        """Let go of deltas: the whole text has been told."""
        topic = topic_of(room)
        if offsets:
            await self._storage.log.compact(topic, offsets, (await self._storage.log.head(topic)).epoch)

    async def pieces(self, message: ChatMessage) -> Pieces:
        """What was told of an answer that is not known to have ended, beyond the text that is kept."""
        topic, prefix = topic_of(message.room), _delta_prefix(message.id)
        deltas: list[tuple[int, MessageDelta]] = []
        before: int | None = None
        while records := await self._storage.log.read_back(topic, before, PAGE):
            before = records[0].offset
            for record in reversed(records):
                if record.id.startswith(prefix):
                    deltas.append((record.offset, msgspec.json.decode(record.data, type=MessageDelta)))
            if before <= 1 or any(record.id == f"{message.id}:started" for record in records):
                break
        text, length = message.text, utf16_length(message.text)
        for _, delta in reversed(deltas):
            if delta.at == length:
                text, length = text + delta.text, length + utf16_length(delta.text)
        return Pieces([offset for offset, _ in deltas], text)

    async def forget_room(self, room: str, now_ms: int) -> None:
        """Let go of all that was told in a room."""
        await self._storage.log.trim(topic_of(room), NOTHING, now_ms)
