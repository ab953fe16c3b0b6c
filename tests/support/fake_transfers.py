"""A small server of downloads, read from PROTOCOL.md, sections 2 and 4.3, alone; it may also lie.

It has one folder in memory, and knows `files.stat`, `files.list`, `transfers.create` and `transfers.cancel`.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol import transfer as wire
from jupyter_ws_hub.protocol.codec import encode_chunk
from tests.support.file_client import root_of

TIME_MS = 1_600_000_000_123
BLOCK = 30_000


@dataclass
class FakeServer:
    """What it has, and what it does wrong."""

    files: dict[str, bytes]
    """By path; a path that ends with `/` is a directory."""
    port: int = 0
    lies: Callable[[bytes], bytes] = lambda sent: sent
    """What is sent in place of the bytes; the root stays that of the true ones."""
    announced: Callable[[str], str] = lambda path: path
    """What an entry is called."""
    cut_after: list[int] = field(default_factory=list)
    """After so many bytes the first streams end."""
    stalls: bool = False
    """Whether they stay open and silent instead."""
    created: list[dict[str, Any]] = field(default_factory=list)
    hellos: list[wire.StreamHello] = field(default_factory=list)
    etag: str = "e1"
    paged: bool = False
    """Whether listings come in pages, or at once."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    def entry(self, path: str) -> dict[str, Any] | None:
        """What `files.stat` says."""
        is_folder = path == "" or any(name.startswith(path + "/") for name in self.files)
        if not is_folder and path not in self.files:
            return None
        size = None if is_folder else len(self.files[path])
        kind = "directory" if is_folder else "file"
        return {"name": posixpath.basename(path), "path": path, "type": kind, "size": size, "mtime_ms": TIME_MS}

    def listing(self, path: str) -> list[dict[str, Any]]:
        """What is in a folder."""
        start = path + "/" if path else ""
        names = {name[len(start) :].split("/")[0] for name in self.files if name.startswith(start)}
        return [entry for name in sorted(names - {""}) if (entry := self.entry(start + name)) is not None]

    def below(self, path: str) -> list[tuple[wire.TreeEntry, bytes]]:
        """A tree's entries with their bytes."""
        start = path + "/" if path else ""
        found = []
        for name, data in sorted(self.files.items()):
            if name.startswith(start):
                called = self.announced(name[len(start) :])
                kind: Any = "directory" if name.endswith("/") else "file"
                found.append((wire.TreeEntry(called.removesuffix("/"), len(data), kind, TIME_MS), data))
        return found

    async def hub(self, socket: ServerConnection) -> None:
        """One connection to /ws."""
        async for frame in socket:
            for message in msgspec.json.decode(frame):
                answers = self.answers(message)
                if answers:
                    await socket.send(msgspec.json.encode(answers).decode())

    def answers(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What is said to one message."""
        if message["type"] == "hello":
            beat, limits = {"interval_ms": 25000, "grace_ms": 9000}, {"frame_bytes": 1 << 20, "topics": 9}
            limits["requests_in_flight"] = 9
            plain = {"session": "s", "resume": "r", "resumed": False, "server": "fake", "principal": "me"}
            return [{"type": "welcome", "heartbeat": beat, "limits": limits, **plain}]
        if message["type"] != "request":
            return []
        params, reply = message["params"], {"type": "reply", "ref": message["ref"]}
        path = params.get("path", "")
        match message["method"]:
            case "files.stat":
                result: Any = self.entry(path)
                if result is None:
                    return [{**reply, "error": {"code": "not_found", "message": "No.", "retryable": False}}]
            case "files.list" if self.paged:
                pages = [{"path": path, "entries": [entry]} for entry in self.listing(path)]
                items = [{"type": "item", "ref": message["ref"], "n": n, "data": page} for n, page in enumerate(pages)]
                return [*items, {**reply, "result": None}]
            case "files.list":
                result = {"path": path, "entries": self.listing(path)}
            case "transfers.create":
                self.created.append(params)
                if params.get("expect") not in (None, self.etag):
                    return [{**reply, "error": {"code": "source_changed", "message": "No.", "retryable": False}}]
                tree = self.below(path) if params["kind"] == "tree" else []
                size = sum(len(data) for _, data in tree) if params["kind"] == "tree" else len(self.files[path])
                made = {"op": str(len(self.created) - 1), "size": size, "etag": self.etag, "entries": len(tree)}
                result = {**made, "path": path, "name": path, "kind": params["kind"], "limits": {}}
            case _:
                result = {}
        return [{**reply, "result": result}]

    async def stream(self, socket: ServerConnection, op: int) -> None:
        """One stream of a download."""
        params = self.created[op]
        hello = wire.decode_stream_client(str(await socket.recv()))
        assert isinstance(hello, wire.StreamHello)
        self.hellos.append(hello)
        is_tree = params["kind"] == "tree"
        tree = self.below(params["path"]) if is_tree else []
        data = b"".join(body for _, body in tree) if is_tree else self.files[params["path"]]
        limit = hello.have + wire.WINDOW_BYTES
        kind: wire.Kind = "tree" if is_tree else "file"
        welcome = wire.StreamWelcome(
            "download", params["path"], hello.have, hello.have, len(data), limit, BLOCK, "xxh3-128", kind
        )
        await socket.send(wire.encode_stream(welcome))
        if is_tree:
            entries = [entry for entry, _ in tree[hello.entries :]]
            assert sum(entry.size for entry, _ in tree[: hello.entries]) <= hello.have
            await socket.send(wire.encode_stream(wire.TreeEntries(hello.entries, entries)))
        cut = self.cut_after.pop(0) if self.cut_after else len(data)
        sent = self.lies(data)
        for at in range(hello.have, len(data), BLOCK):
            if at - hello.have >= cut:
                if self.stalls:
                    await socket.wait_closed()
                socket.transport.abort()
                return
            while at + BLOCK > limit and limit < len(data):
                credit = wire.decode_stream_client(str(await socket.recv()))
                limit = max(limit, credit.limit) if isinstance(credit, wire.Credit) else limit
            await socket.send(encode_chunk(at, sent[at : at + BLOCK]))
        done = wire.Done(params["path"], len(data), root_of(data), self.etag, entries=len(tree))
        await socket.send(wire.encode_stream(done))

    async def handle(self, socket: ServerConnection) -> None:
        """One connection."""
        assert socket.request is not None
        path = socket.request.path
        try:
            if path == "/ws":
                await self.hub(socket)
            else:
                await self.stream(socket, int(path.rpartition("/")[2]))
        except ConnectionClosed:
            return


@asynccontextmanager
async def fake_server(files: dict[str, bytes]) -> AsyncIterator[FakeServer]:
    """A server on a free port."""
    fake = FakeServer(files)
    protocols: Any = [HUB_SUBPROTOCOL, FILE_STREAM_SUBPROTOCOL]
    async with serve(fake.handle, "127.0.0.1", 0, subprotocols=protocols, compression=None) as server:
        fake.port = next(iter(server.sockets)).getsockname()[1]
        yield fake
        await asyncio.sleep(0)
