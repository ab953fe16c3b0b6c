"""Clients that download one file. All of them take the digest of what comes, ours compare it with the server's."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import CHUNK_HEADER
from jupyter_ws_hub.transfers.digest import BlockDigest

from .file_stream import READ_BYTES, Client, Control, FileStream
from .file_systems import FileSystem
from .file_uploads import AUTHORIZED, requests
from .file_wire import content

AHEAD_BYTES: Final = transfer.MAX_WINDOW_BYTES // 2
"""How far beyond what has come a client lets the server go."""
GRANT_BYTES: Final = 1 << 20


def make_file(path: Path, size: int) -> None:
    """Write the content, to be downloaded."""
    with path.open("wb") as file:
        file.writelines(pieces(size))


def pieces(size: int, period: bytes = b"") -> Iterator[bytes]:
    """A file of `size` bytes: the period again and again; the usual content if none is given."""
    period = period or content()
    for at in range(0, size, len(period)):
        yield period[: size - at]


class Download(Protocol):
    """A download that can be made again and again."""

    received_bytes: int
    """Of files, by all runs."""

    def run(self, until_s: float = math.inf) -> None:
        """Download the file, or as much of it as comes until then, by CLOCK_MONOTONIC."""
        ...

    def close(self) -> None:
        """Let go of what it has."""
        ...


class Content:
    """What has come of a file."""

    def __init__(self, size: int, period: bytes) -> None:
        """Know what must come."""
        self._size = size
        digest = BlockDigest()
        for piece in pieces(size, period):
            digest.update(piece)
        self.root = digest.root()
        self.begin()

    def begin(self) -> None:
        """Nothing has come."""
        self.at = 0
        self._digest = BlockDigest()

    def take(self, data: memoryview) -> None:
        """The bytes that follow."""
        self.at += len(data)
        self._digest.update(data)

    @property
    def whole(self) -> bool:
        """Whether all has come.

        Raises:
            RuntimeError: it has, but it is not what should have come.
        """
        if self.at < self._size:
            return False
        if self.at > self._size or self._digest.root() != self.root:
            raise RuntimeError("what came is not what is in the file")
        return True


class HubDownload(Client):
    """Ours, over a file stream."""

    def __init__(self, system: FileSystem, name: str, size: int, period: bytes) -> None:
        """Connect."""
        self.received_bytes = 0
        self._port, self._name = system.port, name
        self._content = Content(size, period)
        self._connection = Control(system.port)
        self._header = CHUNK_HEADER.size

    def run(self, until_s: float = math.inf) -> None:
        """See Download."""
        op = self._control.create("download", self._name).op
        self._content.begin()
        with FileStream(self._port, op, self._take) as stream:
            granted = 0
            while time.monotonic() < until_s:
                if self._content.at + AHEAD_BYTES >= granted + GRANT_BYTES:
                    granted = self._content.at + AHEAD_BYTES
                    stream.say(transfer.Credit(granted))
                for message in stream.wait():
                    if isinstance(message, transfer.Done):
                        self._compare(message)
                        return

    def _take(self, data: memoryview, last: bool) -> None:
        skipped = min(self._header, len(data))
        self._header = CHUNK_HEADER.size if last else self._header - skipped
        self.received_bytes += len(data) - skipped
        self._content.take(data[skipped:])

    def _compare(self, done: transfer.Done) -> None:
        if not self._content.whole or done.root != self._content.root:
            raise RuntimeError(f"{self._content.at} bytes have come, and the digest is {done.root}")


class HttpDownload(Client):
    """A plain request."""

    def __init__(self, system: FileSystem, name: str, size: int, period: bytes) -> None:
        """Know what must come."""
        self.received_bytes = 0
        self._port, self._name = system.port, name
        self._content = Content(size, period)
        self._buffer = memoryview(bytearray(READ_BYTES))

    def path(self) -> str:
        """Where the bytes are."""
        return f"/files/{self._name}"

    def run(self, until_s: float = math.inf) -> None:
        """See Download."""
        self._content.begin()
        with requests(self._port) as connection:
            path = self.path()
            connection.request("GET", path, headers=AUTHORIZED)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {answer.read(200)!r}")
            while time.monotonic() < until_s and (count := answer.readinto(self._buffer)):
                self.received_bytes += count
                self._content.take(self._buffer[:count])
            if time.monotonic() < until_s and not self._content.whole:
                raise RuntimeError(f"only {self._content.at} bytes have come")


class TwinDownload(HttpDownload):
    """Ours, over HTTP."""

    def __init__(self, system: FileSystem, name: str, size: int, period: bytes) -> None:
        """Connect."""
        super().__init__(system, name, size, period)
        self._connection = Control(system.port)

    def path(self) -> str:
        """Make an operation."""
        return f"/ws/file-stream/{self._control.create('download', self._name).op}/content"


def download(system: FileSystem, name: str, size: int, period: bytes = b"") -> Download:
    """The client for a system; the file must have the content that `pieces` gives."""
    if system.dialect == "hub":
        return HubDownload(system, name, size, period)
    return (TwinDownload if system.dialect == "twin" else HttpDownload)(system, name, size, period)
