"""Where the entries of a downloaded tree go: a folder of their own beside the target, put in place when all is right.

A list of what has begun lies in it, too: a command that is run again goes on from there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from ..protocol.transfer import DigestName, IfExists, TreeEntry
from ..protocol.transfer_client_tree import Part
from .digest import BlockDigest
from .file_sink import HASH_BYTES
from .local_paths import make_folders, publish, safe_parts
from .transfer_command import EXISTS
from .transfer_link import LocalError
from .upload_plan import Failure

LIST: Final = "entries"
TREE: Final = "tree"
MS_NS: Final = 1_000_000
GENERAL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})
"""With these no other entry can be written either."""


class Begun(msgspec.Struct):
    """How far a tree has come: bytes of all, whole entries, and bytes of the one that is not whole."""

    byte_offset: int = 0
    entries: int = 0
    inside: int = 0


class TreeSink:
    """One tree. All methods but the constructor and `close` run in `thread`."""

    def __init__(self, folder: Path, digest: DigestName) -> None:
        """`folder` is made where it does not exist, and belongs to this alone."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._tree = folder / TREE
        self._tree.mkdir(exist_ok=True)
        self._list = open(folder / LIST, "ab+")
        self._digest = BlockDigest(digest)
        self._fd: int | None = None
        self.failures: dict[str, str] = {}
        """Why entries of these paths are not there."""
        self.thread = ThreadPoolExecutor(1, "write-behind")

    def go_on(self, size: int) -> Begun:
        """Digest what is there of a tree of so many bytes; what does not fit is forgotten."""
        begun = Begun()
        self._list.seek(0)
        good = 0
        for line in self._list:
            entry = _entry(line)
            have = None if entry is None else self._present(entry, size - begun.byte_offset)
            if entry is None or have is None:
                break
            good += len(line)
            begun.byte_offset += have
            if have < entry.size:
                begun.inside = have
                break
            begun.entries += 1
        self._list.truncate(good)
        self._list.seek(0, os.SEEK_END)
        return begun

    def _present(self, entry: TreeEntry, most: int) -> int | None:
        """How many bytes of an entry are there, which are digested; None: it is not."""
        try:
            place = self._tree.joinpath(*safe_parts(entry.path))
            if entry.type == "directory":
                return 0 if stat.S_ISDIR(place.lstat().st_mode) else None
            with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                have = min(entry.size, os.fstat(file.fileno()).st_size)
                if have > most:
                    return None
                left = have
                while left and (data := file.read(min(left, HASH_BYTES))):
                    self._digest.update(data)
                    left -= len(data)
                return have
        except (OSError, LocalError):
            return None

    def write(self, parts: Sequence[Part]) -> int:
        """Take the parts that follow; says up to where all were taken. One entry's failure is not that of the others.

        Raises:
            OSError: nothing can be written any more.
        """
        for part in parts:
            self._digest.update(part.payload)
            try:
                self._take(part)
            except LocalError as error:
                self._fail(part, str(error))
            except OSError as error:
                if error.errno in GENERAL:
                    raise
                self._fail(part, error.strerror or str(error))
            if part.is_last:
                self._finish(part.entry)
        self._list.flush()
        return self._digest.byte_offset

    def _fail(self, part: Part, reason: str) -> None:
        self.failures.setdefault(part.entry.path, reason)
        self._close()

    def _take(self, part: Part) -> None:
        entry = part.entry
        if part.byte_offset == 0:
            parts = safe_parts(entry.path)
            if entry.type == "directory":
                make_folders(self._tree, parts)
            else:
                place = make_folders(self._tree, parts[:-1]) / parts[-1]
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._fd = os.open(place, flags, 0o666)
            self._list.write(msgspec.json.encode(entry) + b"\n")
        elif self._fd is None and entry.path not in self.failures:
            self._fd = os.open(self._tree.joinpath(*safe_parts(entry.path)), os.O_WRONLY | os.O_NOFOLLOW)
        if self._fd is not None:
            place_at, payload = part.byte_offset, part.payload
            while payload:
                count = os.pwrite(self._fd, payload, place_at)
                place_at, payload = place_at + count, payload[count:]

    def _finish(self, entry: TreeEntry) -> None:
        if self._fd is not None and entry.mtime_ms is not None:
            os.ftruncate(self._fd, entry.size)
            os.utime(self._fd, ns=(entry.mtime_ms * MS_NS, entry.mtime_ms * MS_NS))
        self._close()

    def _close(self) -> None:
        descriptor, self._fd = self._fd, None
        if descriptor is not None:
            os.close(descriptor)

    def root(self) -> str:
        """The digest of all bytes."""
        return self._digest.root()

    def put(self, target: Path, if_exists: IfExists) -> tuple[int, int, list[Failure]]:
        """Put everything into the folder `target`; how many files are there, were skipped, and what failed."""
        files = skipped = 0
        failures = [Failure(str(target / path), reason) for path, reason in self.failures.items()]
        if not os.path.lexists(target):
            count = sum(len(names) for _, _, names in os.walk(self._tree))
            self._tree.rename(target)
            return count, 0, failures
        for folder, _, names in os.walk(self._tree):
            parts = [*Path(folder).relative_to(self._tree).parts]
            try:
                place = make_folders(target, parts)
            except (OSError, LocalError) as error:
                failures.append(Failure(str(target.joinpath(*parts)), str(error)))
                continue
            for name in sorted(names):
                try:
                    put = publish(Path(folder, name), place / name, if_exists)
                except FileExistsError:
                    failures.append(Failure(str(place / name), EXISTS))
                except (OSError, LocalError) as error:
                    failures.append(Failure(str(place / name), str(error)))
                else:
                    files, skipped = files + (put is not None), skipped + (put is None)
        return files, skipped, failures

    def close(self) -> None:
        """Let go of everything, called from outside the thread."""
        self.thread.shutdown()
        self._close()
        self._list.close()


def _entry(line: bytes) -> TreeEntry | None:
    try:
        return msgspec.json.decode(line, type=TreeEntry)
    except msgspec.DecodeError:
        return None
