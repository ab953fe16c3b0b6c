"""Names that a server gives, made into places of this machine: never outside of the folder they are for."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from pathlib import Path
from typing import Final

from ..protocol.transfer import IfExists
from .transfer_link import LocalError

NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
"""What a file system without hard links answers."""


def safe_parts(path: str) -> list[str]:
    """The components of a relative path with `/`.

    Raises:
        LocalError: it is absolute, leads upwards, or is no path.
    """
    parts = path.split("/")
    separators = {os.sep, os.altsep} - {"/", None}
    if any(part in ("", ".", "..") or "\0" in part or separators & {*part} for part in parts):
        raise LocalError(f"the server names a place outside of the folder: {path!r:.200}")
    if Path(*parts).is_absolute() or Path(*parts).drive:
        raise LocalError(f"the server names a place outside of the folder: {path!r:.200}")
    return parts


def make_folders(root: Path, parts: list[str]) -> Path:
    """The folder `parts` below `root`, made where it does not exist.

    Raises:
        LocalError: something else has its name; a link is none, wherever it leads to.
    """
    place = root
    for part in parts:
        place = place / part
        try:
            place.mkdir()
        except FileExistsError:
            if not stat.S_ISDIR(place.lstat().st_mode):
                raise LocalError(f"{place} is in the way: it is no folder") from None
    return place


def publish(made: Path, target: Path, if_exists: IfExists) -> Path | None:
    """Give a whole file its name, atomically; None where it is skipped. `made` is gone afterwards, or as it was.

    Raises:
        LocalError: the name is taken.
        FileExistsError: the same, with the policy `fail`.
    """
    if target.is_dir() and not target.is_symlink():
        raise LocalError(f"{target} is a folder")
    if if_exists == "overwrite":
        made.replace(target)
        return target
    names = itertools.chain([target], (_numbered(target, n) for n in itertools.count(1)))
    for candidate in names:
        try:
            _put(made, candidate)
        except FileExistsError:
            if if_exists == "fail":
                raise
            if if_exists == "skip":
                return None
        else:
            return candidate
    raise AssertionError("there is always another number")


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem} ({number}){path.suffix}")


def _put(made: Path, target: Path) -> None:
    """Rename, but not over something."""
    try:
        os.link(made, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        made.replace(target)
    else:
        made.unlink()
