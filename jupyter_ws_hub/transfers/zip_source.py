"""A directory as one archive: stored, not compressed, so that its size is known before its first byte.

The same members give the same bytes: to go on in the midst of an archive, it is made again from its beginning.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .source import FileSource
from .walk import Member, etag_of

PIECE_BYTES: Final = 256 * 1024
ZIP64_BYTES: Final = 2**31 - 1
"""zipfile's limit, beyond which a size or a place needs eight bytes."""
ZIP64_ENTRIES: Final = 2**16 - 1
FIRST_S: Final = 315_532_800
"""1980-01-01 and 2107-12-31, UTC: what the format's dates reach."""
LAST_S: Final = 4_354_819_199
UNIX_TIME: Final = struct.Struct("<HHBi")
"""Extra field 0x5455: the modification time in seconds since 1970, which a date of the format tells only roughly."""


def info_of(member: Member, folder: str) -> ZipInfo:
    """How a member stands in the archive, below a folder."""
    seconds = member.mtime_ns // 1_000_000_000
    date = time.gmtime(min(max(seconds, FIRST_S), LAST_S))[:6]
    is_directory = member.validator is None
    info = ZipInfo(f"{folder}/{member.path}".rstrip("/") + "/" * is_directory, date)
    info.create_system = 3  # Unix, wherever it is made
    info.compress_type = ZIP_STORED
    info.file_size = info.compress_size = member.size
    info.CRC = 0  # until it is known
    info.external_attr = (member.mode | (0o40000 if is_directory else 0o100000)) << 16 | 0x10 * is_directory
    if -(2**31) <= seconds < 2**31:
        info.extra = UNIX_TIME.pack(0x5455, 5, 1, seconds)
    return info


def needs_zip64(byte_count: int) -> bool:
    """Whether a file has large sizes in its header: a little before it must."""
    return byte_count * 1.05 > ZIP64_BYTES


def archive_bytes(infos: Sequence[ZipInfo]) -> int:
    """How large the archive of these becomes."""
    at = directory = 0
    for info in infos:
        header = len(info.FileHeader(zip64=True)) - 20  # this way it takes every size
        extra = 8 * (2 * (info.file_size > ZIP64_BYTES) + (at > ZIP64_BYTES))
        directory += header + 16 + (4 + extra if extra else 0)
        at += header + info.file_size
        if not info.is_dir():
            at += 20 + 24 if needs_zip64(info.file_size) else 16
    ends = 22 + (76 if len(infos) > ZIP64_ENTRIES or max(at, directory) > ZIP64_BYTES else 0)
    return at + directory + ends


class _Sink:
    """Where zipfile writes to: it cannot seek, so sizes and checksums follow each file."""

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []

    def write(self, data: bytes | memoryview) -> int:
        self.pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """There is nothing to close."""


class ZipSource:
    """The archive of a directory."""

    members: Sequence[Member] = ()

    def __init__(self, place: Path, path: str, name: str, members: list[Member]) -> None:
        """Everything in it lies in a folder `name`. `path` is the API path of `place`. Opens nothing yet."""
        self._place, self._path, self._folder = place, path, name
        top = Member("", 0, max((member.mtime_ns for member in members), default=0), 0o755, None)
        self._members = [top, *members]
        self.size = archive_bytes([info_of(member, name) for member in self._members])
        self.etag = etag_of(members, f"zip-{name}")
        self._file: FileSource | None = None
        self.seek(0)

    def seek(self, byte_offset: int) -> int:
        """See Source: always the beginning."""
        self.close()
        self._pieces = self._make()
        self._left = memoryview(b"")
        return 0

    def read_into(self, views: Sequence[memoryview]) -> None:
        """See Source."""
        for view in views:
            while view:
                while not self._left:
                    piece = next(self._pieces, None)
                    if piece is None:
                        raise HubError(Code.INTERNAL, f"The archive of {self._path!r} has not the size that was told.")
                    self._left = memoryview(piece)
                count = min(len(view), len(self._left))
                view[:count] = self._left[:count]
                view, self._left = view[count:], self._left[count:]

    def _make(self) -> Iterator[bytes | memoryview]:
        """The archive in pieces, each good until the next one."""
        sink = _Sink()
        archive = ZipFile(sink, "w", ZIP_STORED)
        buffer = memoryview(bytearray(PIECE_BYTES))
        for member in self._members:
            info = info_of(member, self._folder)
            if member.validator is None:
                archive.mkdir(info)
            else:
                yield from self._add(archive, sink, info, member, buffer)
            yield from _taken(sink)
        archive.close()
        yield from _taken(sink)

    def _add(
        self, archive: ZipFile, sink: _Sink, info: ZipInfo, member: Member, buffer: memoryview
    ) -> Iterator[bytes | memoryview]:
        file = self._file = FileSource(self._place / member.path, f"{self._path}/{member.path}", member.validator)
        with archive.open(info, "w", force_zip64=needs_zip64(member.size)) as entry:
            yield from _taken(sink)
            left = member.size
            while left:
                piece = buffer[: min(left, PIECE_BYTES)]
                file.read_into([piece])
                entry.write(piece)
                yield from _taken(sink)
                left -= len(piece)
        file.check()
        self.close()

    def check(self) -> None:
        """See Source: each file was checked when its last byte was read."""

    def close(self) -> None:
        """See Source."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _taken(sink: _Sink) -> Iterator[bytes | memoryview]:
    pieces, sink.pieces = sink.pieces, []
    yield from pieces
