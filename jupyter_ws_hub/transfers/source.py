"""What a download reads: bytes in order, from any byte offset on, of something that must not change meanwhile.

Everything here blocks, and is used by one thread at a time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .disk import Validator, disk_error
from .walk import Member


class Source(Protocol):
    """Where the bytes of a download come from."""

    size: int
    etag: str
    """What tells this state of it from any other."""
    members: Sequence[Member]
    """What is in it: of directories only."""

    def seek(self, byte_offset: int) -> int:
        """Go on at a byte offset, or as near before it as can be without reading; give where that is."""
        ...

    def read_into(self, views: Sequence[memoryview]) -> None:
        """Fill all of these, one behind the other, with the bytes that follow; there are that many.

        Raises:
            HubError: `source_changed` if it is not as it was when it was opened; or what the disk says.
        """
        ...

    def check(self) -> None:
        """Raise `source_changed` unless what was read last is as it was when it was opened."""
        ...

    def close(self) -> None:
        """Let go. Idempotent."""
        ...


def changed(path: str) -> HubError:
    """That a file is another one than before."""
    return HubError(Code.SOURCE_CHANGED, f"{path!r} changed while it was read; start the download again.")


def split(views: Sequence[memoryview], byte_count: int) -> tuple[list[memoryview], list[memoryview]]:
    """The first `byte_count` bytes of some views, and the rest."""
    head: list[memoryview] = []
    for number, view in enumerate(views):
        if byte_count < len(view):
            return [*head, *([view[:byte_count]] if byte_count else [])], [view[byte_count:], *views[number + 1 :]]
        head.append(view)
        byte_count -= len(view)
    return head, []


class FileSource:
    """One file."""

    members: Sequence[Member] = ()

    def __init__(self, place: Path | str, path: str, expected: Validator | None = None) -> None:
        """Open it; `path` is the API path for messages.

        Raises:
            HubError: `source_changed` if it is not the `expected` one, `invalid` if it is no regular file.
        """
        self._path = path
        self._at = 0
        try:
            self._descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except FileNotFoundError as error:
            raise (changed(path) if expected is not None else disk_error(error, path)) from error
        except OSError as error:
            raise disk_error(error, path) from error
        self.validator = Validator.of(status)
        self.size, self.etag = status.st_size, self.validator.etag
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise HubError(Code.INVALID, f"{path!r} is no regular file.")
        if expected not in (None, self.validator):
            self.close()
            raise changed(path)

    def seek(self, byte_offset: int) -> int:
        """See Source."""
        self._at = byte_offset
        return byte_offset

    def read_into(self, views: Sequence[memoryview]) -> None:
        """See Source."""
        left = [view for view in views if view]
        while left:
            try:
                count = os.preadv(self._descriptor, left, self._at)
            except OSError as error:
                raise disk_error(error, self._path) from error
            if count == 0:
                raise changed(self._path)
            self._at += count
            left = split(left, count)[1]

    def check(self) -> None:
        """See Source."""
        if Validator.of(os.fstat(self._descriptor)) != self.validator:
            raise changed(self._path)

    def close(self) -> None:
        """See Source."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
