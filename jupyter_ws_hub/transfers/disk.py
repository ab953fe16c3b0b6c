"""What transfers find on the disk; blocking: errors in our words, validators, reading."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import threading
from pathlib import Path

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .digest import BlockDigest


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
    if error.errno == errno.EEXIST:
        return HubError(Code.EXISTS, f"{path!r} exists already; it was left as it is.")
    if error.errno in (errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL):
        return HubError(Code.INVALID, f"This cannot be done with {path!r}: {reason}.")
    if error.errno == errno.EFBIG:
        return HubError(Code.TOO_BIG, f"{path!r} is larger than files may be on the server.")
    return HubError(Code.INTERNAL, f"The server's disk failed for {path!r}: {reason}.")


_SYNC_FILE_RANGE_WRITE = 2


def begin_writing(descriptor: int) -> None:
    """Let the disk begin with what was written to a file, without waiting: to sync many files then takes half the time.

    A hint, for Linux; see sync_file_range(2), which Python does not have.
    """
    with contextlib.suppress(OSError, AttributeError):
        whole = ctypes.c_int64(0)
        ctypes.CDLL(None).sync_file_range(descriptor, whole, whole, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


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
