"""What transfers find on the disk; blocking: errors in our words, validators."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError


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


MS_NS: Final = 1_000_000


def sync_data(descriptor: int) -> None:
    """Bring a file's bytes to the disk; its times, too, where the system has no way without them. Raises OSError."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:  # macOS
        os.fsync(descriptor)


_SYNC_FILE_RANGE: Final = getattr(ctypes.CDLL(None), "sync_file_range", None) if sys.platform == "linux" else None
_SYNC_FILE_RANGE_WRITE: Final = 2


def begin_writing(descriptor: int) -> None:
    """Let the disk begin with what was written to a file, without waiting: to sync many files then takes half the time.

    A hint, for Linux; see sync_file_range(2), which Python does not have.
    """
    if _SYNC_FILE_RANGE is not None:
        whole = ctypes.c_int64(0)
        _SYNC_FILE_RANGE(descriptor, whole, whole, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))
