"""Small clients for /ws and for file streams, that stop at a given byte and go on after a lost connection.

They speak to a server or to a proxy before it; what they may do wrong on purpose is up to the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, HUB_SUBPROTOCOL, transfer
from jupyter_ws_hub.protocol import messages as wire
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, decode_chunk, encode, encode_chunk, join_frame
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError
from jupyter_ws_hub.transfers.digest import BlockDigest

from .server import TOKEN, RealServer

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 10.0
NET_ERRORS = (OSError, EOFError, WebSocketException, TimeoutError)
"""What a broken network makes of a connection, also in the midst of its handshake."""


async def until(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """Wait until `condition` gives something true, and give that; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout_s} s still not: {what}")
        await asyncio.sleep(0.01)
    return value


def to_hub_error(info: ErrorInfo) -> HubError:
    """The error that a server has told of."""
    return HubError(Code[info.code.upper()], info.message, retry_after_ms=info.retry_after_ms, details=info.details)


class Message(msgspec.Struct, frozen=True):
    """Any message of a server on /ws, read from PROTOCOL.md alone: not by the decoder of the package."""

    type: str
    ref: int | None = None
    result: Any = None
    error: ErrorInfo | None = None
    session: str = ""
    resume: str = ""
    resumed: bool = False
    principal: str = ""
    topic: str = ""
    status: str = ""
    position: wire.Position | None = None
    head: int | None = None
    snapshot: Any = None
    offset: int | None = None
    id: str = ""
    kind: str = ""
    data: Any = None
    t: float = 0
    code: int = 0
    reason: str | None = None
    retry_after_ms: int | None = None


_decode = msgspec.json.Decoder(list[Message]).decode


@dataclass(frozen=True)
class Address:
    """Where a server is, and as whom to speak to it."""

    port: int
    base_url: str = "/"
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"token {TOKEN}"})

    @classmethod
    def of(cls, server: RealServer, port: int | None = None) -> Self:
        """A server's, or that of a proxy before it."""
        return cls(port or server.port, server.base_url)

    async def open(self, path: str, subprotocol: str | None = None, timeout_s: float = WAIT_S) -> ClientConnection:
        """Open a WebSocket that neither compresses nor pings, nor limits what it takes."""
        async with asyncio.timeout(timeout_s):
            return await connect(
                f"ws://127.0.0.1:{self.port}{self.base_url}{path}",
                subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
                additional_headers=self.headers,
                compression=None,
                ping_interval=None,
                close_timeout=1,
                max_size=None,
                proxy=None,
                open_timeout=None,
            )


class HubClient:
    """One logical client on /ws. After `reconnect` it goes on where it was: its topics, its unanswered requests."""

    def __init__(self, address: Address) -> None:
        """Nothing happens before `connect`."""
        self.address = address
        self.welcome: Message | None = None
        self.events: list[Message] = []
        self.subscribed: list[Message] = []  # answers to subscriptions that a hello went on with
        self.others: list[Message] = []  # with answers that were not asked for, or came twice
        self.close_code: int | None = None
        self.positions: dict[str, wire.Position | None] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ref = 0
        self._unanswered: dict[int, wire.Request | wire.Subscribe] = {}
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close the socket; the session stays on the server."""
        await self.drop()

    @property
    def socket(self) -> ClientConnection:
        """The socket of the newest connection."""
        assert self._socket is not None
        return self._socket

    async def connect(self, timeout_s: float = WAIT_S) -> Message:
        """Open a connection, go on with the session if there was one, and ask again what was not answered."""
        await self.drop()
        self.close_code = None
        self._socket = await self.address.open("ws", HUB_SUBPROTOCOL, timeout_s)
        session, resume = (self.welcome.session, self.welcome.resume) if self.welcome else (None, None)
        await self.send(wire.Hello(wire.ClientInfo("test", "0"), session, resume, dict(self.positions)))
        async with asyncio.timeout(timeout_s):
            frame = _decode(await self._socket.recv())
        if frame[0].type != "welcome":
            raise AssertionError(f"no welcome but {frame[0]}")
        self.welcome = frame[0]
        await self._take(frame[1:])
        self._reader = asyncio.create_task(self._read(self._socket))
        await self.send(*self._unanswered.values())
        return self.welcome

    async def reconnect(self, attempts: int = 500, pause_s: float = 0.04) -> Message:
        """Connect, again and again while the network or the server is gone."""
        for _ in range(attempts):
            with contextlib.suppress(*NET_ERRORS):
                return await self.connect()
            await asyncio.sleep(pause_s)
        raise AssertionError(f"no connection in {attempts} attempts")

    async def drop(self) -> None:
        """Cut the connection, as a client that vanishes does."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()

    async def send(self, *messages: wire.ClientMessage) -> None:
        """Send messages in one frame; nothing happens if the connection is gone."""
        if messages:
            with contextlib.suppress(ConnectionClosed):
                await self.socket.send(join_frame(map(encode, messages)).decode())

    async def wait_closed(self) -> int:
        """Wait for the server's end of the connection, give its close code."""
        async with asyncio.timeout(WAIT_S):
            await self.socket.wait_closed()
            if self._reader is not None:
                await asyncio.wait([self._reader])
        assert self.close_code is not None
        return self.close_code

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for frame in socket:
                await self._take(_decode(frame))
        except ConnectionClosed:
            pass
        finally:
            self.close_code = socket.close_code
            async with self._news:
                self._news.notify_all()

    async def _take(self, messages: list[Message]) -> None:
        async with self._news:
            for message in messages:
                await self._take_one(message)
            self._news.notify_all()

    async def _take_one(self, message: Message) -> None:
        match message.type:
            case "event":
                self.events.append(message)
                if message.offset is not None:
                    before = self.positions[message.topic]
                    assert before is not None
                    self.positions[message.topic] = wire.Position(before.epoch, message.offset, message.id)
            case "subscribed":
                self.positions[message.topic] = message.position
                if message.ref is None:
                    self.subscribed.append(message)
                else:
                    self._settle(message.ref, message, None)
            case "reply" if message.ref in self._futures:
                error = None if message.error is None else to_hub_error(message.error)
                self._settle(message.ref, message.result, error)
            case "ping":
                await self.send(wire.Pong(message.t))
            case _:
                self.others.append(message)

    def _settle(self, ref: int, value: Any, error: HubError | None) -> None:
        self._unanswered.pop(ref, None)
        future = self._futures.pop(ref, None)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    async def _ask(self, question: wire.Request | wire.Subscribe, timeout_s: float) -> Any:
        self._futures[question.ref] = future = asyncio.get_running_loop().create_future()
        self._unanswered[question.ref] = question
        await self.send(question)
        async with asyncio.timeout(timeout_s):
            await asyncio.wait([future])
        await self.send(wire.Ack(done=min(self._unanswered, default=self._ref + 1) - 1))
        return future.result()

    async def request(
        self, method: str, params: Any = None, *, timeout_s: float = WAIT_S, timeout_ms: int | None = None
    ) -> Any:
        """Call a method; raises the HubError that it is answered with."""
        self._ref += 1
        raw = msgspec.Raw(msgspec.json.encode({} if params is None else params))
        return await self._ask(wire.Request(self._ref, method, raw, timeout_ms), timeout_s)

    async def subscribe(
        self, topic: str, since: wire.Position | Literal["earliest", "latest"] = "latest", timeout_s: float = WAIT_S
    ) -> Message:
        """Subscribe to a topic; raises the HubError that it is answered with."""
        self._ref += 1
        answer: Message = await self._ask(wire.Subscribe(self._ref, topic, since), timeout_s)
        return answer

    async def wait_for(self, condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
        """Wait until something that was received makes `condition` true; also looked at when the socket ends."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                return await self._news.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"after {timeout_s} s still not: {what}") from None

    async def next_events(self, number: int, topic: str | None = None, timeout_s: float = WAIT_S) -> list[Message]:
        """Wait for events and take them from `events`, oldest first."""

        def found() -> list[Message]:
            return [event for event in self.events if topic in (None, event.topic)][:number]

        await self.wait_for(lambda: len(found()) >= number, f"{number} events of {topic}", timeout_s)
        taken = found()
        self.events = [event for event in self.events if event not in taken]
        return taken

    async def bye(self) -> int:
        """Leave on purpose: the session is over. Gives the close code."""
        await self.send(wire.Bye())
        return await self.wait_closed()


def root_of(data: bytes) -> str:
    """The root digest of a whole file."""
    digest = BlockDigest(transfer.BLOCK_BYTES)
    digest.update(data)
    return digest.root()


class FileClient:
    """The stream of one operation. A lost connection raises one of NET_ERRORS, a refusal the HubError."""

    def __init__(self, address: Address, op: str) -> None:
        """Nothing happens before `upload` or `download`."""
        self.address = address
        self.op = op
        self.data = bytearray()
        """What a download has got so far; a new `download` goes on behind it."""
        self.welcomes: list[transfer.StreamWelcome] = []
        self._socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        """The socket of the newest stream."""
        assert self._socket is not None
        return self._socket

    async def open(self) -> transfer.StreamWelcome:
        """Open the stream and say hello."""
        self._socket = await self.address.open(f"ws/file-stream/{self.op}", FILE_STREAM_SUBPROTOCOL)
        await self.socket.send(transfer.encode_stream(transfer.StreamHello(len(self.data))))
        message = await self.receive()
        if isinstance(message, transfer.Done):
            raise AlreadyDone(message)
        assert isinstance(message, transfer.StreamWelcome)
        self.welcomes.append(message)
        return message

    async def receive(self) -> transfer.StreamServerMessage | bytes:
        """The next message; raises the HubError that it tells of."""
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            return frame
        message = transfer.decode_stream_server(frame)
        if isinstance(message, transfer.StreamError):
            raise to_hub_error(message.error)
        return message

    async def _send(self, frame: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):  # what the server said before it closed is still to be received
            await self.socket.send(frame)

    async def close(self) -> None:
        """Cut the connection."""
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()

    async def upload(self, data: bytes, *, stop_at: int | None = None) -> transfer.Done | None:
        """Send what the server has not got; None if the connection was cut by this client at byte `stop_at`."""
        try:
            welcome = await self.open()
            at, limit = welcome.byte_offset, welcome.limit
            end = len(data) if stop_at is None else min(stop_at, len(data))
            while at < end:
                if at == limit:
                    message = await self.receive()
                    limit = message.limit if isinstance(message, transfer.Credit) else limit
                    continue
                piece = data[at : min(at + MAX_CHUNK_PAYLOAD_BYTES, limit, end)]
                await self._send(encode_chunk(at, piece))
                at += len(piece)
            if stop_at is not None:
                return None
            await self._send(transfer.encode_stream(transfer.Finish(len(data), root_of(data))))
            while not isinstance(answer := await self.receive(), transfer.Done):
                pass
            return answer
        except AlreadyDone as already:
            return already.done
        finally:
            await self.close()

    async def download(self, *, stop_at: int | None = None, window: int = 4 * 1024 * 1024) -> transfer.Done | None:
        """Get what is not in `data` yet; None if the connection was cut by this client at byte `stop_at`."""
        try:
            await self.open()
            while True:
                message = await self.receive()
                if isinstance(message, transfer.Done):
                    return message
                if isinstance(message, bytes):
                    chunk = decode_chunk(message)
                    assert chunk.byte_offset == len(self.data)
                    self.data += chunk.payload
                    if stop_at is not None and len(self.data) >= stop_at:
                        del self.data[stop_at:]
                        return None
                    await self._send(transfer.encode_stream(transfer.Credit(len(self.data) + window)))
        finally:
            await self.close()


class AlreadyDone(Exception):
    """The stream was opened on an operation that is over; `done` is its end."""

    def __init__(self, done: transfer.Done) -> None:
        """Carry the end."""
        super().__init__(done.path)
        self.done = done
