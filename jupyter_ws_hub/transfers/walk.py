"""What is in a directory that is downloaded: walked once, in a thread, by Jupyter's rules of what is hidden.

Links to files inside the server's root are followed, links to directories are not: they may lead in circles.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .disk import Validator, disk_error

UF_HIDDEN: Final = getattr(stat, "UF_HIDDEN", 0)


class Member(msgspec.Struct, frozen=True, gc=False):
    """A file or directory. `path` is relative to what was walked; `validator` is a file's, and null for directories.

    A directory's time is that of the newest in it: its own one also changes with what is hidden.
    """

    path: str
    size: int
    mtime_ns: int
    mode: int
    validator: Validator | None


@dataclass
class Walk:
    """What to walk.

    `root` is the server's, which no link may leave. `allows` says whether a name may be shown. `path` is the API path
    of `place`, for messages.
    """

    place: Path
    root: Path
    allows: Callable[[str], bool]
    max_entries: int
    path: str
    _inside: list[str] = field(default_factory=list)

    def members(self) -> list[Member]:
        """All members in a fixed order, a directory before what is in it. Blocks.

        Raises:
            HubError: `too_big` if there are more than `max_entries`; `forbidden` for a file that cannot be read, and
                `invalid` for a name that cannot be told: what arrived would not be whole, and nobody would know.
        """
        found: list[Member] = []
        self._inside = [os.path.realpath(self.root), os.path.realpath(self.place)]
        # The directories and files that are still to be looked at, the next one at the end.
        due = self._entries("")
        while due:
            path, entry = due.pop()
            member = self._member(path, entry)
            if member is None:
                continue
            found.append(member)
            if len(found) > self.max_entries:
                raise HubError(
                    Code.TOO_BIG,
                    f"{self.path!r} has more than {self.max_entries} files and directories; download it in parts.",
                )
            if member.validator is None:
                due += self._entries(path)
        return _dated(found)

    def _entries(self, path: str) -> list[tuple[str, os.DirEntry[str]]]:
        """What is in a directory, the first by name at the end."""
        try:
            with os.scandir(self.place / path) as entries:
                shown = [entry for entry in entries if self.allows(entry.name)]
        except FileNotFoundError:
            if path:
                return []  # it is gone since its parent was looked at
            raise HubError(Code.NOT_FOUND, f"There is no {self.path!r}.") from None
        except OSError as error:
            raise disk_error(error, self._named(path)) from error
        shown.sort(key=lambda entry: entry.name, reverse=True)
        return [(f"{path}/{entry.name}" if path else entry.name, entry) for entry in shown]

    def _named(self, path: str) -> str:
        return f"{self.path.strip('/')}/{path}".strip("/")

    def _member(self, path: str, entry: os.DirEntry[str]) -> Member | None:
        try:
            status = entry.stat()
            is_link = entry.is_symlink()
        except FileNotFoundError:
            return None  # gone since, or a link to nothing
        except OSError as error:
            if entry.is_symlink():
                return None  # a circle, or a way that is closed
            raise disk_error(error, self._named(path)) from error
        is_directory = stat.S_ISDIR(status.st_mode)
        if is_link and (is_directory or not self._is_inside(entry.path)):
            return None
        if self._is_hidden(entry, status, is_directory) or not (is_directory or stat.S_ISREG(status.st_mode)):
            return None
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = self._named(path).encode(errors="replace").decode()
            raise HubError(Code.INVALID, f"{shown!r} has a name that is no valid UTF-8; rename it.") from None
        mode = stat.S_IMODE(status.st_mode)
        if is_directory:
            return Member(path, 0, status.st_mtime_ns, mode, None)
        if not os.access(entry.path, os.R_OK):
            raise HubError(Code.FORBIDDEN, f"The server may not read {self._named(path)!r}.")
        return Member(path, status.st_size, status.st_mtime_ns, mode, Validator.of(status))

    def _is_inside(self, link: str) -> bool:
        target = os.path.realpath(link)
        return any(target.startswith(place.rstrip("/") + "/") for place in self._inside)

    def _is_hidden(self, entry: os.DirEntry[str], status: os.stat_result, is_directory: bool) -> bool:
        """The rest of Jupyter's rule (jupyter_core.paths.is_file_hidden): flags, and directories that are closed."""
        if is_directory and not os.access(entry.path, os.R_OK | os.X_OK):
            return True
        return bool(getattr(status, "st_flags", 0) & UF_HIDDEN) and not self.allows("." + entry.name)


def _dated(members: list[Member]) -> list[Member]:
    newest: dict[str, int] = {}
    for number in range(len(members) - 1, -1, -1):
        member = members[number]
        if member.validator is None and member.path in newest:
            member = members[number] = msgspec.structs.replace(member, mtime_ns=newest.pop(member.path))
        parent = member.path.rpartition("/")[0]
        newest[parent] = max(newest.get(parent, member.mtime_ns), member.mtime_ns)
    return members


def etag_of(members: list[Member], kind: str) -> str:
    """What tells this state of a directory from another, as a strong entity tag without its quotes."""
    digest = hashlib.sha256(kind.encode())
    for member in members:
        digest.update(msgspec.json.encode(member))
    return f"{kind}-{digest.hexdigest()[:32]}"
