"""What the server and the process of its local model say to each other: lines of JSON over the process's pipes."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from ..chat.assistant import Turn

MAX_LINE_BYTES: Final = 1024 * 1024
"""Of what the process says; questions may be longer."""


class Setup(msgspec.Struct, frozen=True, tag=True):
    """The first line to the process."""

    model: str
    """Path of a GGUF file."""
    threads: int
    context_tokens: int


class Question(msgspec.Struct, frozen=True, tag=True):
    """To be answered; one at a time."""

    id: int
    turns: list[Turn]
    max_output_tokens: int
    temperature: float
    seed: int | None


class Drop(msgspec.Struct, frozen=True, tag=True):
    """The answer is of no interest any more; `Ended` says when nothing is computed for it."""

    id: int


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Questions are taken."""


class NotLoaded(msgspec.Struct, frozen=True, tag=True):
    """Why none are; the process ends."""

    reason: str


class Text(msgspec.Struct, frozen=True, tag=True):
    """A piece of an answer."""

    id: int
    text: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """An answer has ended, or has failed if there is an `error`."""

    id: int
    reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    error: str = ""
    too_long: bool = False


Order: TypeAlias = Setup | Question | Drop
News: TypeAlias = Loaded | NotLoaded | Text | Ended


def line(message: Order | News) -> bytes:
    """A message as it is written."""
    return msgspec.json.encode(message) + b"\n"
