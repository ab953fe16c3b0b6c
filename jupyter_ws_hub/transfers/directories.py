"""Directories below one that is held open: made where they are missing, held open for a while. All methods block."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from ..protocol.codes import Code
from ..protocol.errors import HubError
from . import publish


def _flags() -> int:
    return os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC  # not every system has them, and this is imported on all


class Directories:
    """One descriptor for each directory that is used, whatever its depth, until `close`."""

    def __init__(self, base: int) -> None:
        """`base` is a directory that stays open; it is not closed here."""
        self._base = base
        self._open: dict[str, int] = {}
        self._grown: set[str] = set()
        """Those in which others were made."""

    def open(self, path: str) -> int:
        """A directory by its relative path, empty for the base.

        Raises:
            HubError: `exists` if something else has its name, or that of one above it.
            OSError: as the disk says.
        """
        if not path:
            return self._base
        if path not in self._open:
            try:
                self._open[path] = self._made(path)
            except (NotADirectoryError, FileExistsError) as error:
                raise HubError(Code.EXISTS, f"{path!r}, or one above it, is a file, not a directory.") from error
        return self._open[path]

    def elsewhere(self, path: str) -> int:
        """One that is there, by its absolute path; raises OSError."""
        if path not in self._open:
            self._open[path] = os.open(path, _flags())
        return self._open[path]

    def _made(self, path: str) -> int:
        try:
            return os.open(path, _flags(), dir_fd=self._base)
        except FileNotFoundError:
            parts = path.split("/")
            for depth in range(1, len(parts) + 1):
                with contextlib.suppress(FileExistsError):
                    os.mkdir("/".join(parts[:depth]), dir_fd=self._base)
                    self._grown.add("/".join(parts[: depth - 1]))
            return os.open(path, _flags(), dir_fd=self._base)

    def sync(self, used: Collection[int]) -> None:
        """Bring new names to the disk: those of files in the directories `used`, and of directories that were made."""
        for descriptor in {*used, *(self.open(path) for path in self._grown)}:
            publish.sync_directory(descriptor)
        self._grown.clear()

    def close(self) -> None:
        """Let go of all but the base. Idempotent."""
        opened, self._open = self._open, {}
        for descriptor in opened.values():
            os.close(descriptor)
