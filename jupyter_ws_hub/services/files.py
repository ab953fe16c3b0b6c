"""Service `files`: list, look at, read, write, make, move, copy and delete files through the ContentsManager.

Listings and changes of directories on this machine's disk come from the helper process, encoded; all else, and all
that writes, goes through the ContentsManager.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Literal, cast
from urllib.parse import quote, unquote
from weakref import WeakValueDictionary

import msgspec

from ..listing.elsewhere import Pages
from ..listing.entry import MAX_WINDOW, DirectoryChanged, Entry, EntryType, Order, Page, Sort
from ..listing.feed import Feed
from ..listing.helper import HelperDied
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT
from ..transfers.disk import disk_error
from .base import Service, ServiceContext, Topic, method
from .ports import Checkpoint, Model, time_text

READ = ("read", "contents")
WRITE = ("write", "contents")
TOPIC: Final = "files/"
ATTEMPTS: Final = 2
"""A helper process that dies, or cannot be started, so often: then the manager lists, which takes longer."""

AT_ONCE: Final = 200
"""So many entries are sorted at once; more, in a thread."""

NOT_ENCODED: Final = "!~*'()"
"""What `encodeURIComponent` leaves as it is, besides what `quote` does."""


class PathParams(msgspec.Struct, frozen=True):
    """A path, relative to the server's root."""

    path: str


class ListDirectory(msgspec.Struct, frozen=True):
    """What to list, and how. Names sort by the numbers in them, `type` groups directories, notebooks and files.

    `filter` is a part of the name, whatever the case, or a glob if it has one of `*?[`. `hidden` shows hidden files
    too, where the server allows that. `page_entries` is how many entries a page has at most; 0: as many as fit.
    """

    path: str
    sort: Sort = "name"
    descending: bool = False
    directories_first: bool = False
    filter: str | None = None
    hidden: bool = False
    page_entries: int = 0

    @property
    def order(self) -> Order:
        """How."""
        return Order(self.sort, self.descending, self.directories_first, self.filter, self.hidden)


class PageParams(ListDirectory, frozen=True, kw_only=True):
    """Which stretch of a listing: `limit` entries from number `first` on, at most 200."""

    first: int
    limit: int


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
    """What to write where. With `expect`, only if the file's etag still is that, or if there is none for `absent`."""

    path: str
    content: Any
    type: Literal["file", "notebook"] = "file"
    format: Literal["text", "base64", "json"] = "text"
    expect: str | None = None


class CreateParams(msgspec.Struct, frozen=True):
    """Make something empty at a path."""

    path: str
    type: EntryType = "file"


class MakeDirectory(msgspec.Struct, frozen=True):
    """Make a directory; with `parents` also those that lead to it, and it may exist already."""

    path: str
    parents: bool = False


class MoveParams(msgspec.Struct, frozen=True):
    """From where to where."""

    path: str
    to: str


class CheckpointParams(msgspec.Struct, frozen=True):
    """A checkpoint of a file."""

    path: str
    id: str


def _entry(model: Model) -> Entry:
    time = model["last_modified"]
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    return Entry(
        name=model["name"],
        path=model["path"].strip("/"),
        type=model["type"],
        writable=bool(model.get("writable", True)),
        last_modified=time_text(time),
        created=time_text(model["created"]),
        size=model.get("size"),
        mimetype=model.get("mimetype"),
        etag=model.get("etag"),
        mtime_ms=model.get("mtime_ms", int(moment.timestamp() * 1000)),
    )


def _encoded(page: bytes) -> Page:
    """A page that is encoded already: the hub sends it as it is."""
    return cast(Page, msgspec.Raw(page))


def topic_of(path: str) -> str:
    """The topic of a directory."""
    return TOPIC + quote(f"/{path.strip('/')}", safe=NOT_ENCODED)


def path_of(topic: str) -> str:
    """The directory of a topic; each has only one.

    Raises:
        HubError: `not_found` for a name that is not encoded as it should be.
    """
    path = unquote(topic.removeprefix(TOPIC), errors="replace").strip("/")
    if topic_of(path) != topic:
        raise HubError(Code.NOT_FOUND, f"{topic!r} names no directory: it is files/ + encodeURIComponent('/' + path).")
    return path


class FilesService(Service):
    """Files and directories under the server's root."""

    name = "files"

    def bind(self, context: ServiceContext) -> None:
        """Take the context."""
        super().bind(context)
        self._saving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def all_topics(self) -> Sequence[Topic]:
        """A topic for each directory, watched only while somebody follows it."""
        events = {"changed": DirectoryChanged}
        return [Topic(f"{TOPIC}*", events, READ, check=self._check, watched=self._watched)]

    async def start(self) -> None:
        """Start the helper process; nothing waits for it."""
        context = self.context
        logger = context.runtime.logger
        self._feed = Feed(context.listings, logger, context.contents.listen, self._look, self._publish)
        self._warming = asyncio.create_task(context.listings.start())

    async def stop(self) -> None:
        """End the helper process, and all watches."""
        await self._feed.stop()
        self._warming.cancel()
        await asyncio.wait([self._warming])
        await self.context.listings.stop()

    @method("files.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: ListDirectory, peer: Peer) -> AsyncIterator[Page]:
        """List a directory, page after page; at least one, the first one at once."""
        directory = await self.context.contents.directory(params.path)
        begun = False
        for _ in range(ATTEMPTS if directory is not None else 0):
            assert directory is not None
            try:
                pages = self.context.listings.pages(
                    directory, params.order, max(0, params.page_entries), peer.principal
                )
                async with aclosing(pages):
                    async for page in pages:
                        begun = True
                        yield _encoded(page)
                return
            except OSError as error:
                raise disk_error(error, params.path) from error
            except HelperDied as error:
                if begun:
                    raise HubError(
                        Code.UNAVAILABLE, f"{params.path!r} was not listed to its end; try again."
                    ) from error
        listing = await self._through_manager(params)
        first = 0
        while first < listing.total or not first:
            data, count = listing.page(first, max(0, params.page_entries))
            yield _encoded(data)
            first += max(1, count)

    @method("files.page", permission=READ, idempotent=True, activity=False)
    async def page(self, params: PageParams, peer: Peer) -> Page:
        """A stretch of a listing, for scrolling."""
        if not (0 < params.limit <= MAX_WINDOW and params.first >= 0):
            raise HubError(Code.INVALID, f"A page has 1 to {MAX_WINDOW} entries, and begins at 0 or later.")
        directory = await self.context.contents.directory(params.path)
        for _ in range(ATTEMPTS if directory is not None else 0):
            assert directory is not None
            try:
                listings, who = self.context.listings, peer.principal
                return _encoded(await listings.window(directory, params.order, params.first, params.limit, who))
            except OSError as error:
                raise disk_error(error, params.path) from error
            except HelperDied:
                continue
        listing = await self._through_manager(params)
        return _encoded(listing.page(params.first, params.limit, window=True)[0])

    async def _through_manager(self, params: ListDirectory) -> Pages:
        model = await self.context.contents.get(params.path, content=True, type="directory")
        entries = [_entry(child) for child in model["content"]]
        path = model["path"].strip("/")
        if len(entries) <= AT_ONCE:
            return Pages(path, entries, params.order)
        return await asyncio.to_thread(Pages, path, entries, params.order)

    @method("files.stat", permission=READ, idempotent=True, activity=False)
    async def stat(self, params: PathParams, peer: Peer) -> Entry:
        """Look at a file or directory without reading it."""
        return _entry(await self.context.contents.get(params.path, content=False))

    @method("files.get", permission=READ, idempotent=True)
    async def get(self, params: GetParams, peer: Peer) -> FileContent:
        """Read a file or notebook that fits an answer; larger ones are downloaded (`transfers.create`)."""
        contents = self.context.contents
        if params.type is None and (await contents.get(params.path, content=False))["type"] == "directory":
            raise HubError(Code.INVALID, f"{params.path!r} is a directory; files.list lists it.")
        limit = self.context.max_reply_bytes
        model = await contents.get(params.path, content=True, type=params.type, format=params.format, max_bytes=limit)
        return FileContent(_entry(model), model["format"], model["content"])

    @method("files.save", permission=WRITE)
    async def save(self, params: SaveParams, peer: Peer) -> Entry:
        """Write a file or notebook, whole, that fits a frame; larger ones are uploaded (`transfers.create`)."""
        model = {"type": params.type, "format": params.format, "content": params.content}
        path = params.path.strip("/")
        # What saves here by this hub waits for each other; others are seen up to the moment of the look.
        lock = self._saving.setdefault(path, asyncio.Lock())
        async with lock:
            if params.expect is not None:
                await self._require(params.path, params.expect)
            return _entry(await self.context.contents.save(params.path, model))

    async def _require(self, path: str, expected: str) -> None:
        try:
            current = (await self.context.contents.get(path, content=False)).get("etag")
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            current = ABSENT
        if current != expected:
            what = "is not there any more" if current == ABSENT else "was changed meanwhile"
            if expected == ABSENT:
                what = "is there already"
            raise HubError(
                Code.CONFLICT,
                f"{path!r} {what}; nothing was saved.",
                details={"expected": expected, "current": current},
            )

    @method("files.create", permission=WRITE)
    async def create(self, params: CreateParams, peer: Peer) -> Entry:
        """Make an empty file, notebook or directory."""
        return _entry(await self.context.contents.create(params.path, params.type))

    @method("files.mkdir", permission=WRITE)
    async def mkdir(self, params: MakeDirectory, peer: Peer) -> Entry:
        """Make a directory."""
        contents = self.context.contents
        if not params.parents:
            return _entry(await contents.create(params.path, "directory"))
        names = [name for name in params.path.split("/") if name]
        for depth in range(1, len(names) + 1):
            path = "/".join(names[:depth])
            try:
                await contents.create(path, "directory")
            except HubError as error:
                if error.code is not Code.EXISTS:
                    raise
        entry = _entry(await contents.get(params.path, content=False))
        if entry.type != "directory":
            raise HubError(Code.EXISTS, f"{params.path!r} exists already, and is no directory.")
        return entry

    @method("files.rename", permission=WRITE)
    async def rename(self, params: MoveParams, peer: Peer) -> Entry:
        """Move or rename a file or directory to a path at which nothing is."""
        return _entry(await self.context.contents.rename(params.path, params.to))

    @method("files.move", permission=WRITE)
    async def move(self, params: MoveParams, peer: Peer) -> Entry:
        """Move a file or directory into a directory, or to a path at which nothing is."""
        to = params.to.strip("/")
        try:
            into = (await self.context.contents.get(to, content=False))["type"] == "directory"
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            into = False  # rename tells of it if it is hidden
        name = params.path.strip("/").rpartition("/")[2]
        return _entry(await self.context.contents.rename(params.path, f"{to}/{name}".strip("/") if into else to))

    @method("files.copy", permission=WRITE)
    async def copy(self, params: MoveParams, peer: Peer) -> Entry:
        """Copy a file or directory to a path, or into a directory under a free name."""
        return _entry(await self.context.contents.copy(params.path, params.to))

    @method("files.delete", permission=WRITE)
    async def delete(self, params: PathParams, peer: Peer) -> None:
        """Delete a file or directory, to the trash where that is configured."""
        await self.context.contents.delete(params.path)

    @method("files.checkpoints", permission=READ, idempotent=True, activity=False)
    async def checkpoints(self, params: PathParams, peer: Peer) -> Sequence[Checkpoint]:
        """List the checkpoints of a file."""
        return await self.context.contents.checkpoints(params.path)

    @method("files.checkpoint", permission=WRITE)
    async def checkpoint(self, params: PathParams, peer: Peer) -> Checkpoint:
        """Make a checkpoint of a file; the one before it may be replaced."""
        return await self.context.contents.make_checkpoint(params.path)

    @method("files.restore", permission=WRITE)
    async def restore(self, params: CheckpointParams, peer: Peer) -> Entry:
        """Bring a file back to a checkpoint."""
        return _entry(await self.context.contents.restore_checkpoint(params.path, params.id))

    @method("files.delete_checkpoint", permission=WRITE)
    async def delete_checkpoint(self, params: CheckpointParams, peer: Peer) -> None:
        """Forget a checkpoint."""
        await self.context.contents.delete_checkpoint(params.path, params.id)

    async def _check(self, peer: Peer, topic: str) -> None:
        await self.context.contents.directory(path_of(topic))

    async def _watched(self, topic: str, begin: bool) -> None:
        """Watch a directory as long as somebody follows its topic."""
        if not begin:
            self._feed.end(topic)
            return
        path = path_of(topic)
        directory = await self.context.contents.directory(path)
        try:
            await self._feed.begin(topic, path, directory)
        except OSError as error:
            raise disk_error(error, path) from error
        except HelperDied as error:
            raise HubError(Code.UNAVAILABLE, f"Changes of {path!r} cannot be watched now.") from error

    async def _publish(self, topic: str, change: DirectoryChanged) -> None:
        await self.context.publish(topic, "changed", change)

    async def _look(self, path: str) -> Entry | None:
        try:
            return _entry(await self.context.contents.get(path, content=False))
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None
