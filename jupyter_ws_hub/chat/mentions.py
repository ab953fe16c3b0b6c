"""Who is mentioned in a text: `@name`, but not in code and not in what is quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_MENTIONS: Final = 20
MAX_NAME_CHARACTERS: Final = 64

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_TICKS: Final = re.compile(r"(`+)")
_NAME: Final = re.compile(r"(?<![\w@./`-])@(\w(?:[\w.@-]{0,62}\w)?)")
"""A name has letters, digits, and in between also . @ and - as addresses have; what stands before it is none of it."""


def _without_code(line: str) -> str:
    """A line without what stands between two runs of backticks of one length."""
    parts = _TICKS.split(line)  # each second one is a run
    runs: dict[int, list[int]] = {}
    for index in range(len(parts) - 2, 0, -2):
        runs.setdefault(len(parts[index]), []).append(index)
    kept: list[str] = []
    index = 0
    while index < len(parts):
        if index % 2:
            same = runs[len(parts[index])]
            while same and same[-1] <= index:
                same.pop()
            index = same[-1] if same else index
            kept.append(" ")
        else:
            kept.append(parts[index])
        index += 1
    return "".join(kept)


def _prose(text: str) -> str:
    """A Markdown text without its code and its quotations."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closes else fence
        elif mark is not None:
            fence = mark[1]
        elif not line.lstrip().startswith(">"):
            lines.append(_without_code(line))
    return "\n".join(lines)


def mentions_in(text: str, assistants: Iterable[str]) -> list[str]:
    """The names that are mentioned, each once, in order; those of assistants as they are written by themselves."""
    if "@" not in text:
        return []
    known = {name.casefold(): name for name in assistants}
    found = (known.get(name.casefold(), name) for name in _NAME.findall(_prose(text)))
    return list(dict.fromkeys(found))[:MAX_MENTIONS]
