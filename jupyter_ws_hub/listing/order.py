"""The order of names: as `localeCompare(…, {numeric: true})` has it, for a hundred thousand of them in no time.

All names go through each step together, as one string: the steps run in C, one call each, instead of one per name.

For names of ASCII characters the order is that of the Unicode collation (CLDR root) with numbers by their value: marks
before digits before letters, case only where all else is equal, small letters first. It differs for control
characters, for numbers of more than 20 digits, and where names are equal but for leading zeros (any order there, a
certain one here). Other letters sort by their base letter, else by code point: not by the rules of a language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from typing import Final

_MARKS: Final = " _-,;:!?.'\"()[]{}@*\\&#%`^+<=>|~$"
_FIRST_MARK: Final = 0x0E
_MAX_DIGITS: Final = 20
_NUMBER: Final = re.compile("([0-9]+)")
_SWAPPED: Final = "".join(chr(code).swapcase() for code in range(128))

SEPARATOR: Final = "/"
"""No name has it; it keeps its place in both tables."""

SAMPLE: Final = 1000


def _weight(character: str) -> str:
    if character in _MARKS:
        return chr(_FIRST_MARK + _MARKS.index(character))
    return character.lower() if character >= SEPARATOR else chr(1 + ord(character) % (_FIRST_MARK - 1))


_WEIGHTS: Final = "".join(_weight(chr(code)) for code in range(128))
_ONE_DIGIT: Final = "".join("0" if chr(code).isdigit() else _WEIGHTS[code] for code in range(128))
_ONLY_DIGITS: Final = "".join(chr(code) if chr(code).isdigit() else " " for code in range(128))


def _folded(name: str) -> str:
    """A name's base letters, for names that are not ASCII."""
    if name.isascii():
        return name
    import unicodedata  # is seldom needed

    return "".join(
        c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c) and c != SEPARATOR
    )


def ranks(names: Sequence[str]) -> list[str]:
    """For each name what it is sorted by first, among these names: case and accents make no difference in it."""
    if not names:
        return []
    blob = SEPARATOR.join(names)
    parts = _at_numbers(blob if blob.isascii() else SEPARATOR.join(map(_folded, names)))
    digits = parts[1::2]
    width = min(_MAX_DIGITS, max(map(len, digits), default=0))
    parts[1::2] = map(str.zfill, digits, repeat(width))
    return "".join(parts).split(SEPARATOR)


def keys(names: Sequence[str]) -> list[str]:
    """For each name a string that sorts, among these, as the name should; `name_of` gives the name back."""
    return _keys(ranks(names), names)


def _keys(ranks: Sequence[str], names: Sequence[str]) -> list[str]:
    swapped = SEPARATOR.join(names).translate(_SWAPPED).split(SEPARATOR) if names else []
    return list(map("\0".join, zip(ranks, swapped, strict=True)))


def _at_numbers(text: str) -> list[str]:
    """What stands between its numbers, as weights, and the numbers, in turn; begins and ends with the former."""
    if not text.isascii():
        return _NUMBER.split(text.translate(_WEIGHTS))
    # Faster than a regular expression by a fifth. With separators around it something is before and after numbers.
    between = list(filter(None, f"{SEPARATOR}{text}{SEPARATOR}".translate(_ONE_DIGIT).split("0")))
    between[0] = between[0][1:]
    between[-1] = between[-1][:-1]
    parts = [""] * (2 * len(between) - 1)
    parts[::2], parts[1::2] = between, text.translate(_ONLY_DIGITS).split()
    return parts


def name_of(key: str) -> str:
    """The name that a key was made of."""
    return key[key.index("\0") + 1 :].translate(_SWAPPED)


class Group:
    """Names that are sorted among each other; the first ones are known before all are sorted."""

    def __init__(self, names: list[str], ranks: list[str], descending: bool) -> None:
        """`ranks` are what the names are sorted by first. Takes the lists."""
        self._names = names
        self._ranks = ranks
        self._descending = descending
        self._sorted: list[str] | None = None
        self.total = len(names)

    def slice(self, first: int, limit: int) -> list[str]:
        """Names from number `first` on."""
        if self._sorted is None:
            if first == 0 and (head := self._head(limit)):
                return head
            self._sorted = self._in_order(self._ranks, self._names)
            self._ranks, self._names = [], []
        return list(map(name_of, self._sorted[first : first + limit]))

    def _in_order(self, ranks: Sequence[str], names: Sequence[str]) -> list[str]:
        return sorted(_keys(ranks, names), reverse=self._descending)

    def _head(self, wanted: int) -> list[str] | None:
        """The first ones, if a sample tells where they are: looking through all is much faster than sorting all."""
        if self.total < 10 * SAMPLE or wanted > self.total // 50:
            return None
        step = self.total // SAMPLE
        sample = sorted(self._ranks[::step], reverse=self._descending)
        pivot = sample[min(len(sample) - 1, 2 * wanted // step + 10)]
        if self._descending:
            may_be = [rank > pivot for rank in self._ranks]
        else:
            may_be = [rank < pivot for rank in self._ranks]
        ranks = list(compress(self._ranks, may_be))
        if len(ranks) < wanted:
            return None
        names = list(compress(self._names, may_be))
        return list(map(name_of, self._in_order(ranks, names)[:wanted]))


class Sorted:
    """Groups of names that follow each other."""

    def __init__(self, groups: Iterable[Group]) -> None:
        """None of them is sorted yet."""
        self._groups = list(groups)
        self.total = sum(group.total for group in self._groups)

    def slice(self, first: int, limit: int) -> list[str]:
        """Names from number `first` on."""
        found: list[str] = []
        for group in self._groups:
            wanted = limit - len(found)
            if wanted <= 0:
                break
            if first < group.total:
                found += group.slice(first, wanted)
            first = max(0, first - group.total)
        return found
