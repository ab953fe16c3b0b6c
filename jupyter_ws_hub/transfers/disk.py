"""What transfers do on the disk, as blocking functions for the thread pool: partial files, commit, reading.

The partial file lies hidden in the destination directory: same file system, same quota, and its publication is atomic.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, IfExists
from .digest import BlockDigest

PARTIAL_SUFFIX: Final = ".part"
_NAME_BYTES: Final = 120
_MAX_RENAMES: Final = 10_000


class Validator(msgspec.Struct, frozen=True):
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Validator:
        """Of a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @property
    def etag(self) -> str:
        """The same as a strong entity tag without its quotes."""
        return f"{self.device:x}-{self.inode:x}-{self.size:x}-{self.mtime_ns:x}"


def disk_error(error: OSError, path: str) -> HubError:
    """An operating system's error in the words of the table, without the absolute path."""
    reason = os.strerror(error.errno) if error.errno else "unknown error"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(Code.NO_SPACE, f"No space is left on the server for {path!r}.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return HubError(Code.FORBIDDEN, f"The server may not do this with {path!r}: {reason}.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return HubError(Code.NOT_FOUND, f"{path!r}, or its directory, is not there (any more).")
    return HubError(Code.INTERNAL, f"The server's disk failed for {path!r}: {reason}.")


def partial_path(target: Path, op: str) -> Path:
    """Where the bytes of an upload lie until it is published; a name that Jupyter treats as hidden."""
    name = target.name.encode()[:_NAME_BYTES].decode(errors="ignore")
    return target.with_name(f".~{name}.{op[:12]}{PARTIAL_SUFFIX}")


def _written_to(target: Path) -> Path:
    # A symbolic link stays one: what it points to is replaced, as Jupyter's own saving does, and may lie on
    # another file system.
    return target.resolve() if target.is_symlink() else target


class PartialFile:
    """An upload's bytes before publication. All methods block."""

    def __init__(self, target: Path, op: str, path: str) -> None:
        """Make the hidden file; `path` is the API path for messages."""
        self._target = target
        self._path = path
        self.digest = BlockDigest()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.partial = partial_path(_written_to(target), op)
            self._descriptor = os.open(self.partial, flags, 0o666)
            # The mode that a new file gets here; to ask for the umask would change it for all threads.
            self._usual_mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
            os.fchmod(self._descriptor, 0o600)
        except OSError as error:
            raise disk_error(error, path) from error

    def write(self, chunks: Sequence[bytes | memoryview]) -> int:
        """Append chunks; give the byte offset behind them."""
        try:
            for chunk in chunks:
                self._write_whole(memoryview(chunk))
        except OSError as error:
            raise disk_error(error, self._path) from error
        return self.digest.byte_offset

    def _write_whole(self, view: memoryview) -> None:
        while view:
            count = os.pwrite(self._descriptor, view, self.digest.byte_offset)
            self.digest.update(view[:count])
            view = view[count:]

    def publish(self, if_exists: IfExists, expect_etag: str | None, mtime_s: float | None) -> tuple[Path, Validator]:
        """Make the file appear under its name, whole, in one step; give where it is and its validator.

        Raises:
            HubError: `exists` or `conflict` if the target is not as the policy or the etag says; nothing is changed.
        """
        try:
            self._check_target(expect_etag)
            os.fchmod(self._descriptor, self._mode())
            if mtime_s is not None:
                os.utime(self._descriptor, (mtime_s, mtime_s))
            os.fsync(self._descriptor)
            # Again: to bring a large file to the disk takes its time.
            self._check_target(expect_etag)
            target = self._publish("fail" if expect_etag == ABSENT else if_exists)
            validator = Validator.of(os.fstat(self._descriptor))
        except OSError as error:
            raise disk_error(error, self._path) from error
        except (OverflowError, ValueError) as error:
            raise HubError(Code.INVALID, f"{self._path!r} cannot have the modification time {mtime_s}.") from error
        self._sync_directory()
        self.close()
        return target, validator

    def _check_target(self, expect_etag: str | None) -> None:
        if expect_etag is None:
            return
        try:
            current = Validator.of(os.stat(self._target)).etag
        except FileNotFoundError:
            current = ABSENT
        if current != expect_etag:
            raise HubError(
                Code.CONFLICT,
                f"{self._path!r} was changed meanwhile; it was left as it is.",
                details={"expected": expect_etag, "current": current},
            )

    def _mode(self) -> int:
        try:
            return stat.S_IMODE(os.stat(self._target).st_mode)
        except FileNotFoundError:
            return self._usual_mode

    def _publish(self, if_exists: IfExists) -> Path:
        if if_exists == "overwrite":
            os.replace(self.partial, _written_to(self._target))
            return self._target
        for target in self._names(if_exists):
            try:
                os.link(self.partial, target, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                    raise
                self._replace_placeholder(target)
                return target
            self.partial.unlink()
            return target
        raise HubError(Code.EXISTS, f"{self._path!r} exists already; it was left as it is.")

    def _names(self, if_exists: IfExists) -> list[Path]:
        if if_exists != "rename":
            return [self._target]
        stem, suffix = self._target.stem, self._target.suffix
        return [self._target, *(self._target.with_name(f"{stem}-{n}{suffix}") for n in range(1, _MAX_RENAMES))]

    def _replace_placeholder(self, target: Path) -> None:
        """Publish without hard links: reserve the name, then replace what reserves it."""
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            os.replace(self.partial, target)
        except OSError:
            target.unlink()
            raise

    def _sync_directory(self) -> None:
        """Bring the new name to the disk. It is published already: where that cannot be done, nothing is taken back.

        Some network file systems have no such thing, and a directory may be writable but not readable.
        """
        with contextlib.suppress(OSError):
            descriptor = os.open(self.partial.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Close the descriptor, leave the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> OSError | None:
        """Remove the partial file; the target was never touched. Idempotent.

        What stood in the way, if it is still there: the directory may have become read-only.
        """
        self.close()
        try:
            self.partial.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return error
        return None


class SourceFile:
    """A file that is downloaded. All methods block."""

    def __init__(self, source: Path, path: str) -> None:
        """Open it; `path` is the API path for messages."""
        self._path = path
        # A stream that ends closes the file while a thread may still be reading: not under its feet.
        self._lock = threading.Lock()
        self.digest = BlockDigest()
        try:
            self._descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise disk_error(error, path) from error
        self.validator = Validator.of(status)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise HubError(Code.INVALID, f"{path!r} is no regular file.")

    def read(self, byte_count: int) -> bytes:
        """The next bytes after those that were read or skipped.

        Raises:
            HubError: `source_changed` if the file is not the one that was opened any more.
        """
        with self._lock:
            if self._descriptor < 0:
                raise HubError(Code.CANCELLED, f"The download of {self._path!r} has ended.")
            try:
                data = os.pread(self._descriptor, byte_count, self.digest.byte_offset)
            except OSError as error:
                raise disk_error(error, self._path) from error
            if len(data) != byte_count:
                raise self._changed()
            self.digest.update(data)
        return data

    def skip(self, byte_count: int, piece_bytes: int = 1024 * 1024) -> None:
        """Go over bytes that the client has, so that the root digest is of the whole file."""
        while byte_count:
            byte_count -= len(self.read(min(byte_count, piece_bytes)))

    def check(self) -> None:
        """Raise `source_changed` unless the file is as it was when it was opened."""
        if Validator.of(os.fstat(self._descriptor)) != self.validator:
            raise self._changed()

    def _changed(self) -> HubError:
        return HubError(Code.SOURCE_CHANGED, f"{self._path!r} changed while it was read; start the download again.")

    def close(self) -> None:
        """Close it, when nothing is being read any more. Idempotent."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
