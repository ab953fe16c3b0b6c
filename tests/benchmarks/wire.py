"""The raw WebSocket client of all benchmarks: so cheap that what is measured is the server.

Frames are masked with a zero key, so the masked bytes are the plain ones. Received data is not decoded: markers are
counted in the bytes as they come, and frames are walked from header to header, only to acknowledge them.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from jupyter_ws_hub.protocol import HUB_SUBPROTOCOL
from tests.support.server import TOKEN

ACK_EVERY_BYTES = 16 * 1024
HELLO = b'[{"type":"hello","client":{"name":"bench","version":"1"}}]'
WELCOME = b'"type":"welcome"'
PING = b'"type":"ping"'
TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Target:
    """An endpoint to measure."""

    port: int
    path: str = "/ws"
    hub: bool = True
    """Whether it speaks the hub's protocol: then there is a hello, pings are answered and frames acknowledged."""

    def handshake(self) -> bytes:
        """The upgrade request."""
        return upgrade_request(self.port, self.path, HUB_SUBPROTOCOL if self.hub else "", authorized=self.hub)


def upgrade_request(port: int, path: str, subprotocol: str = "", *, authorized: bool = True) -> bytes:
    """A client's first bytes: no compression is offered; with the server's token if `authorized`."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Authorization: token {TOKEN}"] if authorized else []),
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def text_frame(payload: bytes) -> bytes:
    """A text message from a client, in one frame."""
    return client_frame(0x81, payload)


def client_frame(first: int, payload: bytes) -> bytes:
    """A client's frame with this first byte (FIN and opcode), masked with zeros."""
    size = len(payload)
    if size < 126:
        return struct.pack(">BBxxxx", first, 0x80 | size) + payload
    if size < 1 << 16:
        return struct.pack(">BBHxxxx", first, 0xFE, size) + payload
    return struct.pack(">BBQxxxx", first, 0xFF, size) + payload


def hub_frame(envelopes: Iterable[bytes]) -> bytes:
    """A frame of the hub's protocol."""
    return text_frame(b"[" + b",".join(envelopes) + b"]")


def request(ref: int, method: str, params: bytes) -> bytes:
    """A request's envelope."""
    return b'{"type":"request","ref":%d,"method":"%s","params":%s}' % (ref, method.encode(), params)


def ack(frames: int, done: int) -> bytes:
    """An acknowledgement's envelope."""
    return b'{"type":"ack","frames":%d,"done":%d}' % (frames, done)


def pong(data: bytes) -> bytes:
    """The answer to the ping in `data`, as a frame; a ping that was cut is answered without its time."""
    start = data.index(PING)
    end = data.find(b"}", start)
    t = data[start:end].rpartition(b'"t":')[2] if end > 0 else b"0"
    return hub_frame([b'{"type":"pong","t":%s}' % t])


class FrameCounter:
    """Walks over a server's byte stream, however it is cut, and counts the frames that are complete."""

    def __init__(self) -> None:
        """No frame has come."""
        self.frames = 0
        self._missing = 0
        self._header = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._header:
            data, self._header = self._header + data, b""
        at, size = self._missing, len(data)
        if at:
            if at > size:
                self._missing = at - size
                return
            self.frames += 1
        while at < size:
            end = self._end(data, at, size)
            if end == 0:
                self._header = data[at:]
                self._missing = 0
                return
            if end > size:
                self._missing = end - size
                return
            self.frames += 1
            at = end
        self._missing = 0

    @staticmethod
    def _end(data: bytes, at: int, size: int) -> int:
        """Where the frame that starts at `at` ends; 0 if its header is not complete."""
        if size - at < 2:
            return 0
        length = data[at + 1]
        if length < 126:
            return at + 2 + length
        header = 4 if length == 126 else 10
        if size - at < header:
            return 0
        return at + header + int.from_bytes(data[at + 2 : at + header], "big")


class MarkerCounter:
    """Counts a marker in a byte stream, also where a cut goes through it."""

    def __init__(self, marker: bytes) -> None:
        """Count `marker`."""
        self.count = 0
        self._marker = marker
        self._rest = len(marker) - 1
        self._tail = b""

    def feed(self, data: bytes) -> int:
        """Take the next bytes; give the number of markers so far."""
        found = data.count(self._marker)
        if self._tail:
            found += (self._tail + data[: self._rest]).count(self._marker)
        self._tail = data[-self._rest :] if len(data) >= self._rest else (self._tail + data)[-self._rest :]
        self.count += found
        return self.count


class BlockingClient:
    """A client on a blocking socket, for one who asks and waits: no event loop stands between."""

    def __init__(self, target: Target) -> None:
        """Connect; on a hub, say hello."""
        self.frames = FrameCounter()
        self._hub = target.hub
        self._socket = socket.create_connection(("127.0.0.1", target.port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(target.handshake())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536) or b"\r\n\r\n"
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode(errors="replace"))
        self.frames.feed(rest)
        if target.hub:
            self.send(hub_frame([HELLO[1:-1]]))
            self.receive(WELCOME)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut the connection."""
        self._socket.close()

    def send(self, data: bytes | memoryview) -> None:
        """Send frames."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """What has come, at least a byte."""
        data = self._socket.recv(262144)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self.frames.feed(data)
        if self._hub and PING in data:
            self.send(pong(data))
        return data

    def receive(self, marker: bytes) -> bytes:
        """Read until `marker` has come; give all that was read."""
        data = self.read()
        while marker not in data:
            data += self.read()
        return data

    def call(self, ref: int, method: str, params: bytes = b"{}") -> bytes:
        """Make a request and wait for its reply, among whatever else comes; give its result, an object without one."""
        self.send(hub_frame([ack(self.frames.frames, ref - 1), request(ref, method, params)]))
        marker = b'"type":"reply","ref":%d,' % ref
        data, unacked = b"", 0
        while marker not in data:
            piece = self.read()
            data = data[-len(marker) :] + piece
            unacked += len(piece)
            if unacked >= ACK_EVERY_BYTES:  # a streamed reply comes only as fast as it is acknowledged
                unacked = 0
                self.send(hub_frame([ack(self.frames.frames, ref - 1)]))
        reply = data[data.index(marker) :]
        while b"}" not in reply:
            reply += self.read()
        start, end = reply.find(b'"result":'), reply.find(b"}")
        if not 0 <= start < end:
            raise RuntimeError(f"{method}: {reply[:300].decode(errors='replace')}")
        return reply[start + len(b'"result":') : end + 1]

    def stream(self, ref: int, method: str, params: bytes = b"{}") -> Iterator[bytes]:
        """Make a request whose reply comes in items; give what was read, piece by piece, up to the reply.

        Raises:
            RuntimeError: the reply is an error.
        """
        self.send(hub_frame([ack(self.frames.frames, ref - 1), request(ref, method, params)]))
        marker, tail = b'"type":"reply","ref":%d' % ref, b""
        while True:
            data = self.read()
            yield data
            end = (tail + data).find(marker)
            if end >= 0:
                rest = (tail + data)[end:]
                if b'"error":{' in rest:
                    raise RuntimeError(f"{method}: {rest[:300].decode(errors='replace')}")
                return
            tail = data[-len(marker) :]
            self.send(hub_frame([ack(self.frames.frames, ref - 1)]))


class RawClient(asyncio.Protocol):
    """A client on an event loop, for many connections or for data that comes while one asks."""

    def __init__(self, target: Target, on_data: Callable[[RawClient, bytes], None]) -> None:
        """`on_data` gets the bytes as they come; connect with `open`."""
        self.target = target
        self.frames = FrameCounter()
        self.pongs = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_data = on_data
        self._head = b""
        self._unacked = 0
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, target: Target, on_data: Callable[[RawClient, bytes], None]) -> RawClient:
        """Connect; on a hub, say hello and wait for the welcome."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(target, on_data), "127.0.0.1", target.port)
        await client._opened
        return client

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        assert self._transport is not None
        self._transport.write(frame)

    def abort(self) -> None:
        """Cut the connection."""
        assert self._transport is not None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.send(self.target.handshake())

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if not self._opened.done():
            self._opened.set_exception(ConnectionError(self._head.decode(errors="replace") or "refused"))
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Count, answer and acknowledge what must be; hand on."""
        if not self._opened.done():
            self._open(data)
            return
        if self.target.hub:
            self.frames.feed(data)
            if PING in data:
                self.pongs += 1
                self.send(pong(data))
            self._unacked += len(data)
            if self._unacked >= ACK_EVERY_BYTES:
                self._unacked = 0
                self.send(hub_frame([ack(self.frames.frames, 0)]))
        self._on_data(self, data)

    def _open(self, data: bytes) -> None:
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self.abort()
        elif not self.target.hub:
            self._opened.set_result(None)
        elif WELCOME in rest:
            self.frames.feed(rest)
            self._opened.set_result(None)
        elif not rest:
            self.send(text_frame(HELLO))
