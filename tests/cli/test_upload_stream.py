"""An upload's streams: only what the server has not, within its limits, and nothing behind a prefix that differs."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from jupyter_ws_hub.cli.file_source import FileSource
from jupyter_ws_hub.cli.transfer_link import LocalError, TransferLink
from jupyter_ws_hub.cli.upload_stream import FileUpload, PrefixDiffers, message_bytes
from jupyter_ws_hub.protocol import transfer as wire
from jupyter_ws_hub.protocol.codec import decode_chunk
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES
from tests.support.client import root_of

from ..support.scripted import Script, scripted

DATA = random.Random(2).randbytes(BLOCK_BYTES + 300_000)


class Receiver:
    """A server that takes an upload in small pieces of credit, from some byte on."""

    def __init__(self, have: int = 0, step: int = 100_001, digests: list[str] | None = None) -> None:
        self.have, self.step, self.digests = have, step, digests
        self.asked: list[bool] = []
        self.data = bytearray(DATA[:have])
        self.finish: wire.Finish | None = None

    def script(self, *, breaks: bool = False) -> Script:
        async def run(socket: ServerConnection) -> None:
            hello = wire.decode_stream_client(str(await socket.recv()))
            assert isinstance(hello, wire.StreamHello)
            self.asked.append(hello.digests)
            at, size = len(self.data), len(DATA)
            limit = min(size, at + self.step)
            name: wire.DigestName = "xxh3-128"
            welcome = wire.StreamWelcome("upload", "p", at, 0, size, limit, BLOCK_BYTES, name, digests=self.digests)
            await socket.send(wire.encode_stream(welcome))
            while len(self.data) < size:
                chunk = decode_chunk(bytes(await socket.recv(decode=False)))
                assert chunk.byte_offset == len(self.data) and chunk.byte_offset + len(chunk.payload) <= limit
                self.data += chunk.payload
                if len(self.data) == limit:
                    limit = min(size, limit + self.step)
                    await socket.send(wire.encode_stream(wire.StreamAck(len(self.data), len(self.data), 0)))
                    await socket.send(wire.encode_stream(wire.Credit(limit)))
                    if breaks:
                        socket.transport.abort()
                        return
            finish = wire.decode_stream_client(str(await socket.recv()))
            assert isinstance(finish, wire.Finish)
            self.finish = finish
            await socket.send(wire.encode_stream(wire.Done("p", size, finish.root, "e")))

        return run


async def upload(path: Path, *scripts: Script, is_new: bool = False) -> list[int]:
    progress: list[int] = []
    source = FileSource(path, "xxh3-128")
    try:
        async with scripted(*scripts) as server:
            link = TransferLink(server, "op", lambda _: None)
            await link.run(FileUpload(source, link, progress.append, is_new=is_new).drive)
    finally:
        source.close()
    return progress


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.bin"
    made.write_bytes(DATA)
    return made


@pytest.mark.parametrize("have", [0, 5, BLOCK_BYTES + 1, len(DATA)])
async def test_what_is_missing_is_sent_within_the_limits(path: Path, have: int) -> None:
    receiver = Receiver(have)
    progress = await upload(path, receiver.script())
    assert receiver.data == DATA and receiver.finish == wire.Finish(len(DATA), root_of(DATA))
    assert progress == sorted(progress)


async def test_it_goes_on_where_it_was_cut(path: Path) -> None:
    receiver = Receiver(step=700_000)
    await upload(path, *[receiver.script(breaks=True)] * 3, receiver.script())
    assert receiver.data == DATA and receiver.finish == wire.Finish(len(DATA), root_of(DATA))


@pytest.mark.parametrize("is_new", [True, False])
async def test_digests_are_asked_for_until_what_was_there_before_is_proved(path: Path, is_new: bool) -> None:
    """They can be many: not on each stream. What this command has sent itself needs no proof."""
    receiver = Receiver(0 if is_new else BLOCK_BYTES + 1, step=100_000)

    async def silent(socket: ServerConnection) -> None:
        hello = wire.decode_stream_client(str(await socket.recv()))
        assert isinstance(hello, wire.StreamHello)
        receiver.asked.append(hello.digests)
        socket.transport.abort()

    cut = receiver.script(breaks=True)
    await upload(path, silent, cut, cut, receiver.script(), is_new=is_new)
    assert receiver.asked == [not is_new, not is_new, False, False]
    assert receiver.data == DATA


@pytest.mark.parametrize("name", ["xxh3-128", "sha256"])
async def test_the_digests_of_a_very_large_file_fit_into_a_welcome(tmp_path: Path, name: wire.DigestName) -> None:
    path, size = tmp_path / "large", 500 << 30
    with path.open("wb") as file:
        file.truncate(size)
    characters = {"xxh3-128": 32, "sha256": 64}[name]

    async def answer(socket: ServerConnection) -> None:
        await socket.recv()
        digests = ["0" * characters] * (size // BLOCK_BYTES)
        welcome = wire.StreamWelcome("upload", "p", 0, 0, size, 0, BLOCK_BYTES, name, digests=digests)
        text = wire.encode_stream(welcome)
        assert len(text) > 4_000_000
        await socket.send(text)
        await socket.send(wire.encode_stream(wire.StreamError(ErrorInfo("cancelled", "It arrived.", False))))

    source = FileSource(path, name)
    try:
        async with scripted(answer) as server, asyncio.timeout(20):
            link = TransferLink(server, "op", lambda _: None, message_bytes(size))
            with pytest.raises(HubError, match="It arrived"):
                await link.run(FileUpload(source, link, lambda _: None, is_new=False).drive)
    finally:
        source.close()


async def test_nothing_is_put_behind_what_differs(path: Path) -> None:
    receiver = Receiver(BLOCK_BYTES + 1, digests=["00" * 16])
    with pytest.raises(PrefixDiffers):
        await upload(path, receiver.script())
    assert len(receiver.data) == BLOCK_BYTES + 1


async def test_a_file_that_vanishes_into_a_shorter_one_ends_it(path: Path) -> None:
    receiver = Receiver(step=700_000)
    source = FileSource(path, "xxh3-128")
    os.truncate(path, 5)
    try:
        async with scripted(receiver.script()) as server:
            link = TransferLink(server, "op", lambda _: None)
            with pytest.raises(LocalError, match="shorter"):
                await link.run(FileUpload(source, link, lambda _: None, is_new=True).drive)
    finally:
        source.close()
