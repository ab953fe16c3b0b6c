"""Service `files`: list, look at, read, write, make, move, copy and delete files through the ContentsManager."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .base import Service, method
from .ports import Model

EntryType = Literal["file", "directory", "notebook"]
READ = ("read", "contents")
WRITE = ("write", "contents")


class Entry(msgspec.Struct, frozen=True):
    """A file, notebook or directory, without its content. `size` is in bytes, null for directories."""

    name: str
    path: str
    type: EntryType
    writable: bool
    last_modified: str
    created: str
    size: int | None = None
    mimetype: str | None = None


class PathParams(msgspec.Struct, frozen=True):
    """A path, relative to the server's root."""

    path: str


class Listing(msgspec.Struct, frozen=True):
    """A directory and what is in it, sorted by name."""

    path: str
    entries: list[Entry]


class GetParams(msgspec.Struct, frozen=True):
    """What to read, and how: as what the ContentsManager thinks best where `type` or `format` are null."""

    path: str
    type: Literal["file", "notebook"] | None = None
    format: Literal["text", "base64", "json"] | None = None


class FileContent(msgspec.Struct, frozen=True):
    """A file with its content: text, base64, or a notebook's JSON."""

    entry: Entry
    format: Literal["text", "base64", "json"]
    content: Any


class SaveParams(msgspec.Struct, frozen=True):
    """What to write where. With `expect`, only if the file's `last_modified` is still that."""

    path: str
    content: Any
    type: Literal["file", "notebook"] = "file"
    format: Literal["text", "base64", "json"] = "text"
    expect: str | None = None


class CreateParams(msgspec.Struct, frozen=True):
    """Make something empty at a path."""

    path: str
    type: EntryType = "file"


class MoveParams(msgspec.Struct, frozen=True):
    """From where to where."""

    path: str
    to: str


def _time(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _entry(model: Model) -> Entry:
    return Entry(
        name=model["name"],
        path=model["path"],
        type=model["type"],
        writable=bool(model.get("writable", True)),
        last_modified=_time(model["last_modified"]),
        created=_time(model["created"]),
        size=model.get("size"),
        mimetype=model.get("mimetype"),
    )


class FilesService(Service):
    """Files and directories under the server's root."""

    name = "files"

    @method("files.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: PathParams, peer: Peer) -> Listing:
        """List a directory."""
        model = await self.context.contents.get(params.path, content=True, type="directory")
        entries = [_entry(child) for child in model["content"]]
        return Listing(model["path"], sorted(entries, key=lambda entry: entry.name))

    @method("files.stat", permission=READ, idempotent=True, activity=False)
    async def stat(self, params: PathParams, peer: Peer) -> Entry:
        """Look at a file or directory without reading it."""
        return _entry(await self.context.contents.get(params.path, content=False))

    @method("files.get", permission=READ, idempotent=True)
    async def get(self, params: GetParams, peer: Peer) -> FileContent:
        """Read a file or notebook."""
        contents = self.context.contents
        if params.type is None and (await contents.get(params.path, content=False))["type"] == "directory":
            raise HubError(Code.INVALID, f"{params.path!r} is a directory; files.list lists it.")
        model = await contents.get(params.path, content=True, type=params.type, format=params.format)
        return FileContent(_entry(model), model["format"], model["content"])

    @method("files.save", permission=WRITE)
    async def save(self, params: SaveParams, peer: Peer) -> Entry:
        """Write a file or notebook, whole."""
        if params.expect is not None:
            now = _time((await self.context.contents.get(params.path, content=False))["last_modified"])
            if now != params.expect:
                raise HubError(
                    Code.CONFLICT,
                    f"{params.path!r} was changed meanwhile; read it again before you save.",
                    details={"expected": params.expect, "current": now},
                )
        model = {"type": params.type, "format": params.format, "content": params.content}
        return _entry(await self.context.contents.save(params.path, model))

    @method("files.create", permission=WRITE)
    async def create(self, params: CreateParams, peer: Peer) -> Entry:
        """Make an empty file, notebook or directory."""
        return _entry(await self.context.contents.create(params.path, params.type))

    @method("files.rename", permission=WRITE)
    async def rename(self, params: MoveParams, peer: Peer) -> Entry:
        """Move or rename a file or directory."""
        return _entry(await self.context.contents.rename(params.path, params.to))

    @method("files.copy", permission=WRITE)
    async def copy(self, params: MoveParams, peer: Peer) -> Entry:
        """Copy a file or directory."""
        return _entry(await self.context.contents.copy(params.path, params.to))

    @method("files.delete", permission=WRITE)
    async def delete(self, params: PathParams, peer: Peer) -> None:
        """Delete a file or directory, to the trash where that is configured."""
        await self.context.contents.delete(params.path)
