"""A file's bytes on their way through a ContentsManager: read in pieces, to base64 and back. Blocks.

The interpreter is held while base64 is made, so that is done in pieces: other threads, the event loop's too, get turns.
"""

from __future__ import annotations

import os
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import DigestName
from .digest import BlockDigest
from .disk import disk_error
from .ports import Loaded

_PIECE_BYTES: Final = 192 * 1024
"""Divisible by 3, so that what was encoded piece by piece can be put one behind the other."""

_PIECE_CHARACTERS: Final = 256 * 1024


class Body:
    """The bytes of a file, `root` their digest: of a file in the spool, or in memory."""

    def __init__(self, content: Path | bytes, size: int, root: str, algorithm: DigestName, path: str) -> None:
        """`path` is the API path for messages."""
        self.size, self.root, self.algorithm = size, root, algorithm
        self._content, self._path = content, path

    def encoded(self, start: int, end: int) -> str:
        """Some of the bytes in base64."""
        text = ""
        for at in range(start, end, _PIECE_BYTES):
            # Grows in place; to join the pieces of a large file at the end would hold the interpreter for 100 ms.
            text += b64encode(self._read(at, min(_PIECE_BYTES, end - at))).decode("ascii")
        return text

    def _read(self, start: int, byte_count: int) -> bytes:
        if isinstance(self._content, bytes):
            return self._content[start : start + byte_count]
        try:
            descriptor = os.open(self._content, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                data = os.pread(descriptor, byte_count, start)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise disk_error(error, self._path) from error
        if len(data) != byte_count:
            raise HubError(Code.NOT_FOUND, f"What had arrived of {self._path!r} is gone; upload it again.")
        return data

    def is_same(self, loaded: Loaded) -> bool:
        """Whether that has the same bytes."""
        digest = BlockDigest(self.algorithm)
        try:
            for piece in decoded(loaded):
                digest.update(piece)
        except HubError:
            return False
        return digest.byte_offset == self.size and digest.root() == self.root


def decoded(loaded: Loaded) -> Iterator[bytes]:
    """The bytes of a file that was loaded, piece by piece; raises `internal` for what is no base64."""
    carry = b""
    for at in range(0, len(loaded.content), _PIECE_CHARACTERS):
        text = loaded.content[at : at + _PIECE_CHARACTERS]
        if not loaded.is_base64:
            yield text.encode(errors="surrogatepass")
            continue
        try:
            # Managers put lines of 76 characters, which have nothing to do with where the pieces end.
            data = carry + text.encode("ascii").translate(None, b"\r\n")
            whole = len(data) - len(data) % 4
            carry = data[whole:]
            yield a2b_base64(data[:whole])
        except (Error, UnicodeEncodeError) as error:
            raise _no_base64() from error
    if carry:
        raise _no_base64()


def _no_base64() -> HubError:
    return HubError(Code.INTERNAL, "The server's files cannot be read: they came as base64 that is none.")
