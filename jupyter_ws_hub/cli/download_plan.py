"""What a download is made of: which files and folders of the server, also by patterns, go where."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .hub_client import HubClient
from .servers import CommandError
from .upload_plan import USAGE, Failure, is_contents_only, remote_path

PATTERN: Final = re.compile(r"[*?[]")
MS_NS: Final = 1_000_000


class Remote(msgspec.Struct, frozen=True):
    """A file or folder of the server, as far as it matters here."""

    name: str
    path: str
    type: str
    size: int | None = None
    last_modified: str = ""
    mtime_ms: int | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder."""
        return self.type == "directory"

    @property
    def mtime_ns(self) -> int | None:
        """When it was modified, as exactly as the server says."""
        try:
            moment = datetime.fromisoformat(self.last_modified.replace("Z", "+00:00"))
        except ValueError:
            return None if self.mtime_ms is None else self.mtime_ms * MS_NS
        return round(moment.timestamp() * 1_000_000) * 1000


class _Listing(msgspec.Struct, frozen=True):
    """A whole directory, or a page of it."""

    entries: list[Remote]


class Found(NamedTuple):
    """What a source names; `contents`: not the folder itself is meant, but what is in it."""

    remote: Remote
    contents: bool


class Wanted(msgspec.Struct, frozen=True):
    """What is to be fetched, and its place here; what has come so far lies beside `part`."""

    remote: Remote
    target: Path
    part: Path


async def list_directory(hub: HubClient, path: str) -> list[Remote]:
    """What is in a folder of the server, page by page or at once, as the server gives it."""

    def whole(result: msgspec.Raw) -> list[_Listing]:
        return [] if bytes(result) == b"null" else [msgspec.json.decode(result, type=_Listing)]

    pages = await hub.stream("files.list", {"path": path}, _Listing, whole)
    return [entry for page in pages for entry in page.entries]


async def find(hub: HubClient, source: str) -> list[Remote]:
    """The files and folders that a source names, with `*`, `?` and `[…]` within a component.

    Raises:
        HubError: it is not there.
    """
    found = [Remote("", "", "directory")]
    for part in filter(None, remote_path(source).split("/")):
        if PATTERN.search(part):
            lists = [await list_directory(hub, place.path) for place in found if place.is_directory]
            found = [entry for listed in lists for entry in listed if _matches(entry.name, part)]
        else:
            named = [Remote(part, posixpath.join(place.path, part), "directory") for place in found]
            found = [seen for seen in [await _look(hub, place) for place in named] if seen is not None]
    if not found:
        what = "Nothing on the server matches" if PATTERN.search(source) else "There is no"
        raise HubError(Code.NOT_FOUND, f"{what} {source!r}.")
    return sorted(found, key=lambda entry: entry.path)


async def _look(hub: HubClient, place: Remote) -> Remote | None:
    try:
        return await hub.request("files.stat", {"path": place.path}, Remote)
    except HubError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise


def _matches(name: str, pattern: str) -> bool:
    is_shown = pattern.startswith(".") or not name.startswith(".")
    return name == pattern or (is_shown and fnmatch.fnmatchcase(name, pattern))


async def find_all(hub: HubClient, sources: Sequence[str]) -> tuple[list[Found], list[Failure]]:
    """What all sources name, and which of them are not there."""
    found: list[Found] = []
    failures = []
    for source in sources:
        try:
            contents = is_contents_only(source) or not remote_path(source)
            named = [Found(remote, contents and remote.is_directory) for remote in await find(hub, source)]
            found += [one for one in named if one not in found]
        except HubError as error:
            failures.append(Failure(source, error.message))
    return found, failures


def make_plan(found: Sequence[Found], local: str) -> list[Wanted]:
    """What is fetched to where.

    Raises:
        CommandError: it cannot go there.
    """
    target = Path(local)
    is_into = target.is_dir()
    if not is_into and (len(found) > 1 or local.endswith("/")):
        what = "is no folder" if target.exists() else "does not exist"
        raise CommandError(f"{local!r} {what}, and a folder is needed there; make it first.", USAGE)
    if not target.absolute().parent.is_dir():
        raise CommandError(f"There is no folder {str(target.parent)!r} here; make it first.", USAGE)
    wanted = []
    for remote, contents in found:
        inside = is_into and contents
        place = target / (remote.name or "files") if is_into else target
        wanted.append(Wanted(remote, target if inside else place, place))
    names = Counter(str(one.target) for one in wanted if one.target != target or not is_into)
    for name, count in names.items():
        if count > 1:
            raise CommandError(f"Two of the sources would become {name!r}.", USAGE)
    return wanted


def params_of(wanted: Wanted, digest: str, expect: str | None) -> dict[str, Any]:
    """The parameters of `transfers.create`."""
    kind = "tree" if wanted.remote.is_directory else "file"
    return {"direction": "download", "kind": kind, "path": wanted.remote.path, "digest": digest, "expect": expect}
