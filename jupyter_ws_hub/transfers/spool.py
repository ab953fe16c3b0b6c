"""A directory for what is on its way to, or from, files that are not on this disk. All methods block.

Uploads lie there as partial files under the names that `partial_path` gives them, downloads whole.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from ..protocol.errors import HubError
from .disk import disk_error
from .partial import PARTIAL_SUFFIX

SOURCE_SUFFIX: Final = ".source"
NEW_SUFFIX: Final = ".new"
_NAME_BYTES: Final = 120


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:24]


class Spool:
    """One directory, which the servers of a home share."""

    def __init__(self, folder: Path, root: str) -> None:
        """`root` tells the files of one server root from those of another. Nothing is touched yet."""
        self._folder = folder
        self._root = root

    def folder(self) -> Path:
        """The directory, made where it is missing; only its owner may look into it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HubError(
                disk_error(error, "").code, "The server has no place for files on their way elsewhere."
            ) from error
        return self._folder

    def target(self, path: str) -> Path:
        """A name in the spool for an upload to an API path."""
        name = path.strip("/").rpartition("/")[2].encode()[:_NAME_BYTES].decode(errors="ignore")
        return self.folder() / name

    def _source(self, path: str, etag: str) -> Path:
        return self._folder / f"{_hash(self._root, path.strip('/'))}.{_hash(etag)}{SOURCE_SUFFIX}"

    def find(self, path: str, etag: str) -> tuple[Path, int] | None:
        """A download that is here already, and the millisecond at which it was fetched; it is noted as in use."""
        place = self._source(path, etag)
        try:
            status = place.stat()
            os.utime(place, ns=(time.time_ns(), status.st_mtime_ns))
        except OSError:
            return None
        return place, status.st_mtime_ns // 1_000_000

    def keep(self, path: str, etag: str, pieces: Iterable[bytes]) -> Path:
        """Keep a file's bytes; where the same ones are here already, they stay, and so does who reads them."""
        place = self._source(path, etag)
        try:
            descriptor, new = tempfile.mkstemp(NEW_SUFFIX, dir=self.folder())  # only its owner may read it
            try:
                with open(descriptor, "wb") as file:
                    for piece in pieces:
                        file.write(piece)
                if not place.exists() or not filecmp.cmp(new, place, shallow=False):
                    os.replace(new, place)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new)
        except OSError as error:
            raise disk_error(error, path) from error
        return place

    def release(self, path: str) -> None:
        """Remove what was fetched of an API path. Idempotent."""
        with contextlib.suppress(OSError):
            for place in self._folder.glob(f"{_hash(self._root, path.strip('/'))}.*{SOURCE_SUFFIX}"):
                place.unlink(missing_ok=True)

    def sweep(self, now_s: float, keep_s: float, ids: Callable[[], Collection[str]]) -> int:
        """Remove what nobody has used for `keep_s` and no operation known to `ids` needs; give how many files."""
        count = 0
        with contextlib.suppress(OSError):
            known = {id[:12] for id in ids()}
            for entry in os.scandir(self._folder):
                status = entry.stat(follow_symlinks=False)
                wanted = entry.name.removesuffix(PARTIAL_SUFFIX).rpartition(".")[2] in known
                if not wanted and now_s - max(status.st_atime, status.st_mtime) > keep_s:
                    os.unlink(entry.path)
                    count += 1
        return count
