"""What has come of an answer and was not told yet: made clean, counted, and given in pieces that fit into an event.

Pure.
"""

from __future__ import annotations

import re
from typing import Final

MAX_PIECE_CHARACTERS: Final = 16_000
"""An event of the hub has at most 512 KiB, and a character has at most six bytes of JSON."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    """A text with the two halves of each character joined, and halves that are alone replaced."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Gathered:
    """The text of one answer on its way from the model to the room."""

    def __init__(self, max_characters: int) -> None:
        """Take at most `max_characters` in all."""
        self._left = max_characters
        self._parts: list[str] = []

    def add(self, text: str) -> bool:
        """Take a piece, without control characters; False if not all of it had room."""
        fits = len(text) <= self._left
        part = _CONTROL.sub("", text[: self._left])
        if part:
            self._left -= len(part)
            self._parts.append(part)
        return fits

    def take(self, *, last: bool = False) -> str:
        """What is to be told next, "" if there is nothing.

        Some providers cut a character into halves: a half at the end waits for the other one, unless it is the `last`.
        """
        text = "".join(self._parts)
        half = "" if last or not "\ud800" <= text[-1:] <= "\udbff" else text[-1]
        text = whole_characters(text[: len(text) - len(half)])
        rest = text[MAX_PIECE_CHARACTERS:] + half
        self._parts = [rest] if rest else []
        return text[:MAX_PIECE_CHARACTERS]
