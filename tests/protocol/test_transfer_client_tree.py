"""The client's machines of a tree against small models of the server, written from PROTOCOL.md alone."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import transfer as wire
from jupyter_ws_hub.protocol.codec import Chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, LocalProtocolError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer_client_tree import MAX_ENTRIES, Part, TreeReceiver, TreeSender

from .test_transfer_client import content, welcome

WINDOW = 40


class TreeModel:
    """The receiving server: entries and bytes in order, each entry published by itself, the half one dropped."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.bytes = 0
        """Those of what is published."""
        self.limit = 0

    def open(self) -> wire.StreamWelcome:
        self.ahead: deque[wire.TreeEntry] = deque()
        self.data = bytearray()
        limit = self.bytes + WINDOW
        return welcome(kind="tree", byte_offset=self.bytes, entry=len(self.published), limit=limit, size=0)

    def receive(self, message: wire.TreeEntries | Chunk | wire.Finish) -> list[wire.StreamServerMessage]:
        if isinstance(message, wire.Finish):
            assert (message.entries, message.size, message.root) == (len(self.published), self.bytes, "")
            return [wire.Done("p", message.size, "", "", entries=message.entries)]
        if isinstance(message, wire.TreeEntries):
            assert message.first == len(self.published) + len(self.ahead)
            self.ahead.extend(message.entries)
            assert len(self.ahead) <= wire.ENTRIES_AHEAD
        else:
            assert message.byte_offset == self.bytes + len(self.data), "it must go on where it ended"
            self.data += message.payload
            assert len(self.data) <= sum(entry.size for entry in self.ahead), "bytes before their entry"
            assert self.bytes + len(self.data) <= self.limit, "beyond the credit"
        while self.ahead and len(self.data) >= self.ahead[0].size:
            entry = self.ahead.popleft()
            self.published.append((entry.path, bytes(self.data[: entry.size])))
            del self.data[: entry.size]
            self.bytes += entry.size
        self.limit = self.bytes + len(self.data) + WINDOW
        at = self.bytes + len(self.data)
        return [wire.Settled(len(self.published), []), wire.Credit(self.limit), wire.StreamAck(at, at, 0)]


class UploadWorld:
    """A sender of a few files, and the model."""

    def __init__(self, sizes: list[int]) -> None:
        self.files = [(f"f{n}", content(size)) for n, size in enumerate(sizes)]
        self.sender = TreeSender(len(sizes))
        self.model = TreeModel()
        self.up: deque[Any] = deque()
        self.down: deque[wire.StreamServerMessage] = deque()
        self.sequence = b"".join(data for _, data in self.files)

    def dial(self, count: int) -> None:
        self.up.clear()
        self.sender.hello(0.0)
        self.down = deque([self.model.open()])
        self.model.limit = self.model.bytes + WINDOW

    def announce(self, count: int) -> None:
        sender = self.sender
        count = min(count, sender.entries_room, len(self.files) - sender.announced)
        if count > 0:
            chosen = self.files[sender.announced : sender.announced + count]
            self.up.append(sender.announce([wire.TreeEntry(name, len(data)) for name, data in chosen]))

    def send(self, count: int) -> None:
        sender = self.sender
        count = min(count, sender.room)
        if count:
            self.up.append(Chunk(sender.sent, memoryview(self.sequence)[sender.sent : sender.sent + count]))
            sender.take(count)
        elif sender.is_open and not sender.is_finishing and sender.announced == len(self.files):
            if sender.sent == len(self.sequence):
                self.up.append(sender.finish())

    def to_server(self, count: int) -> None:
        for _ in range(min(count, len(self.up))):
            self.down.extend(self.model.receive(self.up.popleft()))

    def to_client(self, count: int) -> None:
        for _ in range(min(count, len(self.down))):
            self.sender.receive(self.down.popleft(), 0.0)


UP = ("dial", "announce", "announce", "send", "send", "to_server", "to_server", "to_client", "to_client")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 60), max_size=12), st.lists(st.tuples(st.sampled_from(UP), st.integers(1, 30)), max_size=80)
)
def test_every_entry_is_put_once_whatever_is_cut(sizes: list[int], path: list[tuple[str, int]]) -> None:
    world = UploadWorld(sizes)
    world.dial(0)
    for name, count in path:
        if world.sender.done is None:
            getattr(world, name)(count)
    if world.sender.done is None:
        world.dial(0)
    for _ in range(100):
        if world.sender.done is None:
            for name in ("to_client", "announce", "send", "to_server"):
                getattr(world, name)(25)
    assert world.model.published == world.files
    assert world.sender.done is not None and world.sender.done.entries == len(sizes)


def test_no_more_is_announced_than_may_be() -> None:
    sender = TreeSender(5000)
    sender.hello(0.0)
    sender.receive(welcome(kind="tree", size=0), 0.0)
    assert sender.entries_room == wire.ENTRIES_AHEAD
    sender.announce([wire.TreeEntry("a")] * 1000)
    assert sender.entries_room == wire.ENTRIES_AHEAD - 1000
    with pytest.raises(LocalProtocolError):
        sender.announce([wire.TreeEntry("a")] * 25)
    sender.receive(wire.Settled(400, []), 0.0)
    sender.receive(wire.Settled(300, []), 0.0)
    assert sender.entries_room == wire.ENTRIES_AHEAD - 600


def test_another_process_goes_on_with_what_the_server_knows() -> None:
    sender = TreeSender(10)
    sender.hello(0.0)
    sender.receive(welcome(kind="tree", entry=7, byte_offset=70, limit=100, size=0), 0.0)
    assert (sender.announced, sender.sent, sender.room) == (7, 70, 0)
    assert sender.announce([wire.TreeEntry("a", 5)]) == wire.TreeEntries(7, [wire.TreeEntry("a", 5)])
    assert sender.room == 5


@pytest.mark.parametrize("entry", [2, 11])
def test_a_server_cannot_skip_entries_nor_go_back(entry: int) -> None:
    sender = TreeSender(10)
    for number in (3, entry):
        sender.hello(0.0)
        with pytest.raises(RemoteProtocolError) if number == entry else _nothing():
            sender.receive(welcome(kind="tree", entry=number, size=0), 0.0)


def _nothing() -> contextlib.AbstractContextManager[None]:

    return contextlib.nullcontext()


def test_what_is_settled_must_have_been_announced() -> None:
    sender = TreeSender(10)
    sender.hello(0.0)
    sender.receive(welcome(kind="tree", size=0), 0.0)
    failed = wire.EntryResult(0, "failed", error=ErrorInfo("exists", "", False))
    for settled in (wire.Settled(1, []), wire.Settled(0, [failed])):
        with pytest.raises(RemoteProtocolError):
            sender.receive(settled, 0.0)


Files = list[tuple[str, bytes]]


def received(files: Files, parts: list[Part]) -> None:
    """Take parts as a disk would."""
    for part in parts:
        if part.byte_offset == 0:
            assert part.number == len(files)
            files.append((part.entry.path, b""))
        name, data = files[-1]
        assert (part.entry.path, part.byte_offset) == (name, len(data)), "a part must continue its entry"
        files[-1] = (name, data + bytes(part.payload))
        assert part.is_last == (len(files[-1][1]) == part.entry.size)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=12), st.data())
def test_bytes_are_cut_into_entries_wherever_frames_and_connections_end(sizes: list[int], data: st.DataObject) -> None:
    source = [(f"f{n}", content(size)) for n, size in enumerate(sizes)]
    sequence = b"".join(body for _, body in source)
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    receiver = TreeReceiver(len(sequence), len(sizes))
    files: Files = []
    done = False
    while not done:
        hello = receiver.hello(0.0)
        assert hello.entries == sum(part == source[n] for n, part in enumerate(files)), "the whole ones"
        assert hello.have == sum(len(body) for _, body in files)
        receiver.receive(welcome("download", kind="tree", byte_offset=hello.have, size=len(sequence), limit=999), 0.0)
        known, at = hello.entries, hello.have
        for _ in range(data.draw(st.integers(1, 30))):
            told = data.draw(st.integers(0, len(sizes) - known))
            entries = [wire.TreeEntry(name, len(body)) for name, body in source[known : known + told]]
            receiver.receive(wire.TreeEntries(known, entries), 0.0)
            received(files, receiver.parts(None, 0.0))
            known += told
            end = min(at + data.draw(st.integers(1, 70)), ends[known - 1] if known else 0)
            if end > at:
                received(files, receiver.parts(Chunk(at, memoryview(sequence)[at:end]), 0.0))
                at = end
            receiver.wrote(at)
        if known == len(sizes) and at == len(sequence):
            receiver.receive(wire.Done("p", len(sequence), "r", "e", entries=len(sizes)), 0.0)
            done = True
    assert files == source


def fetching(entries: int = 2, size: int = 10) -> TreeReceiver:
    receiver = TreeReceiver(size, entries)
    receiver.hello(0.0)
    receiver.receive(welcome("download", kind="tree", size=size), 0.0)
    return receiver


@pytest.mark.parametrize(
    "message",
    [
        wire.TreeEntries(1, []),
        wire.TreeEntries(0, [wire.TreeEntry("a")] * 3),
        wire.TreeEntries(0, [wire.TreeEntry("a", -1)]),
        wire.TreeEntries(0, [wire.TreeEntry("a", 1, "directory")]),
        wire.Done("p", 10, "r", "e"),
    ],
)
def test_entries_that_cannot_be_are_refused(message: wire.StreamServerMessage) -> None:
    with pytest.raises(RemoteProtocolError):
        fetching().receive(message, 0.0)


def test_bytes_without_an_entry_are_refused() -> None:
    receiver = fetching()
    receiver.receive(wire.TreeEntries(0, [wire.TreeEntry("a", 1)]), 0.0)
    with pytest.raises(RemoteProtocolError):
        receiver.parts(Chunk(0, memoryview(b"xy")), 0.0)


def test_a_tree_ends_with_its_last_entry() -> None:
    receiver = fetching(entries=2, size=0)
    receiver.receive(wire.TreeEntries(0, [wire.TreeEntry("a")]), 0.0)
    assert [part.is_last for part in receiver.parts(None, 0.0)] == [True]
    with pytest.raises(RemoteProtocolError):
        receiver.receive(wire.Done("p", 0, "r", "e", entries=2), 0.0)


def test_the_entry_that_is_half_here_must_be_the_same_one() -> None:
    receiver = fetching()
    receiver.receive(wire.TreeEntries(0, [wire.TreeEntry("a", 5)]), 0.0)
    receiver.parts(Chunk(0, memoryview(b"xy")), 0.0)
    receiver.wrote(2)
    for _ in range(2):
        hello = receiver.hello(0.0)
    assert (hello.have, hello.entries) == (2, 0)
    receiver.receive(welcome("download", kind="tree", byte_offset=2, size=10), 0.0)
    with pytest.raises(RemoteProtocolError) as caught:
        receiver.receive(wire.TreeEntries(0, [wire.TreeEntry("b", 5)]), 0.0)
    assert caught.value.code is Code.SOURCE_CHANGED


def test_too_many_entries_are_refused_at_once() -> None:
    with pytest.raises(RemoteProtocolError):
        TreeReceiver(0, MAX_ENTRIES + 1)
