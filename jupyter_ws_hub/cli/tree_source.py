"""Local directories and small files on their way into a tree's entries and data frames: read ahead in a thread."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from ..protocol.codec import CHUNK_HEADER
from ..protocol.transfer import TREE_FILE_BYTES, DigestName, TreeEntry
from .digest import BlockDigest
from .file_source import frames_for
from .transfer_link import LocalError

BATCH_BYTES: Final = 1024 * 1024
BATCH_ENTRIES: Final = 256
"""Fewer than may be announced: the next ones are on their way while these are settled."""
BATCH_CHARACTERS: Final = 128 * 1024
"""Of their paths; the server takes messages of 1 MiB, and some characters are six times as long in them."""
MS_NS: Final = 1_000_000


class Local(msgspec.Struct, frozen=True):
    """A file or directory of this machine, and its place in the tree: a path with `/`."""

    path: str
    local: Path
    is_directory: bool
    size: int
    mtime_ns: int


class Batch(msgspec.Struct):
    """Entries and their bytes; none at the end."""

    entries: list[TreeEntry]
    frames: list[bytearray]


class TreeSource:
    """The entries of one tree's upload. The methods but the constructor and `close` run in `thread`."""

    def __init__(self, entries: Sequence[Local], digest: DigestName) -> None:
        """Entries in the order in which they go."""
        self.entries = entries
        self.unread: dict[int, str] = {}
        """Why the entries of these numbers could not be read."""
        self.thread = ThreadPoolExecutor(1, "read-ahead")
        self._digest = digest
        self._next = self._byte_offset = 0

    def go_to(self, entry: int, byte_offset: int) -> None:
        """Read on with this entry, whose bytes begin there."""
        self._next, self._byte_offset = entry, byte_offset

    def read(self) -> Batch:
        """The next entries with their bytes."""
        entries: list[TreeEntry] = []
        data = bytearray()
        characters = 0
        while self._next < len(self.entries) and len(entries) < BATCH_ENTRIES and len(data) < BATCH_BYTES:
            characters += len(self.entries[self._next].path)
            if entries and characters > BATCH_CHARACTERS:
                break
            entry, content = self._read_one(self._next, self.entries[self._next])
            entries.append(entry)
            data += content
            self._next += 1
        frames = frames_for(self._byte_offset, len(data))
        self._byte_offset += len(data)
        at = 0
        for frame in frames:
            size = len(frame) - CHUNK_HEADER.size
            frame[CHUNK_HEADER.size :] = data[at : at + size]
            at += size
        return Batch(entries, frames)

    def _read_one(self, number: int, found: Local) -> tuple[TreeEntry, bytes]:
        if found.is_directory:
            return TreeEntry(found.path, type="directory", mtime_ms=found.mtime_ns // MS_NS), b""
        try:
            content, mtime_ns = read_small(found.local)
        except (OSError, LocalError) as error:
            self.unread[number] = str(getattr(error, "strerror", None) or error)
            return TreeEntry(found.path, missing=True), b""
        digest = BlockDigest(self._digest)
        digest.update(content)
        return TreeEntry(found.path, len(content), mtime_ms=mtime_ns // MS_NS, root=digest.root()), content

    def close(self) -> None:
        """End the thread; called from outside it."""
        self.thread.shutdown(cancel_futures=True)


def read_small(path: Path) -> tuple[bytes, int]:
    """The bytes of a small file, and when it was modified.

    Raises:
        LocalError: it has grown, is no plain file, or was written to meanwhile.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise LocalError("it is no plain file any more")
        content = file.read(TREE_FILE_BYTES + 1) or b""
        after = os.fstat(descriptor)
    if len(content) > TREE_FILE_BYTES:
        raise LocalError("it has grown meanwhile; run the command again")
    if len(content) != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise LocalError("it was written to meanwhile; run the command again")
    return content, after.st_mtime_ns
