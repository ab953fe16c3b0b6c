"""The client's machines of a file stream against the server's: whatever is cut, split, late or doubled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import transfer as wire
from jupyter_ws_hub.protocol.codec import Chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError, LocalProtocolError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer_client import (
    ASK_S,
    DEAD_S,
    DownloadReceiver,
    UploadSender,
    to_hub_error,
)
from jupyter_ws_hub.protocol.transfer_server import DownloadSender, UploadReceiver

WINDOW = 40


def content(size: int) -> bytes:
    return bytes((i * 31 + i // 7) % 256 for i in range(size))


def welcome(direction: wire.Direction = "upload", **fields: Any) -> wire.StreamWelcome:
    plain: dict[str, Any] = {"path": "p", "byte_offset": 0, "durable": 0, "size": 100, "limit": 50, "block_bytes": 4}
    return wire.StreamWelcome(direction, digest="xxh3-128", **(plain | fields))


class UploadWorld:
    """A sender, the server's machine with what it has on its disk, and what is on the way."""

    def __init__(self, size: int) -> None:
        self.data = content(size)
        self.sender = UploadSender(size)
        self.disk = bytearray()
        self.durable = 0
        self.up: deque[Chunk | wire.Finish] = deque()
        self.down: deque[wire.StreamServerMessage] = deque()
        self.told: list[wire.StreamServerMessage] = []
        self.server: UploadReceiver | None = None
        self.arrived: deque[bytes] = deque()
        self.published: bytes | None = None

    def dial(self, count: int) -> None:
        """The old stream's bytes are written first, then a new one learns the offset; what is on the way is lost."""
        self.write(1000)
        self.up.clear()
        self.down.clear()
        self.told.clear()
        self.sender.hello(0.0)
        if self.published is not None:
            self.down.append(self._done())
            return
        self.server = UploadReceiver(len(self.data), len(self.disk), self.durable, window_bytes=WINDOW)
        self._tell(
            welcome(byte_offset=len(self.disk), durable=self.durable, size=len(self.data), limit=self.server.limit)
        )

    def _done(self) -> wire.Done:
        return wire.Done("p", len(self.data), "r", "e")

    def _tell(self, *messages: wire.StreamServerMessage | None) -> None:
        for message in messages:
            if message is not None:
                self.down.append(message)
                self.told.append(message)

    def send(self, count: int) -> None:
        sender = self.sender
        take = min(count, sender.room)
        if take:
            payload = memoryview(self.data)[sender.sent : sender.sent + take]
            self.up.append(Chunk(sender.sent, payload))
            sender.take(take)
        elif sender.is_open and sender.sent == sender.size and not sender.is_finishing:
            self.up.append(sender.finish("r"))

    def to_server(self, count: int) -> None:
        for _ in range(min(count, len(self.up))):
            message = self.up.popleft()
            assert self.server is not None
            if isinstance(message, Chunk):
                self.server.receive(message)
                self.arrived.append(bytes(message.payload))
            else:
                self.server.finish(message)
                self.write(1000)
                self.server.finished()
                self.published = bytes(self.disk)
                self.down.append(self._done())

    def write(self, count: int) -> None:
        for _ in range(min(count, len(self.arrived))):
            self.disk += self.arrived.popleft()
            assert self.server is not None
            self._tell(self.server.wrote(len(self.disk)), self.server.ack_due(0.0, idle=True))

    def sync(self, count: int) -> None:
        if self.server is not None and self.published is None:
            self.durable = len(self.disk)
            self.server.synced(self.durable)

    def to_client(self, count: int) -> None:
        for _ in range(min(count, len(self.down))):
            self.sender.receive(self.down.popleft(), 0.0)
            assert self.sender.durable <= self.sender.written <= self.sender.sent <= self.sender.limit

    def again(self, count: int) -> None:
        """An acknowledgement or a credit comes a second time, late."""
        old = [told for told in self.told if isinstance(told, wire.StreamAck | wire.Credit) and told not in self.down]
        if old and self.sender.is_open:
            self.sender.receive(old[count % len(old)], 0.0)


UP = ("dial", "send", "send", "to_server", "to_server", "write", "sync", "to_client", "to_client", "again")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.lists(st.tuples(st.sampled_from(UP), st.integers(1, 70)), max_size=80))
def test_an_upload_is_whole_whatever_is_cut(size: int, path: list[tuple[str, int]]) -> None:
    world = UploadWorld(size)
    world.dial(0)
    for name, count in path:
        getattr(world, name)(count)
    if world.sender.done is None:
        world.dial(0)
    for _ in range(200):
        for name in ("to_client", "send", "to_server", "write"):
            getattr(world, name)(50)
    assert world.published == world.data
    assert world.sender.done == world._done()


class DownloadWorld:
    """A receiver with what it has written, and the server's machine."""

    def __init__(self, size: int, have: int) -> None:
        self.data = content(size)
        self.receiver = DownloadReceiver(size, have, window_bytes=WINDOW)
        self.disk = bytearray(self.data[:have])
        self.waiting: deque[bytes] = deque()
        self.credits: deque[wire.Credit] = deque()
        self.given: list[wire.Credit] = []
        self.down: deque[Chunk | wire.StreamServerMessage] = deque()
        self.server: DownloadSender | None = None

    def dial(self, count: int) -> None:
        self.credits.clear()
        self.given.clear()
        self.down.clear()
        self.waiting.clear()
        hello = self.receiver.hello(0.0)
        self.server = DownloadSender(len(self.data), hello.have, window_bytes=WINDOW)
        self.down.append(welcome("download", byte_offset=hello.have, size=len(self.data), limit=self.server.limit))

    def serve(self, count: int) -> None:
        server = self.server
        if server is None:
            return
        start = server.sent
        taken = server.take(count)
        if taken:
            self.down.append(Chunk(start, memoryview(self.data)[start : start + taken]))
        if server.complete:
            self.server = None
            self.down.append(wire.Done("p", len(self.data), "r", "e"))

    def to_server(self, count: int) -> None:
        for _ in range(min(count, len(self.credits))):
            credit = self.credits.popleft()
            if self.server is not None:
                self.server.credit(credit)

    def again(self, count: int) -> None:
        if self.given and self.server is not None:
            self.server.credit(self.given[count % len(self.given)])

    def to_client(self, count: int) -> None:
        for _ in range(min(count, len(self.down))):
            message = self.down.popleft()
            if isinstance(message, Chunk):
                self.receiver.data(message, 0.0)
                self.waiting.append(bytes(message.payload))
            else:
                self.receiver.receive(message, 0.0)

    def write(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            self.disk += self.waiting.popleft()
            credit = self.receiver.wrote(len(self.disk))
            if credit is not None:
                self.credits.append(credit)
                self.given.append(credit)


DOWN = ("dial", "serve", "serve", "to_server", "again", "to_client", "to_client", "write", "write")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.data(), st.lists(st.tuples(st.sampled_from(DOWN), st.integers(1, 70)), max_size=80))
def test_a_download_is_whole_whatever_is_cut(size: int, data: st.DataObject, path: list[tuple[str, int]]) -> None:
    world = DownloadWorld(size, data.draw(st.integers(0, size)))
    world.dial(0)
    for name, count in path:
        if world.receiver.done is None or name == "write":
            getattr(world, name)(count)
    if world.receiver.done is None:
        world.dial(0)
    for _ in range(200):
        for name in ("serve", "to_client", "write", "to_server"):
            getattr(world, name)(50)
    assert bytes(world.disk) == world.data
    assert world.receiver.done is not None


def test_the_window_of_a_download_grows_with_what_was_written() -> None:
    size = 1 << 40
    receiver = DownloadReceiver(size)
    receiver.hello(0.0)
    receiver.receive(welcome("download", size=size, limit=wire.WINDOW_BYTES), 0.0)
    assert receiver.limit == wire.WINDOW_BYTES
    widths = []
    for _ in range(200):
        piece = min(1 << 20, receiver.limit - receiver.received)
        receiver.data(Chunk(receiver.received, memoryview(bytes(piece))), 0.0)
        receiver.wrote(receiver.received)
        widths.append(receiver.limit - receiver.written)
    assert max(widths) <= wire.MAX_WINDOW_BYTES
    assert widths[-1] > wire.MAX_WINDOW_BYTES * 0.7
    receiver.hello(1.0)
    assert receiver.limit - receiver.written == wire.WINDOW_BYTES, "a new path may be a short one"


def opened(size: int = 100) -> UploadSender:
    sender = UploadSender(size)
    sender.hello(0.0)
    sender.receive(welcome(size=size), 0.0)
    return sender


def receiving() -> DownloadReceiver:
    receiver = DownloadReceiver(100)
    receiver.hello(0.0)
    receiver.receive(welcome("download"), 0.0)
    return receiver


BROKEN: dict[str, Callable[[], object]] = {
    "an ack of what was not sent": lambda: opened().receive(wire.StreamAck(1, 0, 0), 0.0),
    "an ack that contradicts itself": lambda: opened().receive(wire.StreamAck(0, 1, 0), 0.0),
    "done before finish": lambda: opened().receive(wire.Done("p", 100, "", ""), 0.0),
    "two welcomes": lambda: opened().receive(welcome(), 0.0),
    "credit first": lambda: UploadSender(1).receive(wire.Credit(1), 0.0),
    "another size": lambda: _first(UploadSender(99), welcome()),
    "the other direction": lambda: _first(UploadSender(100), welcome("download")),
    "another kind": lambda: _first(UploadSender(100), welcome(kind="tree")),
    "an offset behind the end": lambda: _first(UploadSender(100), welcome(byte_offset=101, limit=200)),
    "an offset behind the limit": lambda: _first(UploadSender(100), welcome(byte_offset=60)),
    "entries of a file": lambda: opened().receive(wire.Settled(0, []), 0.0),
    "a tree's entries on an upload": lambda: opened().receive(wire.TreeEntries(0, []), 0.0),
    "data elsewhere": lambda: receiving().data(Chunk(1, memoryview(b"x")), 0.0),
    "data of another file": lambda: receiving().data(Chunk(0, memoryview(b"x"), 1), 0.0),
    "data beyond the end": lambda: receiving().data(Chunk(0, memoryview(bytes(101))), 0.0),
    "data before the welcome": lambda: DownloadReceiver(5).data(Chunk(0, memoryview(b"x")), 0.0),
    "done too early": lambda: receiving().receive(wire.Done("p", 100, "", ""), 0.0),
    "a download elsewhere": lambda: _first(DownloadReceiver(100), welcome("download", byte_offset=1)),
    "an ack on a download": lambda: receiving().receive(wire.StreamAck(0, 0, 0), 0.0),
    "entries of a downloaded file": lambda: receiving().receive(wire.TreeEntries(0, []), 0.0),
}


def _first(machine: UploadSender | DownloadReceiver, message: wire.StreamWelcome) -> None:
    machine.hello(0.0)
    machine.receive(message, 0.0)


@pytest.mark.parametrize("what", BROKEN)
def test_a_server_that_breaks_the_protocol_is_not_followed(what: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        BROKEN[what]()
    assert caught.value.code is Code.BAD_FRAME


def test_a_driver_cannot_break_it_either() -> None:
    with pytest.raises(LocalProtocolError):
        opened().take(51)
    with pytest.raises(LocalProtocolError):
        opened().finish("")
    with pytest.raises(LocalProtocolError):
        receiving().wrote(1)


def test_an_error_that_the_server_tells_is_raised_with_its_code() -> None:
    info = ErrorInfo("no_space", "The disk is full.", True, 500)
    with pytest.raises(HubError) as caught:
        opened().receive(wire.StreamError(info), 0.0)
    assert (caught.value.code, caught.value.message, caught.value.retry_after_ms) == (
        Code.NO_SPACE,
        "The disk is full.",
        500,
    )
    assert to_hub_error(msgspec.structs.replace(info, code="from_the_future")).code is Code.INTERNAL


def test_a_silent_server_is_asked_and_then_dead() -> None:
    sender = opened()
    assert sender.ping(ASK_S - 0.1) is None
    assert sender.ping(ASK_S) == wire.StreamPing()
    assert sender.ping(ASK_S + 0.1) is None, "once is enough"
    assert not sender.is_dead(DEAD_S - 0.1) and sender.is_dead(DEAD_S)
    sender.receive(wire.StreamPong(), DEAD_S)
    assert not sender.is_dead(2 * DEAD_S - 0.1)
    assert DEAD_S < wire.SILENCE_S and ASK_S < wire.PING_S
