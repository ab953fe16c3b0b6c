"""One upload stream on a fake wire and a real directory: chunks, credit, faults in every place, and resuming."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import WINDOW_BYTES, Credit, Done, StreamAck, StreamError
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.stream import TASKS
from jupyter_ws_hub.transfers.upload import CHUNKS_AT_A_TIME
from tests.support.client import until
from tests.support.fakes import FakeClock

from .test_store import FakeFiles, Make, clock, files, make_store, store
from .uploader import DATA, Uploader, begun, upload

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is written to the disk before this is set."""
    event, pwritev = threading.Event(), os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda *arguments: event.wait(5) and pwritev(*arguments))
    yield event
    event.set()


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


# What a client may do that is no error, and what it costs the server


async def test_many_tiny_chunks_are_put_together(store: TransferStore, gate: threading.Event, files: FakeFiles) -> None:
    """The credit bounds bytes: of chunks of one byte it would let millions wait."""
    data = os.urandom(20_000)
    client = await (await upload(store, size=len(data))).hello()
    for at in range(len(data)):
        client.stream.receive(encode_chunk(at, data[at : at + 1]))
        client.stream.receive(encode_chunk(at + 1, b""))
    assert len(client.stream._chunks) <= 2 * CHUNKS_AT_A_TIME
    gate.set()
    await client.finish(data)
    assert isinstance(client.last, Done)
    assert files.read("a.bin") == data


async def test_a_pause_at_once_with_a_new_stream_holds(store: TransferStore) -> None:
    client = await begun(store, DATA[:4])
    for _ in range(20):
        await client.stream.closed()
        client = Uploader(store, client.op)
        opening = asyncio.create_task(client.hello())
        await store.pause(client.op)
        await opening
        await client.stream.closed()
        assert (client.op.held, client.op.state) == (True, "paused")
        assert (await Uploader(store, client.op).hello()).error.code == "paused"
        await store.resume(client.op)
    assert isinstance(await Uploader(store, client.op).whole(DATA), Done)


async def test_a_cancel_at_once_with_a_new_stream_leaves_nothing(store: TransferStore, files: FakeFiles) -> None:
    for turns in range(20):
        client = await begun(store, DATA[:4])
        await client.stream.closed()
        client = Uploader(store, client.op)
        opening = asyncio.create_task(client.hello())
        for _ in range(turns):
            await asyncio.sleep(0)
        await store.cancel(client.op)
        await opening
        await client.stream.closed()
        assert (client.op.state, files.names(), store.journal.ids()) == ("cancelled", [], set())


async def test_a_slow_rate_does_not_keep_who_pauses_waiting(make_store: Make) -> None:
    store = make_store(bytes_per_s=0.001)
    client = await begun(store, DATA[:4])
    await until(lambda: client.op.byte_offset == 4, "the bytes to be written")
    async with asyncio.timeout(5):
        await store.pause(client.op)
    assert client.error.code == "paused"


async def test_progress_outlives_a_pause_and_a_look_from_elsewhere(make_store: Make) -> None:
    store = make_store()
    client = await begun(store, DATA[:4])
    await client.stream._written()
    await store.pause(client.op)
    assert client.op.byte_offset == 4
    assert (await make_store().find(client.op.id, "alice")).byte_offset == 4


async def test_what_a_long_path_was_lent_comes_back(make_store: Make) -> None:
    store = make_store(windows_bytes=10_000_000)
    data = bytes(6 * WINDOW_BYTES)
    client = await (await upload(store, size=len(data))).hello()
    at = 0
    while client.limit < len(data):  # a window at once, and no more before the credit has come over a long path
        for start in range(at, client.limit, MAX_CHUNK_PAYLOAD_BYTES):
            client.stream.receive(encode_chunk(start, bytes(min(MAX_CHUNK_PAYLOAD_BYTES, client.limit - start))))
        at = client.limit
        await client.stream._written()
    assert store.windows.free_bytes == 0
    assert client.limit - client.op.byte_offset <= WINDOW_BYTES + 10_000_000
    await client.stream.closed()
    await client.stream.closed()
    assert store.windows.free_bytes == 10_000_000


async def test_a_client_that_does_not_read_what_it_asks_for_is_ended(store: TransferStore) -> None:
    stuck = asyncio.Event()

    async def stick(message: str | bytes) -> None:
        await stuck.wait()

    client = await begun(store, DATA[:1])
    client.wire.on_send = stick
    for _ in range(TASKS + 1):
        client.stream.receive('{"type":"ping"}')
    await until(lambda: client.wire.closed, "the end")
    assert client.wire.closed[0] == Code.SLOW_CONSUMER
    assert len(client.stream._tasks) <= TASKS + 2
    stuck.set()
    await client.stream.closed()
    assert isinstance(await Uploader(store, client.op).whole(DATA), Done)


async def test_an_upload_is_kept_alive_in_the_journal_while_it_moves(make_store: Make, clock: FakeClock) -> None:
    store = make_store(touch_interval_s=100)
    client = await begun(store, DATA[:1])
    clock.advance(101)
    await client.send(DATA[1:2], 1)
    await client.stream._written()
    await store.sweep()
    record = store.journal.load(client.op.id)
    assert record is not None and record.touched_s == clock.now_s
    await client.stream.closed()


async def test_a_disk_that_forbids_to_write_ends_the_upload_for_good(
    store: TransferStore, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, code in [(errno.EFBIG, "too_big"), (errno.EACCES, "forbidden")]:

        def refuse(*arguments: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", refuse)
            client = await begun(store, DATA[:4])
            await client.stream._written()
        assert (client.error.code, client.op.state) == (code, "failed")
        await client.stream.closed()
        assert files.names() == []
