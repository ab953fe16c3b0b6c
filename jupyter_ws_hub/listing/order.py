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
from itertools import repeat
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


def keys(names: Sequence[str]) -> list[str]:
    """For each name a string that sorts as the name should; `name_of` gives the name back."""
    if not names:
        return []
    blob = SEPARATOR.join(names)
    folded = blob if blob.isascii() else SEPARATOR.join(map(_folded, names))
    parts = _at_numbers(folded)
    digits = parts[1::2]
    width = min(_MAX_DIGITS, max(map(len, digits), default=0))
    parts[1::2] = map(str.zfill, digits, repeat(width))
    primary = "".join(parts).split(SEPARATOR)
    return list(map("\0".join, zip(primary, blob.translate(_SWAPPED).split(SEPARATOR), strict=True)))


def _at_numbers(text: str) -> list[str]:
    """What stands between its numbers, as weights, and the numbers, in turn; begins and ends with the former."""
    if not text.isascii():
        return _NUMBER.split(text.translate(_WEIGHTS))
    # Half as long as by a regular expression. With separators around it there is something before and after numbers.
    between = list(filter(None, f"{SEPARATOR}{text}{SEPARATOR}".translate(_ONE_DIGIT).split("0")))
    between[0] = between[0][1:]
    between[-1] = between[-1][:-1]
    parts = [""] * (2 * len(between) - 1)
    parts[::2], parts[1::2] = between, text.translate(_ONLY_DIGITS).split()
    return parts


def name_of(key: str) -> str:
    """The name that a key was made of."""
    return key[key.index("\0") + 1 :].translate(_SWAPPED)


class Sorted:
    """Keys in their order; the first ones are known before all are sorted."""

    def __init__(self, groups: Iterable[list[str]], descending: bool) -> None:
        """`groups` follow each other; each is sorted by itself. Takes the lists."""
        self._groups = [(group, False) for group in groups if group]
        self._descending = descending
        self.total = sum(len(group) for group, _ in self._groups)

    def slice(self, first: int, limit: int) -> list[str]:
        """Keys from number `first` on."""
        found: list[str] = []
        for number, (group, is_sorted) in enumerate(self._groups):
            wanted = limit - len(found)
            if wanted <= 0:
                break
            if first >= len(group):
                first -= len(group)
                continue
            if not is_sorted:
                if first == 0 and (head := self._head(group, wanted)):
                    return found + head
                group.sort(reverse=self._descending)
                self._groups[number] = (group, True)
            found += group[first : first + wanted]
            first = 0
        return found

    def _head(self, group: list[str], wanted: int) -> list[str] | None:
        """The first ones, if a sample tells where they are: looking through all is much faster than sorting all."""
        if len(group) < 10 * SAMPLE or wanted > len(group) // 50:
            return None
        step = len(group) // SAMPLE
        sample = sorted(group[::step], reverse=self._descending)
        pivot = sample[min(len(sample) - 1, 2 * wanted // step + 10)]
        if self._descending:
            head = [key for key in group if key > pivot]
        else:
            head = [key for key in group if key < pivot]
        if len(head) < wanted:
            return None
        head.sort(reverse=self._descending)
        return head[:wanted]
