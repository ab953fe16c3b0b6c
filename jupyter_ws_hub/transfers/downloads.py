"""Opening what is downloaded, by its API path and kind: when it is asked for, and again for each stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Kind
from .operation import DownloadPlan, Operation
from .ports import LocalFiles
from .source import FileSource, Source
from .tree_source import TreeSource
from .walk import Walk
from .zip_source import ZipSource

Run = Callable[..., Awaitable[Any]]


def name_of(files: LocalFiles, path: str, kind: Kind) -> str:
    """How a download is to be called; a directory without a name, as the root is, by where it lies."""
    name = path.strip("/").rpartition("/")[2] or files.root.resolve().name or "files"
    return f"{name}.zip" if kind == "zip" else name


async def open_source(files: LocalFiles, run: Run, path: str, kind: Kind, max_entries: int) -> Source:
    """Open a file, or walk a directory; `run` runs what blocks.

    Raises:
        HubError: `invalid` for a file that is wanted as a directory, and the other way round; `too_big` for a
            directory with more than `max_entries`; what `LocalFiles` raises.
    """
    path = path.strip("/")
    if kind == "file":
        try:
            source: Source = await run(FileSource, await files.source(path), path)
        except HubError as error:
            raise _better(error, f"{path!r} is no file; a directory is downloaded as 'zip' or 'tree'.") from error
        return source
    try:
        place = await files.directory(path)
    except HubError as error:
        raise _better(error, f"{path!r} is no directory; a file is downloaded as 'file'.") from error
    opened: Source = await run(_open, files, place, path, kind, max_entries)
    return opened


async def prepare(files: LocalFiles, run: Run, path: str, plan: DownloadPlan, max_entries: int) -> Operation:
    """The operation of a download, still without an id and a principal.

    Raises:
        HubError: `source_changed` if it has another etag than expected; as `open_source`.
    """
    source = await open_source(files, run, path, plan.kind, max_entries)
    await run(source.close)
    if plan.expect_etag not in (None, source.etag):
        raise HubError(Code.SOURCE_CHANGED, f"{path!r} is not the same any more; download it anew.")
    operation = Operation("", "download", "", path.strip("/"), source.size, download=plan, kind=plan.kind)
    operation.name, operation.etag = name_of(files, path, plan.kind), source.etag
    operation.entries = len(source.members)
    return operation


def _better(error: HubError, message: str) -> HubError:
    return HubError(Code.INVALID, message) if error.code is Code.INVALID else error


def _open(files: LocalFiles, place: Path, path: str, kind: Kind, max_entries: int) -> Source:
    members = Walk(place, files.root, files.allows, max_entries, path).members()
    if kind == "tree":
        return TreeSource(place, path, members)
    return ZipSource(place, path, name_of(files, path, "tree"), members)
