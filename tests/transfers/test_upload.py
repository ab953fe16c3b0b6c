"""One upload stream on a fake wire and a real directory: policies, faults in every place, and resuming after them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, WINDOW_BYTES, Credit, Done, StreamAck, StreamError
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.file_upload import FileUpload
from jupyter_ws_hub.transfers.operation import Operation, UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import root_of, until
from tests.support.fakes import fake_peer

from .test_store import FakeFiles, FakeWire, clock, files, make_store, store

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


class Uploader:
    """A client and the stream that serves it."""

    def __init__(self, store: TransferStore, op: Operation, wire: FakeWire | None = None) -> None:
        """Open a stream on an operation, without hello."""
        self.wire = wire or FakeWire()
        self.op = op
        self.stream = FileUpload(op, store, self.wire, op.peer or fake_peer())

    async def take(self, frame: str | bytes) -> None:
        """Let a frame come, and what it begins be done."""
        self.stream.receive(frame)
        await self.stream.idle()

    async def hello(self) -> Self:
        """Say hello."""
        await self.take(transfer.encode_stream(transfer.StreamHello()))
        return self

    async def send(self, data: bytes, at: int = 0) -> Self:
        """Send data in chunks, with a pause for the writer where the credit is used up."""
        for start in range(0, len(data), MAX_CHUNK_PAYLOAD_BYTES):
            end = at + min(len(data), start + MAX_CHUNK_PAYLOAD_BYTES)
            await until(lambda end=end: self.limit >= end or self.wire.closed, "credit")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            await self.take(encode_chunk(at + start, data[start : start + MAX_CHUNK_PAYLOAD_BYTES]))
        return self

    async def finish(self, data: bytes, root: str | None = None) -> None:
        """Say that all is sent."""
        await self.take(transfer.encode_stream(transfer.Finish(len(data), root or root_of(data))))

    async def whole(self, data: bytes) -> Done | StreamError:
        """Everything; the last message that came back."""
        await self.hello()
        if self.wire.closed is None:
            await self.send(data[self.welcome.byte_offset :], self.welcome.byte_offset)
            await self.finish(data)
        return self.last

    @property
    def partial(self) -> bytes:
        """What has arrived."""
        return Path(self.op.partial or "").read_bytes()

    @property
    def welcome(self) -> transfer.StreamWelcome:
        """The server's first message."""
        first = self.wire.texts[0]
        assert isinstance(first, transfer.StreamWelcome)
        return first

    @property
    def limit(self) -> int:
        """Up to where the credit goes."""
        return max([self.welcome.limit, *(m.limit for m in self.wire.texts if isinstance(m, Credit))])

    @property
    def last(self) -> Done | StreamError:
        """The server's last message, after which the socket is closed."""
        assert self.wire.closed is not None
        last = self.wire.texts[-1]
        assert isinstance(last, (Done, StreamError))
        return last

    @property
    def error(self) -> ErrorInfo:
        """What the server told before it closed."""
        assert isinstance(self.last, StreamError)
        return self.last.error


async def upload(store: TransferStore, plan: UploadPlan | None = None, size: int = 10, peer: Peer | None = None) -> Any:
    return Uploader(store, await store.create_upload(peer or fake_peer(), "a.bin", size, plan or UploadPlan()))


DATA = b"0123456789"


async def begun(
    store: TransferStore, data: bytes, plan: UploadPlan | None = None, size: int = 10, peer: Peer | None = None
) -> Any:
    """An upload whose first bytes are sent."""
    client = await upload(store, plan, size, peer)
    return await (await client.hello()).send(data)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is written to the disk before this is set."""
    event, pwritev = threading.Event(), os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda *arguments: event.wait(5) and pwritev(*arguments))
    yield event
    event.set()


# What goes well


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
async def test_a_file_of_any_size_arrives_with_one_save_event(
    store: TransferStore, files: FakeFiles, size: int
) -> None:
    data = os.urandom(size)
    client = await upload(store, size=size)
    done = await client.whole(data)
    assert isinstance(done, Done)
    etag = Validator.of(os.stat(files.root / "a.bin")).etag
    assert done == Done("a.bin", size, root_of(data), etag)
    assert client.wire.closed == (1000, "done")
    assert files.read("a.bin") == data
    assert files.names() == ["a.bin"]
    assert files.events == ["a.bin"]
    assert (client.op.state, client.op.byte_offset) == ("done", size)


async def test_acks_tell_what_is_written_and_credit_follows(store: TransferStore) -> None:
    data = bytes(2 * WINDOW_BYTES)
    client = await upload(store, size=len(data))
    assert isinstance(await client.whole(data), Done)
    assert client.welcome.limit == WINDOW_BYTES
    acks = [message for message in client.wire.texts if isinstance(message, StreamAck)]
    assert acks[-1] == StreamAck(len(data), len(data), len(data))
    assert all(ack.durable <= ack.written <= ack.received for ack in acks)
    limits = [message.limit for message in client.wire.texts if isinstance(message, Credit)]
    assert limits == sorted(set(limits))
    assert client.limit == len(data)


async def test_an_interrupted_upload_goes_on_with_what_is_written(store: TransferStore, files: FakeFiles) -> None:
    client = await begun(store, DATA[:4])
    await client.stream.closed()
    assert (client.op.state, client.op.byte_offset, client.op.stream) == ("paused", 4, None)
    assert "a.bin" not in files.names()
    second = Uploader(store, client.op)
    assert isinstance(await second.whole(DATA), Done)
    assert second.welcome.byte_offset == 4
    assert files.read("a.bin") == DATA


# Policies


async def test_a_target_that_appears_meanwhile_is_left_and_the_client_is_told(
    store: TransferStore, files: FakeFiles
) -> None:
    client = await begun(store, DATA)
    files.write("a.bin", b"theirs")
    await client.finish(DATA)
    assert (client.error.code, client.wire.closed[0]) == ("exists", Code.EXISTS)
    assert client.op.state == "failed"
    assert files.names() == ["a.bin"]
    assert files.read("a.bin") == b"theirs"
    assert files.events == []


async def test_overwrite_and_rename_do_what_they_say(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"old")
    renamed = await (await upload(store, UploadPlan("rename"))).whole(DATA)
    assert (renamed.path, files.read("a.bin")) == ("a-1.bin", b"old")
    replaced = await (await upload(store, UploadPlan("overwrite"))).whole(DATA)
    assert (replaced.path, files.read("a.bin")) == ("a.bin", DATA)
    assert files.events == ["a-1.bin", "a.bin"]


# What the client does wrong


async def test_a_digest_that_does_not_match_publishes_nothing(store: TransferStore, files: FakeFiles) -> None:
    files.write("a.bin", b"old")
    client = await begun(store, DATA, UploadPlan("overwrite"))
    await client.finish(DATA, root_of(b"something else"))
    assert client.error.code == "digest_mismatch"
    assert client.error.details == {"expected": root_of(b"something else"), "received": root_of(DATA)}
    assert (files.read("a.bin"), files.names()) == (b"old", ["a.bin"])
    assert client.op.state == "failed"
    again = await Uploader(store, client.op).hello()
    assert again.error.code == "digest_mismatch"


async def test_a_wrong_offset_names_the_right_one_and_writes_nothing(store: TransferStore) -> None:
    for at, expected in [(5, 4), (3, 4), (0, 4)]:
        client = await begun(store, DATA[:4])
        await client.take(encode_chunk(at, b"XX"))
        assert (client.error.code, client.last.expected) == ("wrong_offset", expected)
        await client.stream.closed()
        assert client.partial == DATA[:4]
        await store.cancel(client.op)


@pytest.mark.parametrize("chunk", [encode_chunk(4, b"X" * 7), encode_chunk(4, b"X", file_index=1)])
async def test_more_than_announced_is_refused_and_nothing_of_it_is_written(store: TransferStore, chunk: bytes) -> None:
    client = await begun(store, DATA[:4])
    await client.take(chunk)
    assert client.error.code in ("too_big", "wrong_offset")
    await client.stream.closed()
    assert client.partial == DATA[:4]


# What happens meanwhile


async def test_a_superseded_stream_writes_nothing_more(store: TransferStore, gate: threading.Event) -> None:
    old = await begun(store, DATA[:4])
    new = Uploader(store, old.op)
    taking_over = asyncio.create_task(new.hello())
    await until(lambda: old.wire.closed, "the old stream to be told")
    assert old.error.code == "superseded"
    assert new.wire.sent == [], "the offset may be told only when the old stream's writes are drained"
    gate.set()
    await taking_over
    assert new.welcome.byte_offset == 4
    await old.take(encode_chunk(4, b"XXXXXX"))
    await old.stream.closed()
    assert old.op.stream is new.stream
    await new.send(DATA[4:], 4)
    await new.finish(DATA)
    assert isinstance(new.last, Done)


async def test_cancel_in_the_midst_removes_the_partial_file(store: TransferStore, files: FakeFiles) -> None:
    client = await begun(store, DATA[:4])
    await store.cancel(client.op)
    assert (client.error.code, client.op.state) == ("cancelled", "cancelled")
    await client.take(encode_chunk(4, b"XXXXXX"))
    await client.stream.closed()
    assert files.names() == []
    again = await Uploader(store, client.op).hello()
    assert isinstance(again.last, StreamError)
    assert files.names() == []


async def test_a_full_disk_pauses_and_the_rest_can_be_sent_later(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwritev = os.pwritev

    def small_disk(descriptor: int, parts: list[memoryview], at: int) -> int:
        if at >= 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwritev(descriptor, [b"".join(parts)[: 7 - at]], at)

    monkeypatch.setattr(os, "pwritev", small_disk)
    client = await begun(store, DATA)
    await until(lambda: client.wire.closed, "the error")
    assert (client.error.code, client.error.retryable, client.wire.closed[0]) == ("no_space", True, 4009)
    await client.stream.closed()
    assert (client.op.state, client.op.error.code) == ("paused", Code.NO_SPACE)
    monkeypatch.setattr(os, "pwritev", pwritev)
    second = Uploader(store, client.op)
    assert isinstance(await second.whole(DATA), Done)
    assert second.welcome.byte_offset == 7
    assert (files.read("a.bin"), client.op.error) == (DATA, None)


async def test_no_space_at_the_very_end_pauses_too(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", full)
    client = await upload(store)
    await client.whole(DATA)
    assert (client.error.code, client.op.state) == ("no_space", "paused")
    monkeypatch.setattr(os, "fsync", fsync)
    assert isinstance(await Uploader(store, client.op).whole(DATA), Done)
    assert files.names() == ["a.bin"]


def vanish(files: FakeFiles) -> None:
    shutil.rmtree(files.root)


def become_a_file(files: FakeFiles) -> None:
    vanish(files)
    files.root.write_bytes(b"a file now")


def become_a_directory(files: FakeFiles) -> None:
    (files.root / "a.bin").mkdir()


@pytest.mark.parametrize(
    ("change", "code"), [(vanish, "not_found"), (become_a_file, "not_found"), (become_a_directory, "invalid")]
)
async def test_a_place_that_changes_meanwhile_ends_the_upload_with_its_error(
    store: TransferStore, files: FakeFiles, change: Callable[[FakeFiles], None], code: str
) -> None:
    client = await begun(store, DATA, UploadPlan("overwrite"))
    change(files)
    await client.finish(DATA)
    assert (client.error.code, client.op.state) == (code, "failed")
    assert files.events == []


async def test_a_permission_revoked_between_start_and_commit_publishes_nothing(
    store: TransferStore, files: FakeFiles
) -> None:
    denied: set[tuple[str, str]] = set()
    client = await begun(store, DATA, peer=fake_peer(denied=denied))
    denied.add(("write", "contents"))
    await client.finish(DATA)
    assert (client.error.code, client.op.state, files.names()) == ("forbidden", "failed", [])


async def test_a_post_save_hook_that_fails_is_a_warning(store: TransferStore, files: FakeFiles) -> None:
    files.warning = "the hook failed"
    client = await upload(store)
    done = await client.whole(DATA)
    assert isinstance(done, Done)
    assert (done.warning, client.op.state, files.events) == ("the hook failed", "done", ["a.bin"])
    assert files.read("a.bin") == DATA


async def test_a_failure_that_nobody_foresaw_does_not_leave_the_upload_committing(
    store: TransferStore, files: FakeFiles
) -> None:
    async def fail(name: str, path: str) -> None:
        raise ValueError("a bug in somebody's contents manager")

    client = await begun(store, DATA)
    files.hook = fail
    await asyncio.gather(client.finish(DATA), return_exceptions=True)  # tornado logs it and closes the socket
    await client.stream.closed()
    assert client.op.state in ("paused", "failed")
    await store.cancel(client.op)


async def test_a_modification_time_that_cannot_be_is_told(store: TransferStore) -> None:
    client = await upload(store, UploadPlan("fail", None, 1e27))
    await client.whole(DATA)
    assert client.error.retryable is False


async def test_a_client_that_is_gone_when_it_is_done_gets_the_answer_on_its_next_stream(
    store: TransferStore, files: FakeFiles
) -> None:
    wire = FakeWire()
    client = Uploader(store, (await upload(store)).op, wire)
    await (await client.hello()).send(DATA)
    wire.closed = (1006, "gone")
    await client.finish(DATA)
    await client.stream.closed()
    again = await Uploader(store, client.op).hello()
    assert isinstance(again.last, Done)
    assert files.events == ["a.bin"]


async def test_a_stream_opened_during_the_commit_waits_for_its_end(store: TransferStore, files: FakeFiles) -> None:
    client = await begun(store, DATA)
    committing, go_on = asyncio.Event(), asyncio.Event()

    async def pause(name: str, path: str) -> None:
        if name == "after_save":
            committing.set()
            await go_on.wait()

    files.hook = pause
    finishing = asyncio.create_task(client.finish(DATA))
    await committing.wait()
    second = Uploader(store, client.op)
    opening = asyncio.create_task(second.hello())
    await until(lambda: client.wire.closed, "the first stream to be told")
    go_on.set()
    await asyncio.gather(finishing, opening)
    assert isinstance(second.last, Done)
    assert files.events == ["a.bin"]
