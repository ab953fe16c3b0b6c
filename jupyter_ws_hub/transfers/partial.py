"""An upload's bytes before publication: a hidden file in the destination directory, and the digests of its blocks.

Same file system, same quota, and its publication is atomic. It outlives the process: what is known of it then are its
length and the digests that were written beside the journal. All methods block.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, BLOCK_BYTES, DigestName, IfExists
from . import publish
from .digest import DIGEST_BYTES, BlockDigest
from .disk import MS_NS, Validator, disk_error, sync_data

PARTIAL_SUFFIX: Final = ".part"
_NAME_BYTES: Final = 120
_READ_BYTES: Final = 1024 * 1024
_PIECES: Final = 512
"""At most so many pieces are written by one call; systems take 1,024."""


def partial_path(target: Path, op: str) -> Path:
    """Where the bytes of an upload lie until it is published; a name that Jupyter treats as hidden."""
    name = os.fsencode(target.name)[:_NAME_BYTES].decode(errors="ignore")
    return target.with_name(f".~{name}.{op[:12]}{PARTIAL_SUFFIX}")


def written_to(target: Path, if_exists: IfExists) -> Path:
    """A symbolic link stays one: what it points to is replaced, as Jupyter's own saving does, perhaps elsewhere.

    One to a directory is as that itself. With `rename` nothing is replaced: the new name is found beside the link.

    Raises:
        OSError: links that lead in a circle.
    """
    if if_exists == "rename" or not target.is_symlink() or target.is_dir():
        return target
    place = Path(os.path.realpath(target))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return place


class Upload(msgspec.Struct, frozen=True):
    """Which upload it is: its id, the API path for messages, where its digests are kept, and how they are made."""

    op: str
    path: str
    blocks: Path | None = None
    algorithm: DigestName = "xxh3-128"
    size: int | None = None
    """More than these bytes do not count."""
    mode: int = 0o600
    """What a new file gets here, where it is to go on: asking for the umask would change it for all threads."""
    if_exists: IfExists = "fail"
    """What it will be published with, which says where a symbolic link is followed."""


class PartialFile:
    """A file that grows at its end."""

    def __init__(
        self,
        target: Path,
        upload: Upload,
        partial: Path | None = None,
        durable: int | None = None,
        hold: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """Make the hidden file for a target; or go on with `partial`, of which the first `durable` bytes count.

        `durable` None: all its bytes count, because the machine has not stopped since they were written. `hold` is
        entered for the short time in which the file is made or cut off: it keeps everybody else away, or raises.

        Raises:
            HubError: as `disk_error` says; `not_found` where there is nothing to go on with.
        """
        self._target = target
        self._upload = upload
        self._path = upload.path
        self.digest = BlockDigest(upload.algorithm)
        self._blocks_kept = 0
        self.durable = 0
        self.usual_mode = upload.mode
        self._descriptor = self._directory = -1
        self._writing = threading.Lock()
        self._is_lost = False
        try:
            self.goes_to = target = written_to(target, upload.if_exists)
            self.partial = partial or partial_path(target, upload.op)
            self._place = publish.Place(self._open_directory(target.parent), target.name, upload.path)
            if partial is None:
                with hold():
                    self._create()
            else:
                self._reopen(durable, hold)
        except OSError as error:
            self.close()
            raise disk_error(error, self._path) from error
        except BaseException:
            self.close()
            raise

    def _open_directory(self, directory: Path) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            self._directory = os.open(directory, flags)
        except PermissionError:
            # It may be writable but not readable, which is enough for us.
            self._directory = os.open(directory, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._directory

    def _create(self) -> None:
        with contextlib.suppress(
            FileNotFoundError
        ):  # of this upload, whose server died before it had written that down
            os.unlink(self.partial.name, dir_fd=self._directory)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.partial.name, flags, 0o666, dir_fd=self._directory)
        self.usual_mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        os.fchmod(self._descriptor, 0o600)
        if self._upload.blocks is not None:
            self._upload.blocks.unlink(missing_ok=True)

    def _reopen(self, durable: int | None, hold: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(self.partial.name, flags, dir_fd=self._directory)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise HubError(Code.NOT_FOUND, f"What had arrived of {self._path!r} is gone; upload it again.")
        limits = [limit for limit in (durable, self._upload.size) if limit is not None]
        end = min([status.st_size, *limits])
        known = self._known_blocks(end)
        if durable is not None and (sound := self._without_damage(known)) != known:
            known, end = sound, len(sound) * BLOCK_BYTES
        self.digest = BlockDigest(self._upload.algorithm, blocks=known)
        self._blocks_kept = len(known)
        while (at := self.digest.byte_offset) < end:
            data = os.pread(self._descriptor, min(_READ_BYTES, end - at), at)
            if not data:
                break
            self.digest.update(data)
        with hold():
            os.ftruncate(self._descriptor, self.digest.byte_offset)
            if known and self._upload.blocks is not None:  # what stands behind them may not be of what comes now
                os.truncate(self._upload.blocks, len(known) * len(known[0]))
            elif self._upload.blocks is not None:
                self._upload.blocks.unlink(missing_ok=True)
            self._keep_blocks()
        self.durable = min(durable or 0, self.digest.byte_offset)

    def _known_blocks(self, end: int) -> list[bytes]:
        size = DIGEST_BYTES[self._upload.algorithm]
        data = b""
        if self._upload.blocks is not None:
            with contextlib.suppress(FileNotFoundError):
                data = self._upload.blocks.read_bytes()
        count = min(len(data) // size, end // BLOCK_BYTES)
        return [data[at * size : (at + 1) * size] for at in range(count)]

    def _without_damage(self, known: list[bytes]) -> list[bytes]:
        """After a power loss: the last block that is as its digest says, and all before it, count."""
        while known:
            digest = BlockDigest(self._upload.algorithm)
            start = (len(known) - 1) * BLOCK_BYTES
            for at in range(start, start + BLOCK_BYTES, _READ_BYTES):
                digest.update(os.pread(self._descriptor, _READ_BYTES, at))
            if digest.whole == known[-1:]:
                break
            known = known[:-1]
        return known

    @property
    def byte_offset(self) -> int:
        """How many bytes are there."""
        return self.digest.byte_offset

    def write(self, chunks: Sequence[bytes | memoryview]) -> int:
        """Append chunks; give the byte offset behind them."""
        try:
            with self._writing:
                if self._is_lost:
                    raise HubError(Code.INTERNAL, f"The server's disk failed for {self._path!r}.")
                for first in range(0, len(chunks), _PIECES):
                    self._write_whole([memoryview(chunk) for chunk in chunks[first : first + _PIECES]])
                self._keep_blocks()
        except OSError as error:
            raise disk_error(error, self._path) from error
        return self.digest.byte_offset

    def _write_whole(self, views: list[memoryview]) -> None:
        while views:
            count = os.pwritev(self._descriptor, views, self.digest.byte_offset)
            while views and count >= len(views[0]):
                count -= len(views[0])
                self.digest.update(views.pop(0))
            if views and count:
                self.digest.update(views[0][:count])
                views[0] = views[0][count:]

    def _keep_blocks(self) -> None:
        new = self.digest.whole[self._blocks_kept :]
        if new and self._upload.blocks is not None:
            self._upload.blocks.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._upload.blocks, flags, 0o600)
            try:
                os.pwrite(descriptor, b"".join(new), self._blocks_kept * len(new[0]))
            finally:
                os.close(descriptor)
        self._blocks_kept = len(self.digest.whole)

    def sync(self) -> int:
        """Bring to the disk what was written before; give how much that is in any case.

        Where that fails nobody knows what of the bytes since the last time is there: they do not count any more, and
        nothing more is written.
        """
        end = self.digest.byte_offset
        try:
            self._bring_to_disk(sync_data)
        except OSError as error:
            raise disk_error(error, self._path) from error
        self.durable = max(self.durable, end)
        return end

    def _bring_to_disk(self, how: Callable[[int], None]) -> None:
        try:
            how(self._descriptor)
        except OSError:
            with self._writing:
                self._is_lost = True
                os.ftruncate(self._descriptor, self.durable)
            raise

    def identity(self) -> tuple[int, int]:
        """Device and inode: what the published file will have, too."""
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def prepare(self, if_exists: IfExists, expect_etag: str | None, mtime_s: float | None) -> None:
        """All that can be done before the publication: attributes, and the bytes on the disk."""
        try:
            publish.check_expected(self._place, expect_etag)
            if if_exists != "overwrite" and if_exists != "rename" and publish.etag_at(self._place) != ABSENT:
                raise HubError(Code.EXISTS, f"{self._path!r} exists already; it was left as it is.")
            publish.keep_attributes(self._descriptor, self._place, self.usual_mode, if_exists)
            if mtime_s is not None:
                mtime_ns = round(mtime_s * 1000) * MS_NS  # by way of a fraction it would be a little less
                os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
            self._bring_to_disk(os.fsync)
        except OSError as error:
            raise disk_error(error, self._path) from error
        except (OverflowError, ValueError) as error:
            raise HubError(Code.INVALID, f"{self._path!r} cannot have the modification time {mtime_s}.") from error

    def publish(
        self, if_exists: IfExists, expect_etag: str | None, target: Path, held: contextlib.AbstractContextManager[None]
    ) -> tuple[Path, Validator]:
        """Make the file appear, whole, in one step; give where it is and its validator.

        `target` is where it belongs now: the same place as at the start, or nothing is done. `held` is entered for the
        short time in which that is checked and done: it keeps everybody else away, or raises.

        Raises:
            HubError: `exists` or `conflict` if the target is not as the policy or the etag says, `not_found` if its
                directory is another one; nothing is changed.
        """
        policy: IfExists = "fail" if expect_etag == ABSENT else if_exists
        try:
            with held:
                self._check_directory(target)
                publish.check_expected(self._place, expect_etag)
                name = publish.publish(self.partial.name, self._place, policy)
            validator = Validator.of(os.fstat(self._descriptor))
        except OSError as error:
            raise disk_error(error, self._path) from error
        publish.sync_directory(self._directory)
        self.close()
        return target.with_name(name) if name != self._place.name else target, validator

    def _check_directory(self, target: Path) -> None:
        place = written_to(target, self._upload.if_exists)
        now, held = os.stat(place.parent), os.fstat(self._directory)
        if (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino) or place.name != self._place.name:
            raise HubError(Code.NOT_FOUND, f"The directory of {self._path!r} is not the one any more that it was.")

    def close(self) -> None:
        """Close the descriptors, leave the file. Idempotent."""
        for descriptor in (self._descriptor, self._directory):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._directory = -1

    def discard(self) -> OSError | None:
        """Remove the partial file; the target was never touched. Idempotent.

        What stood in the way, if it is still there: the directory may have become read-only.
        """
        error = discard(self.partial, self._directory)
        self.close()
        return error


def discard(partial: Path, directory: int = -1) -> OSError | None:
    """Remove a partial file, where it is by its path or in a directory that is held open. Idempotent."""
    try:
        if directory >= 0:
            os.unlink(partial.name, dir_fd=directory)
        else:
            partial.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error
    return None
