"""The files of a directory, one behind the other, and how they are announced."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from ..protocol.transfer import TreeEntries, TreeEntry
from .source import FileSource, split
from .walk import Member, etag_of

BATCH_ENTRIES: Final = 256
BATCH_CHARACTERS: Final = 32 * 1024
"""Of names, in one message of entries."""


class TreeSource:
    """All files of a directory as one sequence of bytes, in the order of its members."""

    def __init__(self, place: Path, path: str, members: list[Member]) -> None:
        """`path` is the API path of `place`, for messages. Opens nothing yet."""
        self._place, self._path = place, path
        self.members: Sequence[Member] = members
        self._files = [member for member in members if member.size]
        self._ends = list(accumulate(member.size for member in self._files))
        self.size = self._ends[-1] if self._ends else 0
        self.etag = etag_of(members, "tree")
        self._open: FileSource | None = None
        self._number = self._at = 0

    def seek(self, byte_offset: int) -> int:
        """See Source."""
        self.close()
        self._at = byte_offset
        self._number = bisect_right(self._ends, byte_offset)
        return byte_offset

    def read_into(self, views: Sequence[memoryview]) -> None:
        """See Source."""
        left, wanted = list(views), sum(map(len, views))
        while wanted:
            file = self._current()
            count = min(wanted, self._ends[self._number] - self._at)
            now, left = split(left, count)
            file.read_into(now)
            self._at += count
            wanted -= count
            if self._at == self._ends[self._number]:
                file.check()
                self.close()
                self._number += 1

    def _current(self) -> FileSource:
        if self._open is None:
            member = self._files[self._number]
            self._open = FileSource(self._place / member.path, f"{self._path}/{member.path}", member.validator)
            self._open.seek(self._at - (self._ends[self._number] - member.size))
        return self._open

    def check(self) -> None:
        """See Source: each file was checked when its last byte was read."""

    def close(self) -> None:
        """See Source."""
        if self._open is not None:
            self._open.close()
            self._open = None


class Announcer:
    """Tells of a tree's entries before their bytes go out, and not much earlier."""

    def __init__(self, members: Sequence[Member], first: int) -> None:
        """The client knows the `first` ones."""
        self._members = members
        self.next = first
        self._end = sum(member.size for member in members[:first])

    def due(self, byte_offset: int, is_all: bool) -> TreeEntries | None:
        """The next entries that must be told before the bytes up to `byte_offset`; with `is_all` before the end."""
        if self.next == len(self._members) or (self._end >= byte_offset and not is_all):
            return None
        first, characters = self.next, 0
        entries: list[TreeEntry] = []
        while self.next < len(self._members) and len(entries) < BATCH_ENTRIES and characters < BATCH_CHARACTERS:
            member = self._members[self.next]
            entries.append(
                TreeEntry(
                    member.path,
                    member.size,
                    "directory" if member.validator is None else "file",
                    member.mtime_ns // 1_000_000,
                )
            )
            characters += len(member.path)
            self._end += member.size
            self.next += 1
        return TreeEntries(first, entries)
