"""What people might have said in a chat: sentences of words of which few are frequent and most are rare."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final

WORDS: Final = 20_000
SEED: Final = 6
SENTENCE: Final = (3, 40)
SYLLABLES: Final = [f"{consonant}{vowel}" for consonant in "bcdfghklmnprstvw" for vowel in ("a", "e", "i", "o", "u")]


def vocabulary() -> list[str]:
    """Different words of two to four syllables, the most frequent one first."""
    chance = random.Random(SEED)
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(words)


def sentences(seed: int) -> Iterator[str]:
    """Sentences without end; a word of rank n comes up with a frequency in proportion to 1/n, as in any language."""
    chance, words = random.Random(seed), vocabulary()
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    while True:
        yield " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(*SENTENCE))).capitalize() + "."
