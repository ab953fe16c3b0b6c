"""What a listing consists of: entries, pages of them, and what has changed in a directory. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

EntryType = Literal["file", "directory", "notebook"]
Sort = Literal["name", "modified", "size", "type"]

PAGE_BYTES: Final = 28 * 1024
"""The entries of a page, encoded: with what stands around them they fit into one item of a streamed reply."""

MAX_WINDOW: Final = 200
"""Entries that may be asked for by one request."""

WINDOW_BYTES: Final = 1024 * 1024
"""A window is the answer to one request, and whole unless its names are absurd."""


class Entry(msgspec.Struct, frozen=True):
    """A file, notebook or directory, without its content. `size` is in bytes, null for directories.

    `etag` is another one whenever the content may be; null for directories. `mtime_ms` is `last_modified` in
    milliseconds since 1970-01-01 UTC.
    """

    name: str
    path: str
    type: EntryType
    writable: bool
    last_modified: str
    created: str
    size: int | None = None
    mimetype: str | None = None
    etag: str | None = None
    mtime_ms: int = 0


class Page(msgspec.Struct, frozen=True):
    """A stretch of a sorted listing: entries from number `first` on, of `total`.

    What has vanished since the names were read is left out, so there may be fewer entries than numbers. Pages with the
    same `etag` are of the same names.
    """

    path: str
    first: int
    total: int
    entries: list[Entry]
    etag: str


class EncodedPage(msgspec.Struct, frozen=True):
    """A `Page` whose entries are encoded already."""

    path: str
    first: int
    total: int
    entries: msgspec.Raw
    etag: str


class DirectoryChanged(msgspec.Struct, frozen=True):
    """What has changed in a directory that is watched: new or changed entries, and names that are gone.

    `reset`: too much has changed to be told, or the directory itself has; list it again. `gone`: it is there no
    longer; if it comes back, that is a `reset`. Names that nobody has seen may be told to be gone.
    """

    path: str
    entries: list[Entry] = []
    removed: list[str] = []
    reset: bool = False
    gone: bool = False


class Order(msgspec.Struct, frozen=True):
    """How a listing is sorted and what is left out of it; see `services.files.ListDirectory`."""

    sort: Sort = "name"
    descending: bool = False
    directories_first: bool = False
    filter: str | None = None
    hidden: bool = False


class Directory(msgspec.Struct, frozen=True):
    """A directory on this machine, and the rules of the ContentsManager for what is in it."""

    os_path: str
    path: str
    """The API path, without slashes at its ends."""
    allow_hidden: bool = False
    hide_globs: tuple[str, ...] = ()


class Packer:
    """Puts encoded entries together to pages of at most so many entries and bytes."""

    def __init__(self, limit: int, page_bytes: int = PAGE_BYTES) -> None:
        """`limit` entries to a page; 0: as many as fit into `page_bytes`."""
        self._limit = limit
        self._page_bytes = page_bytes
        self._encoder = msgspec.json.Encoder()
        self.encoded: list[bytes] = []
        self._size = 0

    def add(self, entry: Entry) -> bool:
        """Take an entry; False if it must wait for the next page."""
        data = self._encoder.encode(entry)
        is_full = self._size + len(data) + 1 > self._page_bytes or len(self.encoded) == (self._limit or -1)
        if self.encoded and is_full:
            return False
        self.encoded.append(data)
        self._size += len(data) + 1
        return True

    def page(self, path: str, first: int, total: int, etag: str) -> bytes:
        """The encoded page."""
        entries = msgspec.Raw(b"[" + b",".join(self.encoded) + b"]")
        return self._encoder.encode(EncodedPage(path, first, total, entries, etag))
