"""What an upload is made of: which local files and directories go where, found before the first byte is sent."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..protocol.transfer import TREE_FILE_BYTES
from .servers import CommandError
from .tree_source import Local

USAGE: Final = 2


class Failure(NamedTuple):
    """Something that is not done, and why."""

    name: str
    reason: str


class Plan:
    """What goes into the directory `base` of the server, and what cannot go."""

    def __init__(self, base: str) -> None:
        """Nothing yet."""
        self.base = base
        self.directories: list[Local] = []
        self.small: list[Local] = []
        self.large: list[Local] = []
        self.failures: list[Failure] = []

    @property
    def needed(self) -> list[Local]:
        """The directories of large files: these go beside the tree, and need them."""
        parents = {posixpath.dirname(found.path) for found in self.large}
        return [found for found in self.directories if found.path in parents]

    @property
    def tree(self) -> list[Local]:
        """What goes as one tree: first the directories that are needed, last all of them, with the inner ones before.

        Only then do they keep their modification times, which change with what is put into them.
        """
        return [*self.needed, *self.small, *reversed(self.directories)]

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(found.size for found in (*self.small, *self.large))

    @property
    def files(self) -> int:
        """How many there are."""
        return len(self.small) + len(self.large)

    def settle(self) -> None:
        """A single small file needs no tree."""
        if not self.directories and len(self.small) == 1:
            self.large.append(self.small.pop())


def remote_path(text: str) -> str:
    """A path on the server as a person writes it, relative to its root; empty for the root.

    Raises:
        CommandError: it leads out of the root.
    """
    path = posixpath.normpath("/" + text.removeprefix("~/").lstrip("/")).strip("/")
    if ".." in text.split("/") and posixpath.normpath(text.lstrip("/") or ".").startswith(".."):
        raise CommandError(f"{text!r} lies outside of the server's files.", USAGE)
    return path


def is_contents_only(source: str) -> bool:
    """Whether the contents of a directory are meant, and not itself."""
    return source in {".", ".."} or source.endswith(("/.", "/..", "/./", "/../"))


def make_plan(sources: Sequence[str], remote: str, kind: str | None) -> Plan:
    """Look at all sources. `kind` is what `remote` is on the server: a file, a directory or nothing.

    Raises:
        CommandError: the sources cannot go there.
    """
    path = remote_path(remote)
    is_into = kind == "directory"
    if not is_into and (len(sources) > 1 or remote.endswith("/")):
        what = "is a file" if kind else "does not exist"
        raise CommandError(f"{remote!r} {what} on the server, and a folder is needed there; make it first.", USAGE)
    if kind not in (None, "directory") and Path(sources[0]).is_dir():
        raise CommandError(f"{remote!r} is a file on the server; a folder cannot take its place.", USAGE)
    plan = Plan(path if is_into else posixpath.dirname(path))
    taken: set[str] = set()
    for source in sources:
        own = "" if is_contents_only(source) else Path(source).name
        name = own if is_into else posixpath.basename(path)
        if name and name in taken:
            raise CommandError(f"Two of the sources are called {name!r}; they would be one file there.", USAGE)
        taken.add(name)
        _gather(plan, Path(source), name, ())
    plan.settle()
    return plan


def _gather(plan: Plan, local: Path, path: str, ancestors: tuple[tuple[int, int], ...]) -> None:
    try:
        path.encode()
        found = local.stat()
        if stat.S_ISDIR(found.st_mode):
            identity = (found.st_dev, found.st_ino)
            if identity in ancestors:
                plan.failures.append(Failure(str(local), "it is a link to a folder that it lies in"))
                return
            if path:
                plan.directories.append(Local(path, local, True, 0, found.st_mtime_ns))
            for child in sorted(os.listdir(local)):
                _gather(plan, local / child, posixpath.join(path, child), (*ancestors, identity))
        elif stat.S_ISREG(found.st_mode):
            kept = plan.small if found.st_size <= TREE_FILE_BYTES else plan.large
            kept.append(Local(path, local, False, found.st_size, found.st_mtime_ns))
        else:
            plan.failures.append(Failure(str(local), "it is no plain file"))
    except UnicodeEncodeError:
        plan.failures.append(Failure(ascii(str(local)), "its name is no UTF-8"))
    except OSError as error:
        plan.failures.append(Failure(str(local), error.strerror or str(error)))
