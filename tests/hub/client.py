"""A client in memory: it feeds frames into a HubConnection, reads its frames, and checks what it is told of topics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from jupyter_ws_hub.hub.connection import HubConnection
from jupyter_ws_hub.hub.declare import Latest, Method, Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.ports import Peer, Runtime
from jupyter_ws_hub.protocol.codec import decode_server_frame, encode, join_frame
from jupyter_ws_hub.protocol.messages import (
    Ack,
    ClientMessage,
    Event,
    Hello,
    Lagging,
    Live,
    Position,
    Reply,
    Request,
    ServerMessage,
    Subscribe,
    Subscribed,
    Welcome,
)
from jupyter_ws_hub.storage.base import KeyValue, LogRetention, TopicLog
from jupyter_ws_hub.storage.memory import MemoryValues

from ..support.fakes import FakeClock, HookedLog, counting_ids, fake_peer, fake_runtime

M = TypeVar("M")
T = TypeVar("T")
Since = Position | Literal["earliest", "latest"]
READ = ("read", "notes")
ACK_BYTES = 16 * 1024
SCENARIO_S = 15.0
KEEP_ALL = LogRetention(count=100_000, bytes=1 << 30, age_s=1e9)


class Note(msgspec.Struct, frozen=True):
    """What most test topics carry, and what test methods take."""

    text: str = ""


class Value(msgspec.Struct, frozen=True):
    """What the `latest` topic carries."""

    id: str
    number: int = 0
    gone: bool = False


TOPICS: Sequence[Topic] = (
    Topic("notes/*", {"note": Note}, READ, KEEP_ALL),
    Topic("inbox/me", {"note": Note}, READ, KEEP_ALL),
    Topic("values", {"value": Value}, READ, Latest(key="id")),
    Topic("values/me", {"value": Value}, READ, Latest(key="id")),
    Topic("shouts", {"note": Note}, READ, None),
)


@dataclass
class Desk:
    """A service of tests: methods that answer at once, when told, or never well.

    `calls` are those that began, `stopped` those that were cancelled.
    """

    calls: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: BaseException = field(default_factory=lambda: RuntimeError("boom"))

    async def echo(self, params: Note, peer: Peer) -> Note:
        """Give back what came."""
        self.calls.append(params.text)
        return params

    async def wait(self, params: Note, peer: Peer) -> Note:
        """Give back what came, once the gate is open."""
        self.calls.append(params.text)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped.append(params.text)
            raise
        return params

    async def fail(self, params: Note, peer: Peer) -> Note:
        """Raise `error`."""
        self.calls.append(params.text)
        raise self.error

    async def big(self, params: Note, peer: Peer) -> Note:
        """Answer with as many bytes as the text says."""
        return Note("x" * int(params.text))

    def methods(self) -> list[Method]:
        """The declarations."""
        calls: Mapping[str, Callable[[Any, Peer], Coroutine[Any, Any, Any]]] = {
            "echo": self.echo,
            "wait": self.wait,
            "fail": self.fail,
            "big": self.big,
        }
        return [Method(name, Note, Note, ("write", "desk"), call) for name, call in calls.items()]


def make_hub(
    desk: Desk | None = None,
    *,
    topics: Iterable[Topic] = TOPICS,
    log: TopicLog | None = None,
    values: KeyValue | None = None,
    clock: FakeClock | None = None,
    settings: HubSettings | None = None,
    runtime: Runtime | None = None,
) -> Hub:
    """A hub of fakes that has started; on the event loop."""
    methods = (desk or Desk()).methods()
    log = log or HookedLog(counting_ids("epoch"))
    runtime = runtime or fake_runtime(clock)
    values = values or MemoryValues(runtime.clock)
    hub = Hub(methods, topics, log, values, runtime, settings or HubSettings())
    hub.start()
    return hub


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario on a loop of its own, and end what it leaves: for property tests, whose body runs many times."""

    async def in_time() -> T:
        async with asyncio.timeout(SCENARIO_S):
            return await scenario

    with asyncio.Runner() as runner:
        return runner.run(in_time())


def only(kind: type[M], messages: Iterable[object]) -> list[M]:
    """The messages of one type."""
    return [message for message in messages if isinstance(message, kind)]


def raw(value: object) -> msgspec.Raw:
    """A value as it stands in an envelope."""
    return msgspec.Raw(msgspec.json.encode(value))


def content(opaque: object) -> bytes:
    """What a `result` or a `snapshot` holds, which must be there."""
    assert isinstance(opaque, msgspec.Raw), opaque
    return bytes(opaque)


def decode(frame: bytes) -> list[ServerMessage]:
    """The messages of a frame, whatever a `result` or a `snapshot` holds."""
    messages = []
    for envelope in msgspec.json.decode(frame, type=list[dict[str, Any]]):
        opaque = {key: raw(envelope.pop(key)) for key in ("result", "snapshot") if envelope.get(key) is not None}
        (message,) = decode_server_frame(join_frame([msgspec.json.encode(envelope)]))
        messages.append(msgspec.structs.replace(message, **opaque))
    return messages


class HubClient:
    """One socket's client end. `messages` are all that were read, `close_code` is None while the connection lives."""

    def __init__(self, hub: Hub, peer: Peer | None = None) -> None:
        """Connect; hello is not said yet."""
        self.hub = hub
        self.peer = peer or fake_peer()
        self._news = asyncio.Event()
        self.acknowledges = True
        self._unacked = 0
        self.connection: HubConnection = hub.connect(self.peer, self._news.set)
        self.frames: list[bytes] = []
        self.messages: list[ServerMessage] = []
        self.close_code: int | None = None
        self.welcome: Welcome | None = None

    def send(self, *messages: ClientMessage) -> None:
        """Send messages in one frame."""
        self.connection.receive(join_frame(map(encode, messages)).decode())

    async def take(self, timeout_s: float = 5) -> list[ServerMessage]:
        """Read one frame, which must come in time; empty if the connection is closed instead."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._news.clear()
                frame = self.connection.frame()
                if frame is not None:
                    return self._took(frame)
                if self.connection.is_over:
                    self.close_code = self.connection.close_code
                    return []
                await self._news.wait()

    def _took(self, frame: bytes) -> list[ServerMessage]:
        self.frames.append(frame)
        messages = decode(frame)
        self.messages += messages
        self._unacked += len(frame)
        if self.acknowledges and self._unacked >= ACK_BYTES:
            self._unacked = 0
            self.send(Ack(frames=len(self.frames)))
        return messages

    async def read(self, quiet: int = 30) -> list[ServerMessage]:
        """Read until nothing has come for `quiet` turns of the loop, or the connection is closed."""
        read: list[ServerMessage] = []
        waited = 0
        while waited < quiet and self.close_code is None:
            await asyncio.sleep(0)
            waited += 1
            frame = self.connection.frame()
            if frame is not None:
                read += self._took(frame)
                waited = 0
            elif self.connection.is_over:
                self.close_code = self.connection.close_code
        return read

    async def hello(
        self, positions: Mapping[str, Position | None] | None = None, resume: Welcome | None = None
    ) -> Welcome:
        """Open a session, or go on with the one that `resume` told of."""
        session, token = (resume.session, resume.resume) if resume else (None, None)
        self.send(Hello(session=session, resume=token, positions=dict(positions or {})))
        (self.welcome,) = only(Welcome, await self.take())
        return self.welcome

    async def ask(self, ref: int, method: str, params: object = None, timeout_ms: int | None = None) -> Reply:
        """Send a request and wait for its one reply."""
        self.send(Request(ref, method, raw({} if params is None else params), timeout_ms))
        return await self.reply(ref)

    async def reply(self, ref: int) -> Reply:
        """The one reply to a request."""
        (reply,) = [reply for reply in only(Reply, await self.read()) if reply.ref == ref]
        self.send(Ack(done=ref))
        return reply

    async def subscribe(self, ref: int, topic: str, since: Since = "latest") -> Subscribed:
        """Subscribe, read what comes, give the answer."""
        self.send(Subscribe(ref, topic, since))
        read = await self.read()
        while self.close_code is None and all(answer.ref != ref for answer in only(Subscribed, read)):
            read += [*await self.take(), *await self.read()]  # a service that looks at the disk is not quick
        (answer,) = [answer for answer in only(Subscribed, read) if answer.ref == ref]
        return answer

    async def refusal(self, message: Subscribe) -> str:
        """Subscribe to what is refused; the error's code."""
        self.send(message)
        (reply,) = only(Reply, await self.read())
        assert reply.ref == message.ref
        assert reply.error is not None
        return reply.error.code

    @property
    def queued_bytes(self) -> int:
        """How much the server holds for this connection."""
        return self.connection._outbox.queued_bytes

    def lose(self) -> None:
        """The socket breaks."""
        self.connection.closed()


async def opened(hub: Hub, peer: Peer | None = None) -> HubClient:
    """A client that has said hello."""
    client = HubClient(hub, peer)
    await client.hello()
    return client


def code_of(reply: Reply) -> str:
    """The code of an error reply."""
    assert reply.error is not None, reply
    return reply.error.code


class Ledger:
    """What a client knows of one logged topic; fails at once if an event is lost, comes twice or out of order."""

    def __init__(self, topic: str) -> None:
        """Nothing is known yet."""
        self.topic = topic
        self.position: Position | None = None
        self.events: list[Event] = []
        self.resets: list[tuple[Position | None, Subscribed]] = []
        self.live = False
        self.lagged = 0
        self.awaited: int | None = None
        """The subscription that was asked for last: what comes before its answer does not count."""

    def take(self, messages: Iterable[ServerMessage]) -> None:
        """Take what was read."""
        for message in messages:
            if getattr(message, "topic", None) == self.topic:
                self._take(message)

    def _take(self, message: ServerMessage) -> None:
        if self.awaited is not None:
            if not isinstance(message, Subscribed) or message.ref != self.awaited:
                return
            self.awaited = None
        match message:
            case Subscribed(status="ok", position=position):
                assert position is not None
                assert self.position is None or position == self.position, "a replay starts elsewhere"
                self.position, self.live = position, False
            case Subscribed(position=position):
                self.resets.append((self.position, message))
                self.position, self.live = position, False
            case Event(offset=offset, id=id):
                assert self.position is not None and offset is not None, "an event before its position"
                assert offset == self.position.offset + 1, f"{offset} follows {self.position.offset}"
                self.position = Position(self.position.epoch, offset, id)
                self.events.append(message)
            case Live():
                self.live = True
            case Lagging():
                self.live, self.lagged = False, self.lagged + 1

    @property
    def texts(self) -> list[str]:
        """What the events say."""
        return [msgspec.json.decode(event.data, type=Note).text for event in self.events]
