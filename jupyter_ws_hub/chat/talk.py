"""What is said in the rooms: kept as documents of the collection `chat/<room>`, told on the topic of that name.

It asks nobody for permission; who calls has done so. What was kept is told sooner or later: also where the server died
in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from ..ports import Publish, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import Document, Storage, VersionConflict
from .answers import Answers
from .begun import Begun, Mark
from .draft import AnswerDraft
from .kept import PREFIX, add_kept, change_kept, message_of, messages_of, topic_of, was_deleted
from .messages import ChatMessage
from .teller import Teller, events_of
from .whole import Whole

NEWEST: Final = 50
"""Messages of each room that may be kept and not told when a server dies: more are hardly under way at a time."""
NEWEST_EVENTS: Final = 200
PAGE: Final = 100
PAGE_BYTES: Final = 256 * 1024
"""A page of history has fewer messages where they are long."""
MAX_UNTOLD: Final = 10_000


class FoundMessage(msgspec.Struct, frozen=True):
    """A message in which the words stand, and a piece of it around them."""

    message: ChatMessage
    snippet: str


def _not_found() -> HubError:
    return HubError(Code.NOT_FOUND, "There is no such message in this room.")


def _conflict() -> HubError:
    return HubError(Code.CONFLICT, "The message has changed meanwhile; look at it again.")


def _same(one: ChatMessage, other: ChatMessage) -> bool:
    """Whether two changes of a message are the same one, asked for twice."""
    return (one.text, one.deleted, one.edited_by) == (other.text, other.deleted, other.edited_by)


def _fitting(documents: Iterable[Document]) -> int:
    """How many of these make a page: it is not too big, but has one at least."""
    count = size = 0
    for document in documents:
        size += len(document.data)
        if count and size > PAGE_BYTES:
            break
        count += 1
    return count


async def _as_they_are(documents: Sequence[Document], drafts: Mapping[str, AnswerDraft]) -> list[ChatMessage]:
    """Messages as they were kept; answers that are being written as they are now."""
    return [drafts[m.id].message if m.id in drafts else m for m in await messages_of(documents)]


class Talk:
    """Messages of all rooms."""

    def __init__(self, storage: Storage, publish: Publish, runtime: Runtime) -> None:
        """Keep in `storage`, tell by `publish`."""
        self._storage, self._runtime = storage, runtime
        self._teller = Teller(storage, publish)
        self._begun = Begun(storage, runtime)
        self._answers = Answers(storage, self._teller, self._begun, runtime)
        self._whole = Whole(runtime.logger)
        self._locks: dict[str, asyncio.Lock] = {}
        self._untold: dict[tuple[str, str], None] = {}
        """Messages that are kept, and that the log did not take."""

    async def start(self, rooms: Collection[str]) -> None:
        """Tell of what a server that died had kept and not told; answers that it left unfinished have failed."""
        for collection in await self._storage.documents.collections():
            room = collection.removeprefix(PREFIX)
            if collection.startswith(PREFIX) and room not in rooms and await was_deleted(self._storage, room):
                await self.delete_room(room)
        await self._settle_all()
        for room in rooms:
            await self._tell_newest(room)

    async def _tell_newest(self, room: str) -> None:
        topic = topic_of(room)
        documents = await self._storage.documents.page_back(topic, None, NEWEST)
        told = {record.id for record in await self._storage.log.read_back(topic, None, NEWEST_EVENTS)}
        for message in await messages_of(documents):
            if events_of(message)[-1].id not in told:
                await self._teller.tell(message)

    async def sweep(self) -> None:
        """Go on with what could not be ended, here or by a server that has died; to be called every few seconds."""
        for room, id in list(self._untold):
            document = await self._storage.documents.get(topic_of(room), id)
            if document is not None:
                await self._teller.tell(message_of(document))
            self._untold.pop((room, id), None)
        await self._settle_all()

    async def _settle_all(self) -> None:
        for mark in await self._begun.left():
            await self._whole.do(self._answers.settle(mark) if mark.writer else self._settle(mark))

    async def stop(self) -> None:
        """Wait for what is under way; answers can be finished afterwards, too."""
        await self._answers.stop()
        await self._whole.ended()

    async def get(self, room: str, id: str) -> ChatMessage:
        """A message as it is now, with what an answer has so far; `not_found` if there is none."""
        found = await self.find(room, id)
        if found is None:
            raise _not_found()
        return found

    async def find(self, room: str, id: str) -> ChatMessage | None:
        """The same; None if there is none."""
        draft = self._answers.get(room, id)
        if draft is not None:
            return draft.message
        document = await self._storage.documents.get(topic_of(room), id)
        return None if document is None else message_of(document)

    async def history(self, room: str, before: int | None, limit: int) -> Sequence[ChatMessage]:
        """The last `limit` messages with a `seq` below `before`, oldest first, answers with what they have so far.

        They are fewer where they are long, but never none that way.
        """
        drafts = self._answers.of(room)
        documents = await self._storage.documents.page_back(topic_of(room), before, limit)
        kept = documents[len(documents) - _fitting(reversed(documents)) :]
        return await _as_they_are(kept, drafts)

    async def later(self, room: str, after: int, limit: int) -> tuple[Sequence[ChatMessage], bool]:
        """The first `limit` messages with a `seq` above `after`, oldest first, as `history` has them.

        And whether there are newer ones than these.
        """
        drafts = self._answers.of(room)
        documents = await self._storage.documents.page(topic_of(room), max(after, 0), limit + 1)
        kept = documents[: min(_fitting(documents), limit)]
        return await _as_they_are(kept, drafts), len(kept) < len(documents)

    async def post(self, message: ChatMessage) -> tuple[ChatMessage, bool]:
        """Keep a new message and tell of it; where its id is known, that message and False."""
        return await self._whole.do(self._post(message))

    async def _post(self, message: ChatMessage) -> tuple[ChatMessage, bool]:
        async with self._lock(message.room):
            kept, added = await add_kept(self._storage, message)
            # It is in line from here on: messages are told in the order in which they are kept.
            telling = asyncio.create_task(self._teller.tell(kept))
        try:
            await telling
        except HubError:
            if len(self._untold) < MAX_UNTOLD:
                self._untold[kept.room, kept.id] = None
            raise
        return (kept if added else await self.get(kept.room, kept.id)), added

    def _lock(self, room: str) -> asyncio.Lock:
        return self._locks.setdefault(room, asyncio.Lock())

    async def change(self, message: ChatMessage) -> ChatMessage:
        """Keep a message that was edited or deleted and tell of it; `conflict` if its `version` is not the newest.

        What it said before is not replayed any more.
        """
        return await self._whole.do(self._change(message))

    async def _change(self, message: ChatMessage) -> ChatMessage:
        if self._answers.get(message.room, message.id) is not None:
            raise HubError(Code.CONFLICT, "This answer is still being written; stop it first.")
        document = await self._storage.documents.get(topic_of(message.room), message.id)
        if document is None:
            raise _not_found()
        kept = message_of(document)
        if kept.version == message.version + 1 and _same(kept, message):
            await self._settle_message(kept)
            return kept
        if kept.version != message.version:
            raise _conflict()
        before = [event.id for event in events_of(kept)]
        mark = Mark(message.room, message.id, kept.version, self._runtime.now_ms(), before)
        await self._begun.put(mark)
        try:
            changed = await change_kept(self._storage, message, kept.version)
        except VersionConflict:
            raise _conflict() from None
        await self._settle(mark)
        return changed

    async def _settle_message(self, message: ChatMessage) -> None:
        for mark in await self._begun.all(message.room):
            if mark.id == message.id and not mark.writer:
                await self._settle(mark)

    async def _settle(self, mark: Mark) -> None:
        """Tell of a change, if it was made."""
        document = await self._storage.documents.get(topic_of(mark.room), mark.id)
        if document is not None and document.version > mark.version:
            await self._teller.tell_instead(message_of(document), mark.before)
        elif document is not None and self._begun.is_young(mark):
            return
        await self._begun.done(mark)

    async def begin_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep an answer that has no text yet, and tell of it (`message.started`); where its id is known, give that."""
        return await self._whole.do(self._begin(message))

    async def _begin(self, message: ChatMessage) -> ChatMessage:
        known = await self.find(message.room, message.id)
        if known is not None:
            return known
        await self._answers.announce(message)
        async with self._lock(message.room):
            kept, added = await add_kept(self._storage, message)
            if not added:
                return kept
            self._answers.begin(kept)
            telling = asyncio.create_task(self._teller.tell(kept))
        try:
            await telling
        except HubError as error:
            assert kept.answer is not None
            failed = msgspec.structs.replace(kept.answer, state="failed", error=error.message)
            with suppress(HubError):  # the caller is told of the same; it is tried again
                await self._answers.finish(msgspec.structs.replace(kept, answer=failed))
            raise
        return kept

    async def add_to_answer(self, message: ChatMessage, text: str) -> ChatMessage:
        """Tell of a piece of an answer (`message.delta`); give the answer with it.

        It is in `get` and `history` at once, and in the store within about a second. Raises `conflict` where the
        answer was ended or deleted.
        """
        return await self._answers.add(message.room, message.id, text)

    async def finish_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep an answer as it ended, tell of it (`message.finished`), and let go of its pieces in the log.

        One that somebody else has ended or deleted is given as it is.
        """
        return await self._whole.do(self._answers.finish(message))

    async def search(self, words: Sequence[str], rooms: Collection[str], limit: int, skip: int) -> list[FoundMessage]:
        """The newest messages in which all words stand."""
        hits = await self._storage.documents.search(words, [topic_of(room) for room in rooms], limit, skip)
        messages = await messages_of([hit.document for hit in hits])
        return [FoundMessage(message, hit.snippet) for message, hit in zip(messages, hits, strict=True)]

    async def everything(self, room: str) -> AsyncIterator[ChatMessage]:
        """All messages of a room, oldest first."""
        after = 0
        while True:
            drafts = self._answers.of(room)
            documents = await self._storage.documents.page(topic_of(room), after, PAGE)
            if not documents:
                return
            after = documents[-1].seq
            for message in await _as_they_are(documents, drafts):
                yield message

    async def delete_room(self, room: str) -> None:
        """Forget all that was said in a room."""
        self._answers.forget_room(room)
        await self._storage.documents.drop(topic_of(room))
        await self._teller.forget_room(room, self._runtime.now_ms())
        for mark in await self._begun.all(room):
            await self._begun.done(mark)
        self._locks.pop(room, None)
