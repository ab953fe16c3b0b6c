"""The answers that this server writes, and those that another one began and will not end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from ..ports import Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import Storage, VersionConflict
from .begun import Begun, Mark
from .draft import AnswerDraft
from .kept import change_kept, message_of, topic_of
from .messages import ChatMessage
from .teller import Teller

KEEP_S: Final = 1.0
"""What an answer has so far is in the store at the latest after so long."""

SERVER_ENDED: Final = "The server ended while this was being written. Ask again."


class Answers:
    """Answers under way."""

    def __init__(self, storage: Storage, teller: Teller, begun: Begun, runtime: Runtime) -> None:
        """Nothing is written yet."""
        self._storage, self._teller, self._begun, self._runtime = storage, teller, begun, runtime
        self._drafts: dict[tuple[str, str], AnswerDraft] = {}
        self._keeper: asyncio.Task[None] | None = None

    def get(self, room: str, id: str) -> AnswerDraft | None:
        """An answer that is being written here."""
        return self._drafts.get((room, id))

    def of(self, room: str) -> Mapping[str, AnswerDraft]:
        """Those of a room, by id."""
        return {id: draft for (name, id), draft in self._drafts.items() if name == room}

    async def announce(self, message: ChatMessage) -> Mark:
        """Write down that an answer will be written here, before it is kept."""
        await self._begun.beat()
        mark = Mark(message.room, message.id, 0, self._runtime.now_ms(), writer=self._begun.server)
        await self._begun.put(mark)
        return mark

    def begin(self, message: ChatMessage) -> None:
        """Write an answer that is kept."""
        self._drafts[message.room, message.id] = AnswerDraft(message, self._storage, self._teller)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_all())

    async def add(self, room: str, id: str, text: str) -> ChatMessage:
        """Add a piece; `conflict` for an answer that is not written here any more."""
        draft = self.get(room, id)
        if draft is None:
            raise HubError(Code.CONFLICT, "This answer has ended.")
        if draft.lost:
            await self._end(draft)
        try:
            return await draft.add(text)
        except HubError as error:
            if not error.code.retryable:
                raise
            self._runtime.logger.warning("A piece of an answer in %r could not be told: %s", room, error)
            return draft.message

    async def finish(self, message: ChatMessage) -> ChatMessage:
        """End an answer; one that has ended already is given as it is."""
        draft = self.get(message.room, message.id)
        if draft is None:
            found = await self._storage.documents.get(topic_of(message.room), message.id)
            return message if found is None else message_of(found)
        draft.ending = draft.ending or message
        return await self._end(draft)

    async def _end(self, draft: AnswerDraft) -> ChatMessage:
        """Keep and tell how it ended; if the store cannot now, that is tried again."""
        draft.ending = draft.ending or draft.message
        message = await draft.end()
        if self._drafts.get((message.room, message.id)) is draft:
            del self._drafts[message.room, message.id]
        if not draft.lost:
            await self._teller.tell_last(message)
        await self._teller.forget_pieces(message.room, draft.offsets)
        await self._begun.done(Mark(message.room, message.id, 0, 0))
        return message

    async def _keep_all(self) -> None:
        while self._drafts:
            await asyncio.sleep(KEEP_S)
            await self.keep()

    async def keep(self) -> None:
        """Store what the answers have so far; this happens by itself every second."""
        drafts = list(self._drafts.values())
        found = await asyncio.gather(self._begun.beat(), *map(self._keep, drafts), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException):
                self._runtime.logger.warning("An answer could not be kept; it is tried again.", exc_info=error)

    async def _keep(self, draft: AnswerDraft) -> None:
        if draft.ending is None:
            await draft.store()
        if draft.ending is not None or draft.lost:
            await self._end(draft)

    def forget_room(self, room: str) -> None:
        """There is nothing to write to any more."""
        for id, draft in self.of(room).items():
            draft.lost = True
            del self._drafts[room, id]

    async def settle(self, mark: Mark) -> None:
        """End what another server began and does not write any more: its answer has failed, with what was told of it.

        Nothing happens while that server lives.
        """
        if self.get(mark.room, mark.id) is not None:
            return
        if mark.writer != self._begun.server and await self._begun.lives(mark.writer):
            return
        document = await self._storage.documents.get(topic_of(mark.room), mark.id)
        if document is None:
            if not self._begun.is_young(mark):
                await self._begun.done(mark)
            return
        message = message_of(document)
        pieces = await self._teller.pieces(message)
        if message.answer is not None and message.is_under_way and not message.deleted:
            failed = msgspec.structs.replace(message.answer, state="failed", error=SERVER_ENDED)
            message = msgspec.structs.replace(message, text=pieces.text, answer=failed)
            try:
                message = await change_kept(self._storage, message, message.version)
            except VersionConflict:
                return  # another server was faster
        await self._teller.tell(message)
        await self._teller.forget_pieces(mark.room, pieces.offsets)
        await self._begun.done(mark)

    async def stop(self) -> None:
        """Store nothing by itself any more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
