"""Looking at directories where uploads go. All functions block."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .disk import Validator
from .operation import Occupied

NAME_BYTES = 255
PATH_BYTES = 3072
"""Systems take 4,096 of the whole path, in which that of the tree's directory is counted, too."""
DEPTH = 100


def free_bytes(directory: Path) -> int:
    """How many bytes this user may still write there; raises nothing: where it cannot be told it is a lot."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return 2**62
    return status.f_bavail * status.f_frsize


def check_space(directory: Path, path: str, size: int, min_free_bytes: int) -> None:
    """Raise `no_space` if a file of this size does not fit; `path` is for the message."""
    free = max(0, free_bytes(directory) - min_free_bytes)
    if size > free:
        message = f"{path!r} needs {size} bytes, but only {free} are free on the server."
        raise HubError(Code.NO_SPACE, message, details={"needed": size, "free": free})


def parts_of(path: str, allows: Callable[[str], bool]) -> list[str]:
    """The parts of a relative path.

    Raises:
        HubError: `invalid` for what is no relative path of names, `forbidden` for hidden names where they are not
            allowed.
    """
    parts = path.split("/")
    too_much = len(path.encode(errors="replace")) > PATH_BYTES or len(parts) > DEPTH
    if too_much or any(part in ("", ".", "..") for part in parts):
        raise HubError(Code.INVALID, f"{path[:200]!r} is no path of names that could be made.")
    for part in parts:
        if "\x00" in part or len(part.encode(errors="replace")) > NAME_BYTES:
            raise HubError(Code.INVALID, f"{part[:200]!r} is no name that a file could have.")
        if not allows(part):
            raise HubError(Code.FORBIDDEN, f"{path!r} is hidden; this server keeps no hidden files.")
    return parts


def occupied(directory: Path, names: Sequence[str], allows: Callable[[str], bool]) -> list[Occupied]:
    """Which relative paths in a directory are taken. What cannot be made, or seen, is not."""
    return list(_occupied(directory, names, allows))


def _occupied(directory: Path, names: Sequence[str], allows: Callable[[str], bool]) -> Iterator[Occupied]:
    for name in names:
        try:
            status = os.stat(directory.joinpath(*parts_of(name, allows)))
        except (OSError, ValueError, HubError):
            continue
        kind: Literal["file", "directory"] = "directory" if stat.S_ISDIR(status.st_mode) else "file"
        yield Occupied(name, kind, status.st_size, status.st_mtime_ns // 1_000_000, Validator.of(status).etag)
