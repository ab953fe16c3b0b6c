"""Clients that upload a folder of many small files, each as its system wants it."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.transfers.digest import BlockDigest

from .file_stream import Client, Control, FileStream
from .file_systems import Dialect, FileSystem
from .file_uploads import AUTHORIZED, FRAMES, TUS_HEADERS, Sequence, Upload, ask, requests
from .file_wire import content

FILE_BYTES: Final = 4096
FOLDER_FILES: Final = 100
"""How many files lie in each folder of the tree."""
BATCH: Final = 256
"""Entries in a message."""
JSON_BODY: Final = {"Content-Type": "application/json"}
MTIME_MS: Final = 1_700_000_000_000


class SmallFile(NamedTuple):
    """A file of the tree, by its folder's and its own name."""

    folder: str
    name: str
    data: memoryview


def small_files(count: int) -> list[SmallFile]:
    """The files of the tree, in order; put one behind the other they are the content again and again."""
    period = memoryview(content())
    starts = (number * FILE_BYTES % len(period) for number in range(count))
    return [
        SmallFile(f"folder{number // FOLDER_FILES:03}", f"file{number:05}.bin", period[start : start + FILE_BYTES])
        for number, start in enumerate(starts)
    ]


class HubTree(Client):
    """Ours: the entries are announced, as far ahead as one may, and their bytes follow in frames of 64 KiB."""

    def __init__(self, system: FileSystem, name: str, count: int) -> None:
        """Prepare the frames and the digests of the files."""
        self.sent_bytes = 0
        self._port, self._name, self._size = system.port, name, count * FILE_BYTES
        self._frames = Sequence(self._size, FRAMES)
        self._entries = [
            transfer.TreeEntry(f"{file.folder}/{file.name}", FILE_BYTES, mtime_ms=MTIME_MS, root=_root(file.data))
            for file in small_files(count)
        ]
        self._announced = self._settled = self._limit = 0
        self._connection = Control(system.port)

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        self._control.call("files.create", path=self._name, type="directory")
        size, count = self._size, len(self._entries)
        op = self._control.create("upload", self._name, kind="tree", size=size, entries=count).op
        with FileStream(self._port, op) as stream:
            self._frames.rewind()
            self._announced, self._settled, self._limit = 0, 0, stream.welcome.limit
            while self._frames.at < size and time.monotonic() < until_s:
                self._announce(stream)
                wire, plain = self._frames.take(min(self._limit, self._announced * FILE_BYTES))
                stream.send(wire)
                self.sent_bytes += len(plain)
                for message in stream.heard() if wire else stream.wait():
                    self._hear(message)
            stream.say(transfer.Finish(size, entries=count))
            done = stream.wait_for(transfer.Done)
            if (done.entries, done.failed) != (count, 0):
                raise RuntimeError(f"of {count} files {done.entries} were put there and {done.failed} failed")

    def _announce(self, stream: FileStream) -> None:
        room = min(len(self._entries), self._settled + transfer.ENTRIES_AHEAD)
        # Rarely and many: each message costs both sides.
        while room - self._announced >= BATCH or self._announced < room == len(self._entries):
            batch = self._entries[self._announced : min(room, self._announced + BATCH)]
            stream.say(transfer.TreeEntries(self._announced, batch))
            self._announced += len(batch)

    def _hear(self, message: transfer.StreamServerMessage) -> None:
        if isinstance(message, transfer.Credit):
            self._limit = message.limit
        elif isinstance(message, transfer.Settled):
            self._settled = message.entry


def _root(data: memoryview) -> str:
    digest = BlockDigest()
    digest.update(data)
    return digest.root()


class StockTree(Client):
    """JupyterLab's, one request after another.

    For a folder: POST makes an untitled one, PATCH renames it. For a file: GET lists the directory that the browser
    shows (here the one in which the tree lies), and PUT sends the content. The bodies of files are ready.
    """

    def __init__(self, system: FileSystem, name: str, count: int) -> None:
        """Make the bodies."""
        self.sent_bytes = 0
        self._port, self._name = system.port, name
        self._files = [(file.folder, file.name, self._body(file)) for file in small_files(count)]

    @staticmethod
    def _body(file: SmallFile) -> bytes:
        data = base64.b64encode(file.data).decode()
        model = {"type": "file", "format": "base64", "name": file.name, "content": data}
        return json.dumps(model, separators=(",", ":")).encode()

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        headers, made = {**AUTHORIZED, **JSON_BODY}, set()
        with requests(self._port) as connection:

            def make_folder(parent: str, name: str) -> None:
                body = b'{"type":"directory"}'
                untitled = ask(connection, "POST", f"/api/contents/{parent}", headers, body)
                path = json.dumps({"path": f"{parent}/{name}".lstrip("/")}).encode()
                ask(connection, "PATCH", untitled.headers["Location"], headers, path)

            make_folder("", self._name)
            for folder, name, body in self._files:
                if time.monotonic() >= until_s:
                    return
                if folder not in made:
                    make_folder(self._name, folder)
                    made.add(folder)
                ask(connection, "GET", "/api/contents/?content=1&hash=0", AUTHORIZED)
                ask(connection, "PUT", f"/api/contents/{self._name}/{folder}/{name}", headers, body)
                self.sent_bytes += FILE_BYTES


class TusTree(Client):
    """tus: a POST and a PATCH for each file, one after another; it has no folders."""

    def __init__(self, system: FileSystem, name: str, count: int) -> None:
        """Have the contents."""
        self.sent_bytes = 0
        self._port = system.port
        self._files = [bytes(file.data) for file in small_files(count)]

    def run(self, until_s: float = math.inf) -> None:
        """See Upload."""
        size = {"Upload-Length": str(FILE_BYTES)}
        data_headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        with requests(self._port) as connection:
            for data in self._files:
                if time.monotonic() >= until_s:
                    return
                made = ask(connection, "POST", "/files", {**TUS_HEADERS, **size})
                path = "/" + made.headers["Location"].split("/", 3)[3]
                ask(connection, "PATCH", path, {**TUS_HEADERS, **data_headers}, data)
                self.sent_bytes += FILE_BYTES


def upload_tree(system: FileSystem, name: str, count: int) -> Upload:
    """The client for a system; what it needs is prepared."""
    kinds: Mapping[Dialect, Callable[[FileSystem, str, int], Upload]]
    kinds = {"stock": StockTree, "tus": TusTree, "hub": HubTree}
    return kinds[system.dialect](system, name, count)
