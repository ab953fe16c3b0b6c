"""What a download has brought so far: `name.part` beside the target, and `name.part.json`, which says of what it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec

if sys.platform != "win32":
    import fcntl

from .transfer_link import LocalError

NAME_BYTES: Final = 255
SUFFIX: Final = ".part"
SIDE: Final = ".part.json"


class Origin(msgspec.Struct, frozen=True):
    """Of what a part is."""

    url: str
    path: str
    etag: str
    digest: str


class _Side(msgspec.Struct, frozen=True):
    origin: Origin
    op: str


def _beside(target: Path, suffix: str) -> Path:
    """The target's name with a suffix; cut where that would be too long."""
    name = target.name
    if len(os.fsencode(name)) > NAME_BYTES - len(SIDE):
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return target.with_name(name + suffix)


class Part:
    """The part of one target; `lock` comes first."""

    def __init__(self, target: Path, beside: Path | None = None) -> None:
        """Nothing is touched. It lies beside the target, or a name that is free for that."""
        self.target = target
        self.path = _beside(beside or target, SUFFIX)
        self._side = _beside(beside or target, SIDE)
        self._lock: int | None = None

    def lock(self) -> None:
        """Keep other commands away from it, until `unlock`.

        Raises:
            LocalError: another one is at it, or something that is no part has its name.
        """
        self._lock = os.open(self._side, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise LocalError(f"another download to {self.target} is under way") from None
        if self.known is None and os.path.lexists(self.path):
            raise LocalError(f"{self.path} is in the way; move it elsewhere")
        if self.path.is_symlink():
            raise LocalError(f"{self.path} is in the way: it is a link")

    def unlock(self) -> None:
        """The end; where there is nothing of it, nothing is left. Idempotent."""
        descriptor, self._lock = self._lock, None
        if descriptor is not None:
            if os.fstat(descriptor).st_size == 0:
                self._side.unlink(missing_ok=True)
            os.close(descriptor)

    @property
    def known(self) -> _Side | None:
        """Of what it is, and by which operation; None where there is none."""
        assert self._lock is not None
        try:
            return msgspec.json.decode(os.pread(self._lock, 1 << 16, 0), type=_Side)
        except msgspec.DecodeError:
            return None

    def begin(self, origin: Origin, op: str) -> None:
        """From now on it is of this."""
        assert self._lock is not None
        data = msgspec.json.encode(_Side(origin, op))
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, data, 0)

    def drop(self) -> None:
        """Remove what there is of it; what was published is elsewhere."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
        if self._lock is not None:
            os.ftruncate(self._lock, 0)

    def end(self) -> None:
        """It is not needed any more."""
        self.drop()
        self.unlock()
