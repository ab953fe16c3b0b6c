"""Putting the entries of a tree where they belong, in groups: written, brought to the disk, published. Blocks.

Each file is published by itself, atomically, as one that is uploaded alone. An entry that fails does not keep others.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, DigestName, EntryResult, IfExists, TreeEntry
from . import publish
from .digest import file_root
from .disk import begin_writing, disk_error
from .partial import PARTIAL_SUFFIX
from .places import parts_of
from .publish import Place
from .tree import Arrived

_READ_BYTES: Final = 64 * 1024


@dataclass
class _Written:
    """A file of a group, before it is published."""

    arrived: Arrived
    place: Place
    partial: str
    policy: IfExists
    expect: str | None
    descriptor: int


@dataclass(frozen=True)
class Outcome:
    """What became of an entry: the relative path under which it is there now, or why it is not."""

    number: int
    entry: TreeEntry
    path: str | None = None
    error: HubError | None = None
    skipped: bool = False

    def result(self) -> EntryResult | None:
        """What the client is told; None where the entry is simply there."""
        if self.skipped:
            return EntryResult(self.number, "skipped")
        if self.error is not None:
            return EntryResult(self.number, "failed", error=self.error.info)
        return EntryResult(self.number, "renamed", self.path) if self.path != self.entry.path else None


class Group:
    """Entries that are settled together: written, brought to the disk, published."""

    def __init__(self, arrived: Sequence[Arrived]) -> None:
        """Nothing is written yet."""
        self.arrived = arrived
        self.written: list[_Written] = []
        self.outcomes: dict[int, Outcome] = {}

    def guarded(self, arrived: Arrived, work: Callable[[], None]) -> None:
        """Do something for an entry that has no outcome yet; what goes wrong is its outcome.

        Raises:
            HubError: `no_space`.
        """
        number, entry = arrived.number, arrived.entry
        try:
            if number not in self.outcomes:
                work()
        except OSError as error:
            failure = disk_error(error, entry.path)
            if failure.code is Code.NO_SPACE:
                raise failure from error
            self.outcomes[number] = Outcome(number, entry, error=failure)
        except HubError as error:
            self.outcomes[number] = Outcome(number, entry, error=error)
        except (ValueError, OverflowError) as error:
            wrong = HubError(Code.INVALID, f"{entry.path!r} cannot be written like this: {error}.")
            self.outcomes[number] = Outcome(number, entry, error=wrong)

    def sync(self, part: int, parts: int) -> None:
        """Wait until the disk has the files of one of several parts, which several threads do at once."""
        for file in self.written[part::parts]:
            self.guarded(file.arrived, partial(os.fdatasync, file.descriptor))


class TreeWriter:
    """Writes into one directory of the server."""

    def __init__(
        self, base: Path, op: str, policy: IfExists, algorithm: DigestName, allows: Callable[[str], bool]
    ) -> None:
        """`base` exists. Raises OSError if it cannot be opened."""
        self._base = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._op, self._policy, self._algorithm, self._allows = op, policy, algorithm, allows
        self._mtimes: dict[str, float] = {}
        self._directories: dict[tuple[str, ...], int] = {}

    def is_at(self, base: Path) -> bool:
        """Whether the directory is still the one at this path."""
        now, held = os.stat(base), os.fstat(self._base)
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)

    def write(self, group: Group) -> None:
        """Write the files of a group, hidden yet, and let the disk begin with them.

        Raises:
            HubError: `no_space`: nothing of the group counts, it comes again.
        """
        for arrived in group.arrived:
            group.guarded(arrived, partial(self._write, arrived, group.outcomes, group.written))
        for file in group.written:
            begin_writing(file.descriptor)

    def publish(self, group: Group, begun: int) -> None:
        """Publish what was written and synced. Entries before number `begun` may be there from an interrupted try."""
        for file in group.written:
            group.guarded(file.arrived, partial(self._publish, file, begun, group.outcomes))
        for directory in {file.place.directory for file in group.written}:
            publish.sync_directory(directory)

    def _write(self, arrived: Arrived, outcomes: dict[int, Outcome], written: list[_Written]) -> None:
        entry, number = arrived.entry, arrived.number
        if entry.missing:
            raise HubError(Code.SOURCE_CHANGED, f"{entry.path!r} could not be read; it was changed or removed.")
        parts = parts_of(entry.path, self._allows)
        if entry.type == "directory":
            self._directory(tuple(parts))
            if entry.mtime_ms is not None:
                self._mtimes[entry.path] = entry.mtime_ms / 1000
            outcomes[number] = Outcome(number, entry, entry.path)
            return
        data = b"".join(arrived.parts)
        if entry.root != file_root(data, self._algorithm):
            raise HubError(Code.DIGEST_MISMATCH, f"What arrived of {entry.path!r} is not what was sent.")
        place = publish.Place(self._directory(tuple(parts[:-1])), parts[-1], entry.path)
        policy: IfExists = "fail" if entry.expect == ABSENT else entry.if_exists or self._policy
        if policy == "skip" and publish.etag_at(place) != ABSENT:
            outcomes[number] = Outcome(number, entry, skipped=True)
            return
        written.append(self._write_partial(arrived, place, policy, data))

    def _write_partial(self, arrived: Arrived, place: Place, policy: IfExists, data: bytes) -> _Written:
        entry = arrived.entry
        name = f".~{arrived.number}.{self._op[:12]}{PARTIAL_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileNotFoundError):  # of this operation, from an interrupted try
            os.unlink(name, dir_fd=place.directory)
        descriptor = os.open(name, flags, 0o666, dir_fd=place.directory)
        file = _Written(arrived, place, name, policy, entry.expect, descriptor)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if policy == "overwrite":
                publish.keep_attributes(descriptor, place, os.fstat(descriptor).st_mode & 0o7777)
            if entry.mtime_ms is not None:
                os.utime(descriptor, (entry.mtime_ms / 1000, entry.mtime_ms / 1000))
        except BaseException:
            _remove(file)
            raise
        return file

    def _publish(self, file: _Written, begun: int, outcomes: dict[int, Outcome]) -> None:
        entry, number, place = file.arrived.entry, file.arrived.number, file.place
        if number < begun and self._is_there(file):
            outcomes[number] = Outcome(number, entry, entry.path)
            return
        publish.check_expected(place, None if entry.expect == ABSENT else entry.expect)
        try:
            name = publish.publish(file.partial, place, file.policy)
        except HubError as error:
            if error.code is not Code.EXISTS or file.policy != "skip":
                raise
            outcomes[number] = Outcome(number, entry, skipped=True)
            return
        outcomes[number] = Outcome(number, entry, entry.path.rpartition("/")[0] + "/" * ("/" in entry.path) + name)

    def _is_there(self, file: _Written) -> bool:
        """Whether the same bytes are there already: then the interrupted try has published them."""
        try:
            descriptor = os.open(
                file.place.name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=file.place.directory
            )
        except OSError:
            return False
        try:
            if os.fstat(descriptor).st_size != file.arrived.entry.size:
                return False
            data = b"".join(_read(descriptor))
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return file_root(data, self._algorithm) == file.arrived.entry.root

    def _directory(self, parts: tuple[str, ...]) -> int:
        """A directory below the base, made where it is missing, and held open for the group."""
        if not parts:
            return self._base
        if parts not in self._directories:
            parent = self._directory(parts[:-1])
            with contextlib.suppress(FileExistsError):
                os.mkdir(parts[-1], dir_fd=parent)
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                self._directories[parts] = os.open(parts[-1], flags, dir_fd=parent)
            except NotADirectoryError as error:
                raise HubError(Code.EXISTS, f"{'/'.join(parts)!r} is a file, not a directory.") from error
        return self._directories[parts]

    def clean(self, group: Group) -> None:
        """Close what is open, remove partial files that were not published. Idempotent."""
        while group.written:
            _remove(group.written.pop())
        while self._directories:
            os.close(self._directories.popitem()[1])

    def finish(self) -> None:
        """Give the directories their modification times, which their files have changed."""
        for path, mtime_s in self._mtimes.items():
            with contextlib.suppress(OSError, OverflowError, ValueError):  # a time that cannot be set hurts nobody
                os.utime(path, (mtime_s, mtime_s), dir_fd=self._base)

    def close(self) -> None:
        """Let go of the directory. Idempotent."""
        if self._base >= 0:
            os.close(self._base)
            self._base = -1


def _remove(file: _Written) -> None:
    os.close(file.descriptor)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file.partial, dir_fd=file.place.directory)


def _read(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, _READ_BYTES):
        yield data
