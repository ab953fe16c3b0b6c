"""What the server and its helper process say to each other, over the helper's standard input and output.

Each message is a frame: 4 bytes length of what follows, 1 byte kind, 4 bytes id, and the body, JSON. Little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from .entry import Directory, Order

HEAD: Final = struct.Struct("<IBI")


class Kind(IntEnum):
    """What a frame is."""

    LIST = 1
    """`ListBody`: list in pages, as many as there is credit for."""
    MORE = 2
    """One page more may come."""
    DROP = 3
    """The listing, or the watch, is of no interest any more."""
    WATCH = 4
    """`WatchBody`: tell what changes in a directory."""
    MIME = 5
    """`MimeTables`."""
    PAGE = 6
    """An encoded `Page`."""
    END = 7
    """All pages have come."""
    FAILED = 8
    """`FailedBody`: that was all."""
    WATCHING = 9
    """The watch has begun."""
    CHANGED = 10
    """`DirectoryChanged`."""


class ListBody(msgspec.Struct, frozen=True):
    """What to list: all of it in pages, or a window if `limit` is not 0."""

    directory: Directory
    order: Order
    page_entries: int
    credit: int
    """Pages that may come before the first MORE."""
    first: int = 0
    limit: int = 0


class WatchBody(msgspec.Struct, frozen=True):
    """What to watch; by looking again and again where the system tells of no changes."""

    directory: Directory
    polling: bool


class FailedBody(msgspec.Struct, frozen=True):
    """An error of the operating system."""

    errno: int


class Frame(NamedTuple):
    """A message."""

    kind: Kind
    id: int
    body: bytes


def pack(kind: Kind, id: int, body: msgspec.Struct | bytes = b"") -> bytes:
    """A frame, to be written."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HEAD.pack(len(data) + HEAD.size - 4, kind, id) + data


class Unpacker:
    """Makes frames of what is read."""

    def __init__(self) -> None:
        """Nothing was read."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take what was read; give the frames that are whole."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= HEAD.size:
            size, kind, id = HEAD.unpack_from(buffer, at)
            end = at + 4 + size
            if len(buffer) < end:
                break
            yield Frame(Kind(kind), id, bytes(buffer[at + HEAD.size : end]))
            at = end
        del buffer[:at]
