"""Partial files that belong to no operation any more: their record was lost, and nobody else would remove them."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from ..ports import Runtime
from .journal import Journal
from .partial import PARTIAL_SUFFIX
from .threads import Threads

INTERVAL_S: Final = 3600.0
"""A directory is looked at so often at most."""
NAMES: Final = 10_000
"""So many names of a directory are looked at."""
DIRECTORIES: Final = 1000
"""Of so many it is known when they were looked at; what goes beyond that is not looked at."""
_NAME: Final = re.compile(rf"\.~.+\.([0-9a-f]{{12}}){re.escape(PARTIAL_SUFFIX)}", re.DOTALL)


class Strays:
    """Looks for them where uploads begin, beside all else."""

    def __init__(self, journal: Journal, threads: Threads, runtime: Runtime, keep_idle_s: float) -> None:
        """A partial file that nobody has touched for `keep_idle_s` may be one."""
        self._journal = journal
        self._threads = threads
        self._runtime = runtime
        self._keep_idle_s = keep_idle_s
        self._due_s: dict[Path, float] = {}

    def look(self, directory: Path) -> None:
        """Begin to look at a directory in a thread, unless that was done a short time ago."""
        now_s = self._runtime.monotonic()
        if len(self._due_s) >= DIRECTORIES:
            self._due_s = {place: due_s for place, due_s in self._due_s.items() if due_s > now_s}
        if self._due_s.get(directory, now_s) <= now_s and len(self._due_s) < DIRECTORIES:
            self._due_s[directory] = now_s + INTERVAL_S
            self._threads.begin(self._collect, directory, self._runtime.clock() - self._keep_idle_s)

    def _collect(self, directory: Path, older_than_s: float) -> None:
        try:
            count = collect(directory, older_than_s, self._journal.ids)
        except Exception as error:  # nobody waits for it
            self._runtime.logger.warning("A directory could not be searched for left partial files.", exc_info=error)
        else:
            if count:
                self._runtime.logger.info("%d partial files of transfers that nobody knows were removed.", count)


def collect(directory: Path, older_than_s: float, ids: Callable[[], Collection[str]]) -> int:
    """Remove this user's partial files that are older than this time and of no operation in `ids`; give how many.

    `ids` is called after the names were seen: whoever makes a partial file has its operation written down before.
    Blocks; raises OSError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as entries:
            names = [entry.name for entry in itertools.islice(entries, NAMES)]
        found = {name: match[1] for name in names if (match := _NAME.fullmatch(name))}
        found = {name: id for name, id in found.items() if _is_left(name, descriptor, older_than_s)}
        known = {id[:12] for id in ids()} if found else set()
        return sum(_remove(name, descriptor) for name, id in found.items() if id not in known)
    finally:
        os.close(descriptor)


def _is_left(name: str, directory: int, older_than_s: float) -> bool:
    """Whether it is our own file, and old: by its change time, too, as an upload sets the modification time at last."""
    with contextlib.suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        is_own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        return is_own and max(status.st_mtime, status.st_ctime) < older_than_s
    return False


def _remove(name: str, directory: int) -> bool:
    with contextlib.suppress(FileNotFoundError):  # another server looks, too
        os.unlink(name, dir_fd=directory)
        return True
    return False
