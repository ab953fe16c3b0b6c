"""Putting a finished file in its place, in one step, as the policy for taken names says. All functions block.

All happens inside of one directory that is held open: whoever replaces the directory meanwhile replaces nothing of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, IfExists
from .disk import Validator

_MAX_RENAMES: Final = 10_000
_NAME_BYTES: Final = 255
_MODE: Final = 0o777
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


class Place(NamedTuple):
    """A name in a directory that is held open; `path` is the API path for messages."""

    directory: int
    name: str
    path: str


def etag_at(place: Place) -> str:
    """The etag of what is there, `absent` if nothing is."""
    try:
        return Validator.of(os.stat(place.name, dir_fd=place.directory)).etag
    except FileNotFoundError:
        return ABSENT


def check_expected(place: Place, expect_etag: str | None) -> None:
    """Raise `conflict` if something else is there than expected; `None` expects nothing."""
    if expect_etag is None:
        return
    current = etag_at(place)
    if current != expect_etag:
        raise HubError(
            Code.CONFLICT,
            f"{place.path!r} was changed meanwhile; it was left as it is.",
            details={"expected": expect_etag, "current": current},
        )


def keep_attributes(descriptor: int, place: Place, usual_mode: int, if_exists: IfExists) -> None:
    """Give a file the mode, owner and extended attributes of the one that it will replace, or the usual mode.

    Not the bits by which programs run as their owner: other bytes must not inherit those.
    """
    try:
        if if_exists != "overwrite":
            raise FileNotFoundError
        old = os.open(place.name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place.directory)
    except FileNotFoundError:
        os.fchmod(descriptor, usual_mode)
        return
    except OSError:  # it may be replaced, but not read: what a look from outside tells is all there is
        os.fchmod(descriptor, os.stat(place.name, dir_fd=place.directory).st_mode & _MODE)
        return
    try:
        status = os.fstat(old)
        if stat.S_ISDIR(status.st_mode):
            raise HubError(Code.INVALID, f"{place.path!r} is a directory; it was left as it is.")
        with contextlib.suppress(OSError):  # only root may give files away; who may not keeps what they make
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
        _keep_extended(old, descriptor)
        os.fchmod(descriptor, status.st_mode & _MODE)
    finally:
        os.close(old)


def _keep_extended(old: int, descriptor: int) -> None:
    """The extended attributes, which Python can read on Linux alone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a file system without them has none to keep
            for name in os.listxattr(old):
                with contextlib.suppress(OSError):  # some are the system's own
                    os.setxattr(descriptor, name, os.getxattr(old, name))


def names(name: str, if_exists: IfExists) -> Iterator[str]:
    """The names to try: the own one, and with `rename` the next ones, as Jupyter numbers them."""
    yield name
    if if_exists == "rename":
        stem, dot, suffix = name.rpartition(".")
        if not stem:
            stem, dot, suffix = name, "", ""
        yield from (_shortened(stem, f"-{number}{dot}{suffix}") for number in range(1, _MAX_RENAMES))


def _shortened(stem: str, end: str) -> str:
    """A name may not be longer than file systems allow."""
    room = max(0, _NAME_BYTES - len(os.fsencode(end)))
    data = os.fsencode(stem)
    return (stem if len(data) <= room else data[:room].decode(errors="ignore")) + end


def publish(partial: str, place: Place, if_exists: IfExists) -> str:
    """Make the file `partial` of the same directory appear as `place`; give the name that it got.

    Raises:
        HubError: `exists`; nothing is changed.
        OSError: nothing is changed.
    """
    directory = place.directory
    if if_exists == "overwrite":
        os.replace(partial, place.name, src_dir_fd=directory, dst_dir_fd=directory)
        return place.name
    for name in names(place.name, if_exists):
        try:
            os.link(partial, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            try:
                _replace_placeholder(partial, name, directory)
            except FileExistsError:
                continue
            return name
        with contextlib.suppress(OSError):  # it is published all the same; what is left is removed with the operation
            os.unlink(partial, dir_fd=directory)
        return name
    raise HubError(Code.EXISTS, f"{place.path!r} exists already; it was left as it is.")


def find_published(directory: Path | int, name: str, if_exists: IfExists, device: int, inode: int) -> str | None:
    """Under which name a publication that was interrupted has succeeded, if it has."""
    for one in names(name, if_exists):
        try:
            if isinstance(directory, int):
                status = os.stat(one, dir_fd=directory, follow_symlinks=False)
            else:
                status = os.stat(directory / one, follow_symlinks=False)
        except FileNotFoundError:
            continue  # somebody may have removed what had taken the name
        except OSError:
            return None
        if (status.st_dev, status.st_ino) == (device, inode):
            return one
    return None


def _replace_placeholder(partial: str, name: str, directory: int) -> None:
    """Publish without hard links: reserve the name, then replace what reserves it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    os.close(os.open(name, flags, 0o600, dir_fd=directory))
    try:
        os.replace(partial, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(name, dir_fd=directory)
        raise


def sync_directory(directory: int) -> None:
    """Bring new names to the disk. They are published already: where that cannot be done, nothing is taken back.

    Some network file systems have no such thing, and a directory may be writable but not readable.
    """
    with contextlib.suppress(OSError):
        os.fsync(directory)
