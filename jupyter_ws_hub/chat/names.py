"""Names that people could take for others: which look alike, and how they are shown so that nobody is deceived.

An assistant's name is its own. A person whose name looks like it is shown as a person; a room's title that looks like
another room's is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

MAX_NAME_CHARACTERS: Final = 100
A_PERSON: Final = "(a person)"

_LATIN: Final = {
    "a": "430 251 3b1",
    "b": "44c 432",
    "c": "441 3f2 1d04",
    "d": "501 257 256",
    "e": "435 4bd 3b5 25b 44d",
    "f": "192 3dd",
    "g": "261 581 262",
    "h": "4bb 570 43d",
    "j": "458 3f3",
    "k": "43a 3ba 1d0b",
    "l": "69 31 7c 21 456 131 269 3b9 4cf 142 26a 29f 5d5",
    "m": "43c 1d0d",
    "n": "578 57c 3b7 43f",
    "o": "30 43e 3bf 3c3 585 d20 a66 966 e50 ed0 1d0f f8",
    "p": "440 3c1",
    "q": "51b 563 566",
    "r": "433 1d26",
    "s": "455 a731 1bd 35 24",
    "t": "442 3c4 1d1b",
    "u": "3c5 57d 446 1d1c 28b",
    "v": "3bd 475 1d20 5d8",
    "w": "461 51d 561 3c9 1d21",
    "x": "445 3c7",
    "y": "443 4af 3b3 10e7 28f",
    "z": "1d22 290",
}
"""Code points beside the Latin letter that they look like, after folding: those of Unicode's confusables.txt (UTS 39)
that are in the fonts people have. A class may be larger than it must: l, i and 1 are one."""

_FOLD: Final = {int(odd, 16): plain for plain, odds in _LATIN.items() for odd in odds.split()}
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Mn", "Me", "Zl", "Zp"})
"""Categories of what is not seen, or changes what stands beside it."""
_BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and signs that are seen as nothing."""


def _without_unseen(text: str, keep: frozenset[str] = frozenset()) -> str:
    return "".join(c for c in text if c not in _BLANK and (unicodedata.category(c) not in _UNSEEN - keep))


def skeleton(name: str) -> str:
    """What a name looks like: two with the same skeleton can be taken for each other.

    Case, accents, width, separators and what is not seen do not count, nor do letters of other scripts of one shape.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    letters = _without_unseen(folded).translate(_FOLD)
    return "".join(c for c in letters if c.isalnum()).replace("rn", "m").replace("vv", "w")


def looks_like(one: str, other: str) -> bool:
    """Whether two names can be taken for each other."""
    return skeleton(one) == skeleton(other) != ""


def clean(name: str) -> str:
    """A name of one line without what is not seen, such as what turns the direction of writing."""
    composed = unicodedata.normalize("NFC", "".join(" " if c.isspace() else c for c in name))
    return " ".join(_without_unseen(composed, frozenset({"Mn", "Me"})).split())[:MAX_NAME_CHARACTERS]


def clean_title(title: str) -> str:
    """A room's title as it is kept; "" if nothing of it is seen."""
    return clean(title)


def shown_name(username: str, display_name: str, reserved: Iterable[str]) -> str:
    """How a person is shown; one whose name looks like a `reserved` one, as a person."""
    name = clean(display_name) or clean(username) or "?"
    taken = {skeleton(one) for one in reserved}
    return f"{name} {A_PERSON}" if {skeleton(name), skeleton(username)} & taken else name
