"""One upload stream on a fake wire and a real directory: chunks, credit, faults in every place, and resuming."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from jupyter_ws_hub.protocol.codec import encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import WINDOW_BYTES, Credit, Done, StreamAck, StreamError
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import until

from .test_store import FakeFiles, clock, files, make_store, store
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
