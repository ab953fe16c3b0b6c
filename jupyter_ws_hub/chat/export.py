"""A room as one document, written piece by piece: Markdown for people, JSON for programs.

What a message says cannot be taken for a part of the document: in Markdown each of its lines stands in a quotation.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from .messages import Attachment, ChatMessage
from .room import Room

PIECE_CHARACTERS: Final = 5_000
"""Of one piece: at most 6 bytes each in JSON, so that it has less than 32 KiB."""

_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")


def _plain(text: str) -> str:
    """A text of one line that means nothing in Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _when(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _LINE_ENDS.split(text))


def _attached(attachment: Attachment) -> str:
    what = f"{attachment.kind} {_plain(attachment.path)}".rstrip()
    if attachment.cell:
        what += f", cell {_plain(attachment.cell)}"
    longest = max((len(run) for run in re.findall(r"`+", attachment.text)), default=0)
    fence = "`" * max(3, longest + 1)
    language = re.sub(r"[^\w+#.-]", "", attachment.language)
    if not attachment.text:
        return f"> Attached: {what}"
    text = _quoted(f"{fence}{language}\n{attachment.text}\n{fence}")
    return f"> Attached: {what}\n>\n{text}"


def _notes(message: ChatMessage) -> Iterable[str]:
    """What is to be known of a message beside its text."""
    if message.author.assistant:
        yield "assistant"
    if message.answer is not None:
        yield f"{message.answer.model}, {message.answer.state}" if message.answer.model else message.answer.state
    if message.edited is not None and not message.deleted:
        yield f"edited by {message.edited_by}" if message.edited_by else "edited"


def _as_markdown(message: ChatMessage) -> str:
    notes = "".join(f", {_plain(note)}" for note in _notes(message))
    head = f"**{_plain(message.author.display_name or message.author.username)}**, {_when(message.time)}{notes}"
    if message.deleted:
        return f"{head}\n\n*This message was deleted.*\n\n"
    body = _quoted(message.text)
    if message.answer is not None and message.answer.error:
        body += f"\n>\n> *{_plain(message.answer.error)}*"
    attached = "".join(f"\n>\n{_attached(attachment)}" for attachment in message.attachments)
    return f"{head}\n\n{body}{attached}\n\n"


async def _markdown(room: Room, messages: AsyncIterator[ChatMessage], now_ms: int) -> AsyncIterator[str]:
    yield f"# {_plain(room.title or room.name)}\n\nExported on {_when(now_ms)}.\n\n"
    async for message in messages:
        yield _as_markdown(message)


async def _json(room: Room, messages: AsyncIterator[ChatMessage], now_ms: int) -> AsyncIterator[str]:
    head = msgspec.json.encode({"room": room, "exported": now_ms}).decode()
    yield f'{head[:-1]},"messages":['
    separator = "\n"
    async for message in messages:
        yield separator + msgspec.json.encode(message).decode()
        separator = ",\n"
    yield "\n]}\n"


async def exported(room: Room, messages: AsyncIterator[ChatMessage], format: str, now_ms: int) -> AsyncIterator[str]:
    """The document in pieces of at most `PIECE_CHARACTERS`; `format` is "markdown" or "json"."""
    waiting: list[str] = []
    size = 0
    async for text in (_json if format == "json" else _markdown)(room, messages, now_ms):
        waiting.append(text)
        size += len(text)
        if size >= PIECE_CHARACTERS:
            joined = "".join(waiting)
            for start in range(0, size - PIECE_CHARACTERS + 1, PIECE_CHARACTERS):
                yield joined[start : start + PIECE_CHARACTERS]
            rest = joined[size - size % PIECE_CHARACTERS :]
            waiting, size = [rest], len(rest)
    if size:
        yield "".join(waiting)
