"""How a message stands in the store: a document of its room's collection, found by its text.

Its place and its version are the document's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from ..storage.base import Document, Storage
from .messages import ChatMessage
from .room import GONE_KEY, ROOM_KEY

PREFIX: Final = "chat/"
BREATHE_BYTES: Final = 64 * 1024
"""After so much has been decoded others get their turn."""


def topic_of(room: str) -> str:
    """The topic on which a room's messages are told, and the collection in which they are kept."""
    return f"{PREFIX}{room}"


def data_of(message: ChatMessage) -> bytes:
    """What is kept of a message."""
    return msgspec.json.encode(msgspec.structs.replace(message, seq=0, version=1))


def searched(message: ChatMessage) -> str:
    """By what it is found; a deleted message by nothing."""
    return "" if message.deleted else message.text


async def was_deleted(storage: Storage, room: str) -> bool:
    """Whether somebody has deleted a room. That it cannot be found is not enough to remove what was said in it."""
    values = storage.values
    return await values.get(f"{ROOM_KEY}{room}") is None and await values.get(f"{GONE_KEY}{room}") is not None


def message_of(document: Document) -> ChatMessage:
    """A message as it was kept."""
    return _as_kept(msgspec.json.decode(document.data, type=ChatMessage), document)


def _as_kept(message: ChatMessage, document: Document) -> ChatMessage:
    """A message with the place and the version that the store has given it."""
    return msgspec.structs.replace(message, seq=document.seq, version=document.version)


async def add_kept(storage: Storage, message: ChatMessage) -> tuple[ChatMessage, bool]:
    """Keep a new message; where its id is known, that one is given, and False."""
    document, added = await storage.documents.add(
        topic_of(message.room), message.id, message.time, data_of(message), searched(message)
    )
    return (_as_kept(message, document), True) if added else (message_of(document), False)


async def change_kept(storage: Storage, message: ChatMessage, expect: int) -> ChatMessage:
    """Keep a message that is there in version `expect` as it is now; raises VersionConflict."""
    document = await storage.documents.change(
        topic_of(message.room), message.id, data_of(message), searched(message), expect=expect
    )
    return _as_kept(message, document)


async def messages_of(documents: Sequence[Document]) -> list[ChatMessage]:
    """Many messages, in steps that leave the event loop free."""
    found: list[ChatMessage] = []
    size = 0
    for document in documents:
        found.append(message_of(document))
        size += len(document.data) + 500
        if size > BREATHE_BYTES:
            size = 0
            await asyncio.sleep(0)
    return found
