"""A client of `/ws/file-stream/<op>` on a blocking socket, and the requests on `/ws` that make operations."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

import msgspec

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, transfer

from .file_wire import ServerFrames
from .terminal_wire import CLOSE_CODE, PING_CODE, PONG
from .wire import TIMEOUT_S, BlockingClient, Target, client_frame, text_frame, upgrade_request

READ_BYTES: Final = 1 << 20
SEND_BYTES: Final = 1 << 18
Message = TypeVar("Message")


class Created(msgspec.Struct, frozen=True):
    """What is used of the answer to `transfers.create`."""

    op: str
    size: int


class Control:
    """The connection on `/ws` of one who moves files."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._client = BlockingClient(Target(port))
        self._ref = 0

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut the connection."""
        self._client.__exit__()

    def call(self, method: str, **params: Any) -> bytes:
        """Make a request; gives the JSON of its result."""
        self._ref += 1
        return self._client.call(self._ref, method, json.dumps(params, separators=(",", ":")).encode())

    def create(self, direction: transfer.Direction, path: str, **params: Any) -> Created:
        """Make an operation."""
        answer = self.call("transfers.create", direction=direction, path=path, **params)
        # The client of the wire cuts results at the first brace, and `limits` has one.
        return Created(_text(answer, b'"op":"'), int(_text(answer, b'"size":')))


class Client:
    """What clients of all systems have in common: one who needs a connection on `/ws` has it for all runs."""

    _connection: Control | None = None

    @property
    def _control(self) -> Control:
        assert self._connection is not None
        return self._connection

    def close(self) -> None:
        """Cut the connection on `/ws`, if there is one."""
        if self._connection is not None:
            self._connection.__exit__()


def _text(answer: bytes, after: bytes) -> str:
    start = answer.index(after) + len(after)
    return answer[start:].replace(b'"', b",").split(b",", 1)[0].decode()


class FileStream:
    """An open stream. What the server says is taken whenever there is something, also while data is sent."""

    def __init__(self, port: int, op: str, on_data: Callable[[memoryview, bool], None] | None = None) -> None:
        """Open it, say hello and wait for the welcome.

        `on_data` gets the parts of data frames, with the headers, and whether the frame ends with it.
        """
        self._on_data = on_data or _not_expected
        self._frames = ServerFrames()
        self._buffer = bytearray(READ_BYTES)
        self._text = b""
        self._messages: list[transfer.StreamServerMessage] = []
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        path = f"/ws/file-stream/{op}"
        self._socket.sendall(upgrade_request(port, path, FILE_STREAM_SUBPROTOCOL))
        self._take_rest(self._head())
        self.say(transfer.StreamHello())
        self.welcome = self.wait_for(transfer.StreamWelcome)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut the connection."""
        self._socket.close()

    def _head(self) -> bytes:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536) or b"\r\n\r\n"
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode(errors="replace"))
        return rest

    def say(self, message: transfer.StreamClientMessage) -> None:
        """Send a text message."""
        self._socket.sendall(text_frame(transfer.encode_stream(message).encode()))

    def send(self, data: memoryview) -> None:
        """Send whole frames; what the server says meanwhile is taken."""
        while data:
            readable, writable, _ = select.select([self._socket], [self._socket], [], TIMEOUT_S)
            if readable:
                self._read()
            if writable:
                data = data[self._socket.send(data[:SEND_BYTES], socket.MSG_DONTWAIT) :]
            elif not readable:
                raise TimeoutError("the server takes nothing")

    def heard(self) -> list[transfer.StreamServerMessage]:
        """What the server has said since the last time."""
        messages, self._messages = self._messages, []
        return messages

    def wait(self) -> list[transfer.StreamServerMessage]:
        """The same, but at least one message; or none, if data has come."""
        if not self._messages:
            self._read()
        return self.heard()

    def wait_for(self, kind: type[Message]) -> Message:
        """Wait for a message of this kind; others are dropped."""
        while True:
            for message in self.wait():
                if isinstance(message, kind):
                    return message

    def _read(self) -> None:
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the server has closed the stream")
        self._take(memoryview(self._buffer)[:count])

    def _take_rest(self, rest: bytes) -> None:
        self._take(memoryview(rest))

    def _take(self, data: memoryview) -> None:
        for part in self._frames.feed(data):
            if part.opcode == 2:
                self._on_data(part.data, part.last)
                continue
            self._text += bytes(part.data)
            if not part.last:
                continue
            text, self._text = self._text, b""
            if part.opcode == PING_CODE:
                self._socket.sendall(client_frame(PONG, text))
            elif part.opcode == CLOSE_CODE and not any(isinstance(m, transfer.Done) for m in self._messages):
                raise ConnectionError(f"the stream was closed: {text[2:].decode(errors='replace')}")
            elif part.opcode == 1:
                self._messages.append(_checked(transfer.decode_stream_server(text.decode())))


def _checked(message: transfer.StreamServerMessage) -> transfer.StreamServerMessage:
    if isinstance(message, transfer.StreamError):
        raise RuntimeError(f"{message.error.code}: {message.error.message}")
    return message


def _not_expected(data: memoryview, last: bool) -> None:
    raise RuntimeError("data came that was not asked for")
