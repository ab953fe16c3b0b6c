"""Words in texts: what counts as the same, whether some stand in a text, and the piece of the text where they do.

Letters and digits make words, case and accents do not count. Chinese and Japanese are written without spaces, so
each of their characters is a word: what is looked for may then begin anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

BEFORE: Final = 40
"""So many characters of a snippet stand before the word that was found."""
SNIPPET_CHARACTERS: Final = 160

_ACCENTS: Final = "[\u0300-\u036f]"
_BETWEEN: Final = r"[\W_]+"
_ALONE: Final = "([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
"""Kana and ideographs."""


def folded(text: str) -> str:
    """A text without case and accents, as it is compared."""
    plain = re.sub(f"{_ACCENTS}+", "", unicodedata.normalize("NFD", text.casefold()))
    return unicodedata.normalize("NFC", plain)


def words_of(text: str) -> list[str]:
    """The words of a text, folded: runs of letters and digits."""
    apart = re.sub(_BETWEEN, " ", folded(text))
    return (apart if apart.isascii() else re.sub(_ALONE, r" \1 ", apart)).split()


def askable(words: Sequence[str]) -> list[str]:
    """Those of the words in which there is a letter or a digit: others cannot be found."""
    return [word for word in words if words_of(word)]


class Wanted:
    """What is looked for: each word, and what begins with the last one. A word with others in it means all in a row."""

    def __init__(self, words: Sequence[str]) -> None:
        """`words` are askable, at least one."""
        runs = [f" {' '.join(words_of(word))}" for word in words]
        self._parts = [f"{run} " for run in runs[:-1]] + runs[-1:]

    def stand_in(self, spaced: str) -> bool:
        """Whether they stand in a text that was given to `spaced`."""
        return all(part in spaced for part in self._parts)


def spaced(text: str) -> str:
    """A text's words, folded, with one space before and behind each."""
    return f" {' '.join(words_of(text))} "


def _place(word: str, plain: str) -> int | None:
    """Where a word begins in a text of decomposed characters; anywhere if no word begins so."""
    letters = re.sub(_BETWEEN, " ", unicodedata.normalize("NFD", folded(word))).strip()
    pattern = f"{_ACCENTS}*".join(rf"{_BETWEEN}" if letter == " " else re.escape(letter) for letter in letters)
    begin = "" if re.match(_ALONE, letters) else r"(?<![^\W_])"
    found = re.search(f"{begin}{pattern}", plain, re.IGNORECASE)
    return found.start() if found else None


def snippet(words: Sequence[str], text: str) -> str:
    """A piece of the text around the first of the words, in one line."""
    plain = unicodedata.normalize("NFD", text)
    places = [place for word in askable(words) if (place := _place(word, plain)) is not None]
    start = max(0, min(places, default=0) - BEFORE)
    end = start + SNIPPET_CHARACTERS
    piece = " ".join(unicodedata.normalize("NFC", plain[start:end]).split())
    return f"{'…' * (start > 0)}{piece}{'…' * (end < len(plain))}"
