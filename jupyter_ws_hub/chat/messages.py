"""What a message is, on the wire and in the store.

Times are milliseconds since 1970-01-01 UTC, by the server's clock.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

MAX_TEXT_CHARACTERS: Final = 20_000
MAX_ANSWER_CHARACTERS: Final = 100_000
MAX_ATTACHMENTS: Final = 10
MAX_SELECTION_CHARACTERS: Final = 20_000
MAX_ATTACHED_CHARACTERS: Final = 40_000
"""Of all selections of a message."""

MessageId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^:]*$")]
"""A client's own random id of a message, without a colon: sent twice, it stands there once."""

AnswerState = Literal["writing", "done", "stopped", "failed"]


class Author(msgspec.Struct, frozen=True):
    """Who wrote a message: the authenticated user of the request, always; or an assistant, by its reserved name."""

    username: str
    display_name: str
    assistant: bool = False


class Attachment(msgspec.Struct, frozen=True):
    """What belongs to a message: a file, a notebook, a cell of one with its output, or a piece of text.

    Only the reference stands in the message; what it refers to is read with the asker's permission when an assistant
    is asked. A selection brings its text along.
    """

    kind: Literal["file", "notebook", "cell", "selection"]
    path: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """API path; of a selection: of the file it is from, which may be empty."""
    cell: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """The cell's id in its notebook."""
    text: Annotated[str, msgspec.Meta(max_length=MAX_SELECTION_CHARACTERS)] = ""
    language: Annotated[str, msgspec.Meta(max_length=40)] = ""


class TokenUsage(msgspec.Struct, frozen=True):
    """What an answer took, as the model's provider says."""

    input_tokens: int
    output_tokens: int


class Answer(msgspec.Struct, frozen=True):
    """What makes a message an assistant's answer."""

    state: AnswerState
    to: str
    """Id of the message that was answered."""
    asked_by: str
    """Username of who asked: who may stop it."""
    model: str = ""
    reason: str = ""
    """Why the model ended, as its provider says: stop, length, …"""
    error: str = ""
    """What went wrong, for a person."""
    retry_after_ms: int | None = None
    usage: TokenUsage | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    """A message in a room, as it is now.

    `seq` is its place in the room, 1, 2, 3 …; `version` rises with each change of it, so of two states the one with
    the higher version is the newer one.
    """

    id: str
    room: str
    author: Author
    text: str
    time: int
    seq: int = 0
    version: int = 1
    edited: int | None = None
    edited_by: str = ""
    deleted: bool = False
    """Its text is gone; its place stays."""
    reply_to: str = ""
    mentions: list[str] = []
    """Usernames, of people and of assistants."""
    attachments: list[Attachment] = []
    answer: Answer | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it is an answer that an assistant still writes."""
        return self.answer is not None and self.answer.state == "writing"


class MessageStarted(msgspec.Struct, frozen=True):
    """An assistant begins to answer; its text grows by deltas."""

    message: ChatMessage


class MessageDelta(msgspec.Struct, frozen=True):
    """A piece of an answer.

    `at` is where it goes: the number of UTF-16 code units before it (a JavaScript string's length). It is applied
    iff the text has that length; below, it is there already; above, `chat.message` gives what was missed.
    """

    message: str
    at: int
    text: str


class MessageFinished(msgspec.Struct, frozen=True):
    """An answer is complete: the message has the whole text, `length` is its number of UTF-16 code units."""

    message: ChatMessage
    length: int


class MessageChanged(msgspec.Struct, frozen=True):
    """A message was edited or deleted."""

    message: ChatMessage


def utf16_length(text: str) -> int:
    """The number of UTF-16 code units of a text: what JavaScript calls its length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
