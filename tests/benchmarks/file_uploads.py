"""Clients that upload one file, each as its system wants it; what is sent is prepared before the clock runs."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import msgspec

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_FRAME_BYTES
from jupyter_ws_hub.transfers.digest import BlockDigest
from tests.support.server import TOKEN

from .file_stream import READ_BYTES, Client, Control, FileStream
from .file_systems import FileSystem
from .file_wire import CHROMIUM_FRAGMENT_BYTES, Cycle, content, fragments
from .wire import TIMEOUT_S, BlockingClient, Target

JUPYTERLAB_CHUNK_BYTES: Final = 1 << 20
AUTHORIZED: Final = {"Authorization": f"token {TOKEN}"}
TUS_HEADERS: Final = {"Tus-Resumable": "1.0.0"}


class Shape(msgspec.Struct, frozen=True):
    """How a file is cut into messages (header and payload), and messages into frames; 0: not at all."""

    message_bytes: int = MAX_CHUNK_FRAME_BYTES
    fragment_bytes: int = 0


FRAMES: Final = Shape()
LARGE: Final = Shape(1 << 20, CHROMIUM_FRAGMENT_BYTES)


class Upload(Protocol):
    """An upload that was prepared, and can be made again and again."""

    sent_bytes: int
    """Of files, by all runs."""

    def run(self, until_s: float = math.inf) -> None:
        """Upload the file, or as much of it as goes until then, by CLOCK_MONOTONIC."""
        ...

    def close(self) -> None:
        """Let go of what it has."""
        ...


class Sequence:
    """A file's data frames, in order."""

    def __init__(self, size: int, shape: Shape) -> None:
        """A file of `size` bytes."""
        period = content()
        self._size = size
        self._whole = Cycle(period, shape.message_bytes, shape.fragment_bytes) if size >= len(period) else None
        tail = size % len(period)
        self._tail = Cycle(period[:tail], shape.message_bytes, shape.fragment_bytes) if tail else None
        self._cycle: Cycle | None = None
        self._base = self.at = 0
        self.rewind()

    def rewind(self) -> None:
        """Begin again at byte 0."""
        self._base = self.at = 0
        self._next_cycle()

    def _next_cycle(self) -> None:
        self._base = self.at
        self._cycle = self._whole if self._size - self.at >= len(content()) else self._tail
        if self._cycle is not None:
            self._cycle.begin(self.at)

    def take(self, limit: int) -> tuple[memoryview, memoryview]:
        """Whole messages up to the byte `limit` of the file, about a megabyte: on the wire (good until the next call),
        and as content."""
        if self._cycle is not None and self.at - self._base == self._cycle.period_bytes:
            self._next_cycle()
        if self._cycle is None:
            return memoryview(b""), memoryview(b"")
        start = self.at - self._base
        piece = self._cycle.messages(start, min(limit - self._base, start + READ_BYTES))
        self.at += piece.content_bytes
        return piece.wire, memoryview(content())[start : start + piece.content_bytes]


class HubUpload(Client):
    """Ours: data as far as the credit goes, digests while it goes, the root at the end."""

    def __init__(self, system: FileSystem, name: str, size: int, shape: Shape) -> None:
        """Prepare the frames."""
        self.sent_bytes = 0
        self._port, self._name, self._size = system.port, name, size
        self._frames = Sequence(size, shape)
        self._connection = Control(system.port)

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        op = self._control.create("upload", self._name, size=self._size, if_exists="overwrite").op
        with FileStream(self._port, op) as stream:
            digest = BlockDigest()
            self._frames.rewind()
            limit = stream.welcome.limit
            while self._frames.at < self._size and time.monotonic() < until_s:
                wire, plain = self._frames.take(min(limit, self._size))
                digest.update(plain)
                stream.send(wire)
                self.sent_bytes += len(plain)
                for message in stream.heard() if wire else stream.wait():
                    limit = message.limit if isinstance(message, transfer.Credit) else limit
            if self._frames.at == self._size:
                stream.say(transfer.Finish(self._size, digest.root()))
                stream.wait_for(transfer.Done)


class SinkUpload(Client):
    """The naive handler: the same frames, nothing else."""

    def __init__(self, system: FileSystem, name: str, size: int, shape: Shape) -> None:
        """Prepare the frames."""
        self.sent_bytes = 0
        self._size, self._path = size, str(system.folder / name)
        self._target = Target(system.port, "/sink", hub=False)
        self._frames = Sequence(size, shape)

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        with BlockingClient(self._target) as client:
            client.send(b"".join(fragments(self._path.encode(), 1 << 16)))
            self._frames.rewind()
            while self._frames.at < self._size and time.monotonic() < until_s:
                wire, plain = self._frames.take(self._size)
                client.send(wire)
                self.sent_bytes += len(plain)
            client.send(b"".join(fragments(b"end", 1 << 16)))
            client.receive(b"done")


@contextlib.contextmanager
def requests(port: int) -> Iterator[http.client.HTTPConnection]:
    """A connection for requests, one after another."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Iterator[bytes | memoryview] | bytes = b"",
) -> http.client.HTTPResponse:
    """Make a request and read its answer.

    Raises:
        RuntimeError: it was refused.
    """
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
    return answer


class StockUpload(Client):
    """JupyterLab's: a listing of the directory, then a PUT for each MiB, one after another. The bodies are ready."""

    def __init__(self, system: FileSystem, name: str, size: int, shape: Shape) -> None:
        """Make the bodies: what the browser spends for base64 and JSON is not counted."""
        self.sent_bytes = 0
        self._port, self._name, self._size = system.port, name, size
        self._ends: list[bytes] = []
        period, step = memoryview(content()), JUPYTERLAB_CHUNK_BYTES
        pieces = [base64.b64encode(period[at : at + step]) for at in range(0, len(period), step)]
        self._ends = [b',"content":"' + piece + b'"}' for piece in pieces]
        if size % JUPYTERLAB_CHUNK_BYTES or size <= JUPYTERLAB_CHUNK_BYTES:
            raise ValueError("the size must be a multiple of JupyterLab's chunks")

    def _body(self, number: int, last: bool) -> list[bytes]:
        model = {"type": "file", "format": "base64", "name": self._name, "chunk": -1 if last else number + 1}
        return [json.dumps(model, separators=(",", ":")).encode()[:-1], self._ends[number % len(self._ends)]]

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        chunks = self._size // JUPYTERLAB_CHUNK_BYTES
        with requests(self._port) as connection:
            ask(connection, "GET", "/api/contents/?content=1&hash=0", AUTHORIZED)
            for number in range(chunks):
                if time.monotonic() >= until_s:
                    return
                body = self._body(number, number == chunks - 1)
                headers = {"Content-Type": "application/json", "Content-Length": str(sum(map(len, body)))}
                ask(connection, "PUT", f"/api/contents/{self._name}", {**AUTHORIZED, **headers}, iter(body))
                self.sent_bytes += JUPYTERLAB_CHUNK_BYTES


class TusUpload(Client):
    """tus: a POST, and all bytes in one PATCH."""

    def __init__(self, system: FileSystem, name: str, size: int, shape: Shape) -> None:
        """Nothing is to be made ready."""
        self.sent_bytes = 0
        self._port, self._size = system.port, size

    def _body(self, until_s: float) -> Iterator[memoryview]:
        period, at = memoryview(content()), 0
        while at < self._size:
            if time.monotonic() >= until_s:
                raise TimeoutError("not all was sent")
            start = at % len(period)
            piece = period[start : start + min(READ_BYTES, self._size - at)]
            yield piece
            at += len(piece)
            self.sent_bytes += len(piece)

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        with requests(self._port) as connection:
            made = ask(connection, "POST", "/files", {**TUS_HEADERS, "Upload-Length": str(self._size)})
            path = "/" + made.headers["Location"].split("/", 3)[3]
            kind = {"Content-Type": "application/offset+octet-stream", "Content-Length": str(self._size)}
            ask(connection, "PATCH", path, {**TUS_HEADERS, **kind, "Upload-Offset": "0"}, self._body(until_s))


def upload(system: FileSystem, name: str, size: int, shape: Shape = FRAMES) -> Upload:
    """The client for a system; what it needs is prepared."""
    if system.dialect == "stock":
        return StockUpload(system, name, size, shape)
    if system.dialect == "tus":
        return TusUpload(system, name, size, shape)
    return (SinkUpload if system.dialect == "sink" else HubUpload)(system, name, size, shape)
