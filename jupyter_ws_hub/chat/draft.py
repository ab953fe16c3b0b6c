"""One answer that this server writes: its text so far, in memory at once and in the store from time to time."""

from __future__ import annotations

import asyncio

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import Storage, VersionConflict
from .kept import add_kept, change_kept, message_of, topic_of, was_deleted
from .messages import ChatMessage, utf16_length
from .teller import Teller


class AnswerDraft:
    """An answer under way. Whoever else changes it in the store, by deleting it, has ended it."""

    def __init__(self, message: ChatMessage, storage: Storage, teller: Teller) -> None:
        """Go on with a message that is kept."""
        self.message = message
        """As it is now, with all of its text."""
        self.ending: ChatMessage | None = None
        """As it is to end, once the store takes that."""
        self.lost = False
        """Somebody else has changed or removed it: there is nothing to write to any more."""
        self.offsets: list[int] = []
        """Where its pieces are in the log."""
        self._storage, self._teller = storage, teller
        self._length = utf16_length(message.text)
        self._stored = message.text
        self._lock = asyncio.Lock()

    async def add(self, text: str) -> ChatMessage:
        """Add a piece and tell of it.

        Raises:
            HubError: `conflict`, it has ended; or as the log says. Then the piece is there and was told to nobody: by
                the next one who has not got it notices.
        """
        if self.lost or self.ending is not None:
            raise HubError(Code.CONFLICT, "This answer has ended.")
        at = self._length
        self.message = msgspec.structs.replace(self.message, text=self.message.text + text)
        self._length += utf16_length(text)
        offset = await self._teller.tell_piece(self.message, at, text)
        if offset is not None:
            self.offsets.append(offset)
        return self.message

    async def store(self) -> None:
        """Keep what there is so far."""
        async with self._lock:
            message = self.message
            if message.text != self._stored and self.ending is None:
                version = await self._put(message)
                self._stored = message.text
                self.message = msgspec.structs.replace(self.message, version=version)

    async def end(self) -> ChatMessage:
        """Keep it as it is to end, once; give it."""
        async with self._lock:
            assert self.ending is not None
            if not self.lost and self.message.is_under_way:
                place = {"seq": self.message.seq, "version": self.message.version}
                message = msgspec.structs.replace(self.ending, **place)
                version = await self._put(message)
                if not self.lost:
                    self.message = msgspec.structs.replace(message, seq=self.message.seq, version=version)
            return self.message

    async def _put(self, message: ChatMessage) -> int:
        """Keep it; give its version."""
        try:
            changed = await change_kept(self._storage, message, message.version)
        except VersionConflict:
            found = await self._storage.documents.get(topic_of(message.room), message.id)
            if found is None and not self.lost and not await was_deleted(self._storage, message.room):
                return await self._add(message)
            self.lost = True
            if found is not None:
                self.message = message_of(found)
            return self.message.version
        return changed.version

    async def _add(self, message: ChatMessage) -> int:
        """The store is another one by now, which does not have it: it goes on there."""
        added, _ = await add_kept(self._storage, message)
        self.message = msgspec.structs.replace(self.message, seq=added.seq)
        return added.version
