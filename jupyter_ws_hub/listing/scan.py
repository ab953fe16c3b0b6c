"""Reads directories, with the answers that jupyter_server's own file manager would give. Blocks.

Compare `FileContentsManager._dir_model` and `jupyter_core.paths.is_file_hidden`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import translate

from .entry import Directory, Entry, EntryType, Order
from .mime import MimeTables

EPOCH = "1970-01-01T00:00:00Z"
MAGIC = re.compile("[*?[]")


def matcher(filter: str | None) -> Callable[[str], object] | None:
    """Whether a name is what was asked for: has it in it, whatever the case, or is as a glob says."""
    if not filter:
        return None
    if MAGIC.search(filter):
        return re.compile(translate(filter), re.IGNORECASE).match
    return re.compile(re.escape(filter), re.IGNORECASE).search


class Rules:
    """Which names of a directory are listed."""

    def __init__(self, directory: Directory, *, hidden: bool, filter: str | None = None) -> None:
        """`hidden` shows hidden ones where the manager allows that; nothing shows what `hide_globs` hides."""
        self.hidden = hidden and directory.allow_hidden
        # Most globs are `*.suffix` or a plain name, which is much faster to look for.
        globs = directory.hide_globs
        self._suffixes = tuple(glob[1:] for glob in globs if glob[:1] == "*" and not MAGIC.search(glob[1:]))
        self._names = frozenset(glob for glob in globs if not MAGIC.search(glob))
        others = [glob for glob in globs if MAGIC.search(glob) and not (glob[0] == "*" and not MAGIC.search(glob[1:]))]
        self._hides = re.compile("|".join(map(translate, others))).match if others else None
        self._wanted = matcher(filter)

    def select(self, names: list[str]) -> list[str]:
        """Those that are listed, if what they name is."""
        # What none of them has is found out by looking through all at once, in a tenth of the time.
        blob = f"/{'/'.join(names)}/"
        if not self.hidden and "/." in blob:
            names = [name for name in names if name[0] != "."]
        if any(f"{suffix}/" in blob for suffix in self._suffixes):
            names = [name for name in names if not name.endswith(self._suffixes)]
        if any(f"/{plain}/" in blob for plain in self._names):
            names = [name for name in names if name not in self._names]
        hides, wanted = self._hides, self._wanted
        if hides is not None:
            names = [name for name in names if not hides(name)]
        if wanted is not None:
            names = [name for name in names if wanted(name)]
        return names


class Looker:
    """Looks at what is in one directory; it stays the same directory, whatever it is called meanwhile."""

    def __init__(self, directory: Directory, rules: Rules, mime: MimeTables) -> None:
        """Open it.

        Raises:
            OSError: it is not there, or may not be read.
        """
        self.directory = directory
        self._rules = rules
        self._mime = mime
        self._guessed: dict[str, str | None] = {}
        self._descriptor = os.open(directory.os_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Look no more."""
        os.close(self._descriptor)

    def status(self) -> os.stat_result:
        """Of the directory."""
        return os.fstat(self._descriptor)

    def names(self) -> tuple[list[str], list[str]]:
        """What is listed, in no order: directories, and files with notebooks."""
        with os.scandir(self._descriptor) as found:
            entries = list(found)
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        others: list[str] = []
        if len(files) < len(entries):
            others = [entry.name for entry in entries if not entry.is_file(follow_symlinks=False)]
        files = self._rules.select(files)
        directories: list[str] = []
        for name in self._rules.select(others):
            try:
                is_directory = self._is_directory(name)
            except OSError:
                continue
            if is_directory is not None:
                (directories if is_directory else files).append(name)
        return directories, files

    def _is_directory(self, name: str) -> bool | None:
        """Whether it is one; None if it is nothing that is listed."""
        mode = self._lstat(name).st_mode
        if not (stat.S_ISLNK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return None
        if stat.S_ISLNK(mode):
            try:
                mode = os.stat(name, dir_fd=self._descriptor).st_mode
            except OSError as error:
                # A broken link is listed as a file, what turns in a circle is not, but with hidden files.
                return False if error.errno == errno.ENOENT or self._rules.hidden else None
        if not stat.S_ISDIR(mode):
            return False
        readable = os.access(name, os.R_OK | os.X_OK, dir_fd=self._descriptor)
        return True if readable or self._rules.hidden else None

    def _lstat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def rank(self, name: str, order: Order) -> tuple[int, int]:
        """What it is sorted by before its name, where that is its size or time; (0, 0) if it has vanished."""
        try:
            status = self._lstat(name)
        except OSError:
            return (0, 0)
        return (1, status.st_size if order.sort == "size" else status.st_mtime_ns)

    def entry(self, name: str) -> Entry | None:
        """What is to be known of it; None if it is nothing that is listed, or not there. Names are not looked at."""
        try:
            status = self._lstat(name)
            is_directory = stat.S_ISDIR(status.st_mode)
            if not stat.S_ISREG(status.st_mode):
                found = self._is_directory(name)
                if found is None:
                    return None
                is_directory = found
            return self._make(name, status, is_directory)
        except OSError:
            return None

    def _make(self, name: str, status: os.stat_result, is_directory: bool) -> Entry:
        shown, writable = name, os.access(name, os.W_OK, dir_fd=self._descriptor)
        try:
            name.encode()
        except UnicodeEncodeError:
            # No request can name it, as JSON is UTF-8; it is shown as `ls` shows it, and cannot be opened or changed.
            shown, writable = os.fsencode(name).decode(errors="backslashreplace"), False
        modified = timestamp(status.st_mtime)
        born = getattr(status, "st_birthtime", status.st_ctime)
        kind: EntryType = "notebook" if name.endswith(".ipynb") else "file"
        return Entry(
            name=shown,
            path=f"{self.directory.path}/{shown}" if self.directory.path else shown,
            type="directory" if is_directory else kind,
            writable=writable,
            last_modified=modified,
            created=modified if born == status.st_mtime else timestamp(born),
            size=None if is_directory else status.st_size,
            mimetype=None if is_directory or kind == "notebook" else self._guess(name),
            etag=None if is_directory else self._etag(name, status),
            mtime_ms=status.st_mtime_ns // 1_000_000,
        )

    def _guess(self, name: str) -> str | None:
        """The MIME type: one for all names that are the same from their first dot on, unless they begin with it."""
        stem, _, ending = name.partition(".")
        if not stem:
            return self._mime.guess(name)
        if ending not in self._guessed:
            self._guessed[ending] = self._mime.guess(name)
        return self._guessed[ending]

    def _etag(self, name: str, status: os.stat_result) -> str | None:
        if stat.S_ISLNK(status.st_mode):
            try:
                status = os.stat(name, dir_fd=self._descriptor)
            except OSError:
                return None
        return etag_of(status)


def etag_of(status: os.stat_result) -> str:
    """The same as `transfers.disk.Validator.etag`."""
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def timestamp(seconds: float) -> str:
    """A time as models have it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()[: -len("+00:00")] + "Z"
    except (ValueError, OverflowError, OSError):  # some file systems have impossible times
        return EPOCH
