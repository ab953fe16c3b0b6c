"""Putting the entries of a tree where they belong, in groups: written, brought to the disk, published. Blocks.

Each file is published by itself, atomically, as one that is uploaded alone. An entry that fails does not keep others.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, DigestName, EntryResult, IfExists, TreeEntry
from . import publish
from .digest import file_root
from .directories import Directories
from .disk import MS_NS, begin_writing, disk_error, sync_data
from .operation import Putting
from .partial import PARTIAL_SUFFIX, written_to
from .places import parts_of
from .publish import Place
from .tree import Arrived


@dataclass
class _Written:
    """A file of a group, before it is published."""

    arrived: Arrived
    place: Place
    partial: str
    policy: IfExists
    descriptor: int = -1
    identity: tuple[int, int] = (0, 0)


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
        self.elsewhere: dict[int, Path] = {}
        """Where those are written to whose names are symbolic links."""

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

    def putting(self) -> list[Putting]:
        """The files that are to be published, with what is known of them."""
        files = {file.arrived.number: file.identity for file in self.written}
        return [
            Putting(arrived.number, self._directory(arrived), *files.get(arrived.number, (0, 0)))
            for arrived in self.arrived
            if arrived.number not in self.outcomes and arrived.entry.type == "file" and not arrived.entry.missing
        ]

    def _directory(self, arrived: Arrived) -> str:
        place = self.elsewhere.get(arrived.number)
        return arrived.entry.path.rpartition("/")[0] if place is None else str(place.parent)

    def sync(self, part: int, parts: int) -> None:
        """Wait until the disk has the files of one of several parts, which several threads do at once."""
        for file in self.written[part::parts]:
            self.guarded(file.arrived, partial(sync_data, file.descriptor))


Note: TypeAlias = Callable[[tuple[Putting, ...]], None]
"""Writes down which entries are being published, for whoever comes after a crash; raises OSError."""


def partial_name(op: str, number: int) -> str:
    """Where an entry's bytes lie until it is published, in its directory."""
    return f".~{number}.{op[:12]}{PARTIAL_SUFFIX}"


def discard(base: Path, op: str, putting: Sequence[Putting]) -> None:
    """Remove the partial files of entries whose publication was interrupted; what cannot be removed stays."""
    for one in putting:
        with contextlib.suppress(OSError):
            os.unlink(base / one.directory / partial_name(op, one.entry))


class TreeWriter:
    """Writes into one directory of the server."""

    def __init__(
        self, base: Path, op: str, policy: IfExists, algorithm: DigestName, allows: Callable[[str], bool]
    ) -> None:
        """`base` exists. Raises OSError if it cannot be opened."""
        self._path = base
        self._base = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._op, self._policy, self._algorithm, self._allows = op, policy, algorithm, allows
        self._mtimes: dict[str, int] = {}
        self._directories = Directories(self._base)
        self._interrupted: dict[int, Putting] = {}

    def is_at(self, base: Path) -> bool:
        """Whether the directory is still the one at this path. Raises OSError."""
        now, held = os.stat(base), os.fstat(self._base)
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)

    def recover(self, base: Path, putting: Sequence[Putting]) -> tuple[Putting, ...]:
        """After a crash: remove partial files, and give the entries that may be published already."""
        self._interrupted = {one.entry: one for one in putting if one.inode}
        for one in putting:
            with contextlib.suppress(OSError):
                if os.stat(base / one.directory / partial_name(self._op, one.entry)).st_nlink == 1:
                    self._interrupted.pop(one.entry, None)
        discard(base, self._op, putting)
        return tuple(self._interrupted.values())

    def write(self, group: Group, note: Note) -> None:
        """Write the files of a group, hidden yet, and let the disk begin with them.

        Raises:
            HubError: `no_space`: nothing of the group counts, it comes again.
        """
        for arrived in group.arrived:
            group.guarded(arrived, partial(self._look, arrived, group))
        self._tell(group, note)
        for arrived in group.arrived:
            group.guarded(arrived, partial(self._write, arrived, group))
        for file in group.written:
            begin_writing(file.descriptor)

    def publish(self, group: Group, note: Note) -> None:
        """Publish what was written and synced. Raises as `write`."""
        self._tell(group, note)
        for file in group.written:
            group.guarded(file.arrived, partial(self._publish, file, group.outcomes))
        self._directories.sync({file.place.directory for file in group.written})
        self._set_times(arrived.entry.path for arrived in group.arrived if arrived.entry.type == "directory")
        for arrived in group.arrived:
            self._interrupted.pop(arrived.number, None)

    def _tell(self, group: Group, note: Note) -> None:
        """Write down what is being published, and what a try before this may have published."""
        now = group.putting()
        numbers = {one.entry for one in now}
        if not now:
            return
        try:
            note((*now, *(one for one in self._interrupted.values() if one.entry not in numbers)))
        except OSError as error:
            raise disk_error(error, group.arrived[0].entry.path) from error

    def _policy_of(self, entry: TreeEntry) -> IfExists:
        return "fail" if entry.expect == ABSENT else entry.if_exists or self._policy

    def _look(self, arrived: Arrived, group: Group) -> None:
        """Whether an entry's name is a link, and the interrupted try has published it: then that is not done again."""
        entry, number = arrived.entry, arrived.number
        if entry.type != "file" or entry.missing:
            return
        policy, path = self._policy_of(entry), self._path.joinpath(*parts_of(entry.path, self._allows))
        if (real := written_to(path, policy)) != path:
            group.elsewhere[number] = real
        if (its := self._interrupted.get(number)) is not None:
            place = self._place(arrived, group)
            found = publish.find_published(place.directory, place.name, policy, its.device, its.inode)
            if found is not None:
                group.outcomes[number] = _published(arrived, place, found)

    def _place(self, arrived: Arrived, group: Group) -> Place:
        path, real = arrived.entry.path, group.elsewhere.get(arrived.number)
        if real is not None:
            return Place(self._directories.elsewhere(str(real.parent)), real.name, path)
        parent, _, name = path.rpartition("/")
        return Place(self._directories.open(parent), name, path)

    def _write(self, arrived: Arrived, group: Group) -> None:
        entry, number, outcomes = arrived.entry, arrived.number, group.outcomes
        if entry.missing:
            raise HubError(Code.SOURCE_CHANGED, f"{entry.path!r} could not be read; it was changed or removed.")
        if entry.type == "directory":
            parts_of(entry.path, self._allows)
            self._directories.open(entry.path)
            if entry.mtime_ms is not None:
                self._mtimes[entry.path] = entry.mtime_ms * MS_NS
            outcomes[number] = Outcome(number, entry, entry.path)
            return
        data = b"".join(arrived.parts)
        if entry.root != file_root(data, self._algorithm):
            raise HubError(Code.DIGEST_MISMATCH, f"What arrived of {entry.path!r} is not what was sent.")
        place = self._place(arrived, group)
        policy = self._policy_of(entry)
        if policy == "skip" and publish.etag_at(place) != ABSENT:
            outcomes[number] = Outcome(number, entry, skipped=True)
            return
        self._write_partial(_Written(arrived, place, partial_name(self._op, number), policy), data, group.written)

    def _write_partial(self, file: _Written, data: bytes, written: list[_Written]) -> None:
        entry, directory = file.arrived.entry, file.place.directory
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileNotFoundError):  # of this operation, from an interrupted try
            os.unlink(file.partial, dir_fd=directory)
        file.descriptor = os.open(file.partial, flags, 0o666, dir_fd=directory)
        written.append(file)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file.descriptor, rest) :]
        status = os.fstat(file.descriptor)
        file.identity = status.st_dev, status.st_ino
        if file.policy == "overwrite":
            publish.keep_attributes(file.descriptor, file.place, status.st_mode & 0o777, file.policy)
        if entry.mtime_ms is not None:
            os.utime(file.descriptor, ns=(entry.mtime_ms * MS_NS, entry.mtime_ms * MS_NS))

    def _publish(self, file: _Written, outcomes: dict[int, Outcome]) -> None:
        entry, place = file.arrived.entry, file.place
        publish.check_expected(place, None if entry.expect == ABSENT else entry.expect)
        try:
            name = publish.publish(file.partial, place, file.policy)
        except HubError as error:
            if error.code is not Code.EXISTS or file.policy != "skip":
                raise
            outcomes[file.arrived.number] = Outcome(file.arrived.number, entry, skipped=True)
            return
        outcomes[file.arrived.number] = _published(file.arrived, place, name)

    def clean(self, group: Group) -> None:
        """Close what is open, remove partial files that were not published. Idempotent."""
        while group.written:
            _remove(group.written.pop())
        self._directories.close()

    def finish(self) -> None:
        """Give the directories of this stream their modification times again, which files after them have changed."""
        self._set_times(self._mtimes)

    def _set_times(self, paths: Iterable[str]) -> None:
        for path in paths:
            mtime_ns = self._mtimes.get(path)
            if mtime_ns is not None:
                with contextlib.suppress(OSError, OverflowError, ValueError):  # a time that cannot be set hurts nobody
                    os.utime(path, ns=(mtime_ns, mtime_ns), dir_fd=self._base)

    def close(self) -> None:
        """Let go of the directory. Idempotent."""
        if self._base >= 0:
            os.close(self._base)
            self._base = -1


def _published(arrived: Arrived, place: Place, name: str) -> Outcome:
    """Where a link leads the name may be any, but it is the one that was asked for there."""
    entry = arrived.entry
    path = entry.path if name == place.name else entry.path.removesuffix(place.name) + name
    return Outcome(arrived.number, entry, path)


def _remove(file: _Written) -> None:
    """Another server may have begun the same entry again: its partial file has the same name, and stays."""
    try:
        with contextlib.suppress(OSError):  # it is gone with its publication; or it may not be removed
            if os.stat(file.partial, dir_fd=file.place.directory).st_ino == os.fstat(file.descriptor).st_ino:
                os.unlink(file.partial, dir_fd=file.place.directory)
    finally:
        os.close(file.descriptor)
