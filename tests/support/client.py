"""A small client for /ws that goes on after a lost connection.

It speaks to a server or to a proxy before it; what it may do wrong on purpose is up to the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Literal, Self

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol import messages as wire
from jupyter_ws_hub.protocol.codec import encode, join_frame
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError

from .address import NET_ERRORS, REPOSITORY, WAIT_S, Address, end_tasks, to_hub_error, until
from .file_client import AlreadyDone, FileClient, root_of

__all__ = [
    "NET_ERRORS",
    "REPOSITORY",
    "WAIT_S",
    "Address",
    "AlreadyDone",
    "FileClient",
    "HubClient",
    "Message",
    "root_of",
    "to_hub_error",
    "until",
]
ACK_AT_CHARACTERS = 16 * 1024
"""A client has to acknowledge at the latest when so much has come since it did."""


class Message(msgspec.Struct, frozen=True):
    """Any message of a server on /ws, read from PROTOCOL.md alone: not by the decoder of the package."""

    type: str
    ref: int | None = None
    n: int | None = None
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


class HubClient:
    """One logical client on /ws. After `reconnect` it goes on where it was: its topics, its unanswered requests."""

    def __init__(self, address: Address, *, ack_at: int | None = 0) -> None:
        """Nothing happens before `connect`.

        `ack_at` characters that have come make it acknowledge: 0 after each frame, at most `ACK_AT_CHARACTERS` as a
        client must, None never (a client that breaks the protocol).
        """
        self.address = address
        self.ack_at = ack_at
        self.frames = 0
        """Those of the newest connection, and how many of them were acknowledged."""
        self.acked = 0
        self.welcome: Message | None = None
        self.events: list[Message] = []
        self.subscribed: list[Message] = []  # answers to subscriptions that a hello went on with
        self.others: list[Message] = []  # with answers that were not asked for, or came twice
        self.close_code: int | None = None
        self.positions: dict[str, wire.Position | None] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ref = 0
        self._open = False
        self._unacked_characters = 0
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
        self.close_code, self._open = None, False
        self.frames = self.acked = self._unacked_characters = 0
        self._socket = await self.address.open("ws", HUB_SUBPROTOCOL, timeout_s)
        session, resume = (self.welcome.session, self.welcome.resume) if self.welcome else (None, None)
        await self.send(wire.Hello(wire.ClientInfo("test", "0"), session, resume, dict(self.positions)))
        async with asyncio.timeout(timeout_s):
            frame = await self._socket.recv(decode=True)
        welcome, *more = _decode(frame)
        if welcome.type != "welcome":
            raise AssertionError(f"no welcome but {welcome}")
        self.welcome = welcome
        await self._take(more)
        await self._consumed(frame)
        self._reader = asyncio.create_task(self._read(self._socket))
        self._open = True
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
        """Cut the connection, as a client that vanishes does; raises what was wrong with what has come."""
        reader, self._reader = self._reader, None
        errors = await end_tasks([] if reader is None else [reader])
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()
        if errors:
            raise errors[0]

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
            while True:
                frame = await socket.recv(decode=True)
                await self._take(_decode(frame))
                await self._consumed(frame)
        except ConnectionClosed:
            pass
        finally:
            self.close_code = socket.close_code
            async with self._news:
                self._news.notify_all()

    async def _consumed(self, frame: str) -> None:
        """A frame was dealt with: acknowledge it, now or together with later ones."""
        self.frames += 1
        self._unacked_characters += len(frame)
        if self.ack_at is not None and self._unacked_characters >= self.ack_at:
            await self.acknowledge()

    async def acknowledge(self) -> None:
        """Say which frames of this connection have been dealt with, and which requests are settled."""
        if self.ack_at is not None:
            self.acked, self._unacked_characters = self.frames, 0
        await self.send(wire.Ack(self.acked, done=min(self._unanswered, default=self._ref + 1) - 1))

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
        if self._open:  # what is asked before welcome is sent after it
            await self.send(question)
        async with asyncio.timeout(timeout_s):
            await asyncio.wait([future])
        await self.acknowledge()
        return future.result()

    async def request(
        self, method: str, params: Any = None, *, timeout_s: float = WAIT_S, timeout_ms: int | None = None
    ) -> Any:
        """Call a method; raises the HubError that it is answered with."""
        self._ref += 1
        raw = msgspec.Raw(msgspec.json.encode({} if params is None else params))
        return await self._ask(wire.Request(self._ref, method, raw, timeout_ms), timeout_s)

    async def stream(self, method: str, params: Any = None, *, timeout_s: float = WAIT_S) -> list[Any]:
        """Call a method whose reply is streamed; give its items."""
        ref = self._ref + 1
        await self.request(method, params, timeout_s=timeout_s)
        items = [message for message in self.others if message.type == "item" and message.ref == ref]
        self.others = [message for message in self.others if message not in items]
        assert [item.n for item in items] == list(range(len(items)))
        return [item.data for item in items]

    async def list_files(self, path: str, **how: Any) -> list[dict[str, Any]]:
        """All entries of a directory."""
        pages = await self.stream("files.list", {"path": path, **how})
        entries: list[dict[str, Any]] = [entry for page in pages for entry in page["entries"]]
        return entries

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
