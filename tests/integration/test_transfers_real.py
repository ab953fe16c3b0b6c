"""Transfers and what a real server has around them: events, hooks, a full disk, more than 4 GiB, a second server."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, decode_chunk, encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import (
    BLOCK_BYTES,
    Done,
    Finish,
    StreamAck,
    StreamHello,
    StreamWelcome,
    decode_stream_server,
    encode_stream,
)
from jupyter_ws_hub.transfers.digest import BlockDigest
from jupyter_ws_hub.transfers.journal import Journal
from jupyter_ws_hub.transfers.partial import partial_path
from tests.support.client import Address, FileClient, HubClient, until
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import TOKEN, RealServer
from tests.support.small_disk import small_disk
from tests.support.tree_client import TreeClient

Start = Callable[..., RealServer]

HOOKS = """
from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

class Listened(AsyncLargeFileManager):
    def __init__(self, **traits):
        super().__init__(**traits)
        self.event_logger.add_listener(schema_id=self.event_schema_id, listener=note)

async def note(logger, schema_id, data):
    with Path(EVENTS).open("a") as file:
        file.write(f"{data['action']} {data['path']}\\n")

def pre_save(model, path, contents_manager, **more):
    if "refused" in path:
        raise HTTPError(403, "The hook wants no such file.")

def post_save(os_path, model, contents_manager, **more):
    if "unlucky" in os_path:
        raise RuntimeError("The hook has failed.")

c.ServerApp.contents_manager_class = Listened
c.FileContentsManager.pre_save_hook = pre_save
c.FileContentsManager.post_save_hook = post_save
"""
"""A contents manager whose events are written to the file EVENTS, one line each, and hooks that mind some names."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server with hooks for the tests that need some."""
    folder = tmp_path_factory.mktemp("server")
    with RealServer(folder, config=f"EVENTS = {str(folder / 'events')!r}\n{HOOKS}").running() as server:
        yield server


@pytest.fixture
def server(running: RealServer) -> RealServer:
    """The server with an empty root and no events."""
    running.clear()
    (running.base_dir / "events").write_text("")
    return running


def events(server: RealServer) -> list[str]:
    """What the contents manager has told so far."""
    return (server.base_dir / "events").read_text().splitlines()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def names(server: RealServer) -> list[str]:
    """All files under the server's root, hidden ones too."""
    return sorted(str(path.relative_to(server.root)) for path in server.root.rglob("*") if path.is_file())


async def ask(server: RealServer, method: str, **params: Any) -> Any:
    async with HubClient(Address.of(server)) as hub:
        return await hub.request(method, params)


async def create(server: RealServer, path: str, size: int, **more: Any) -> str:
    params = {"direction": "upload", "path": path, "size": size, **more}
    return str((await ask(server, "transfers.create", **params))["op"])


async def status(server: RealServer, op: str) -> Any:
    """What `transfers.list` says of an operation; None if it is not there."""
    listed = (await ask(server, "transfers.list"))["transfers"]
    return next((one for one in listed if one["op"] == op), None)


async def ended(server: RealServer, op: str) -> Any:
    """The same when no stream of this server is ending any more, and nothing is left to be done with it there."""
    async with asyncio.timeout(10):
        while True:
            listed = await status(server, op)
            if listed is None or listed["state"] not in ("running", "paused"):
                return listed
            await asyncio.sleep(0.02)


async def paused(server: RealServer, op: str) -> Any:
    """The same when the server has seen the last stream of an operation end."""
    async with asyncio.timeout(10):
        while True:
            if (listed := await status(server, op))["state"] == "paused":
                return listed
            await asyncio.sleep(0.02)


async def send(client: FileClient, data: bytes, at: int, *, written: bool = True) -> None:
    """Send some bytes on an open stream; wait until they are written."""
    end = at + len(data)
    for begin in range(at, end, MAX_CHUNK_PAYLOAD_BYTES):
        await client.socket.send(encode_chunk(begin, data[begin - at : begin - at + MAX_CHUNK_PAYLOAD_BYTES]))
    while written and (not isinstance(message := await client.receive(), StreamAck) or message.written < end):
        pass


async def finish(client: FileClient, size: int, root: str) -> Done:
    await client.socket.send(encode_stream(Finish(size, root)))
    while not isinstance(answer := await client.receive(), Done):
        pass
    await client.close()
    return answer


async def test_a_file_that_was_cut_has_one_save_event(server: RealServer) -> None:
    data = os.urandom(2_000_000)
    op = await create(server, "a.bin", len(data))
    client = FileClient(Address.of(server), op)
    await client.open()
    await send(client, data[:1_000_000], 0)
    await client.close()
    assert events(server) == []
    assert isinstance(await client.upload(data), Done)
    assert client.welcomes[-1].byte_offset == 1_000_000
    assert isinstance(await client.upload(data), Done)  # it is told again, and nothing is done again
    # Another file's event comes behind all of this one's.
    assert isinstance(await FileClient(Address.of(server), await create(server, "b.bin", 0)).upload(b""), Done)
    await until(lambda: "save b.bin" in events(server), "the event")
    assert events(server) == ["save a.bin", "save b.bin"]


async def test_each_file_of_a_tree_has_one_save_event_and_those_that_the_hook_refuses_have_none(
    server: RealServer,
) -> None:
    files = {f"sub/{number}.bin": os.urandom(100 + number) for number in range(300)}
    entries = [("empty", None), *files.items(), ("refused.bin", b"1"), ("last.bin", b"2")]
    (server.root / "refused.bin").write_bytes(b"old")
    op = await create(server, "", sum(map(len, files.values())) + 2, kind="tree", entries=303, if_exists="overwrite")
    client = TreeClient(Address.of(server), op, entries)
    done = await client.upload_tree()
    assert (done.entries, done.failed) == (303, 1)
    refused = client.results[301].error
    assert refused is not None and "The hook wants no such file." in refused.message
    assert (server.root / "refused.bin").read_bytes() == b"old"
    assert names(server) == sorted([*files, "refused.bin", "last.bin"])
    assert all((server.root / path).read_bytes() == data for path, data in files.items())
    await until(lambda: "save last.bin" in events(server), "the last event")
    assert sorted(events(server)) == sorted(f"save {path}" for path in [*files, "last.bin"])


async def test_a_pre_save_hook_that_rejects_leaves_the_target_as_it_is(server: RealServer) -> None:
    (server.root / "refused.bin").write_bytes(b"old")
    with pytest.raises(HubError) as caught:
        await create(server, "refused.bin", 10, if_exists="overwrite")
    assert caught.value.code is Code.FORBIDDEN
    assert "The hook wants no such file." in caught.value.message
    assert str(server.root) not in caught.value.message
    assert names(server) == ["refused.bin"]
    assert (server.root / "refused.bin").read_bytes() == b"old"
    assert events(server) == []
    assert all(one["path"] != "refused.bin" for one in (await ask(server, "transfers.list"))["transfers"])


async def test_a_post_save_hook_that_fails_is_a_warning_and_the_file_is_there(server: RealServer) -> None:
    data = os.urandom(100_000)
    op = await create(server, "unlucky.bin", len(data))
    done = await FileClient(Address.of(server), op).upload(data)
    assert isinstance(done, Done)
    assert done.warning is not None and "The hook has failed." in done.warning
    assert str(server.root) not in done.warning
    assert (await status(server, op))["warning"] == done.warning
    assert (await status(server, op))["state"] == "done"
    assert names(server) == ["unlucky.bin"]
    assert (server.root / "unlucky.bin").read_bytes() == data
    await until(lambda: events(server), "the event")
    assert events(server) == ["save unlucky.bin"]


async def test_a_disk_that_is_full_midway_pauses_an_upload_which_goes_on_when_there_is_space(
    start_server: Start, tmp_path: Path
) -> None:
    data = os.urandom(5_000_000)
    with small_disk(tmp_path / "small" / "root", 8 * 1024 * 1024) as disk:
        server = await asyncio.to_thread(start_server, base_dir=tmp_path / "small")
        op = await create(server, "big.bin", len(data))
        client = FileClient(Address.of(server), op)
        await client.open()
        await send(client, data[:2_000_000], 0)
        await asyncio.to_thread(disk.fill)
        with pytest.raises(HubError) as caught:
            await send(client, data[2_000_000:4_000_000], 2_000_000)
        await client.close()
        assert (caught.value.code, caught.value.code.retryable) == (Code.NO_SPACE, True)
        with pytest.raises(HubError) as again:
            await client.upload(data)
        assert again.value.code is Code.NO_SPACE
        kept = await paused(server, op)
        assert kept["error"]["code"] == "no_space"
        assert kept["byte_offset"] >= 2_000_000
        assert "big.bin" not in names(server)

        await asyncio.to_thread(disk.free)
        done = await client.upload(data)
        assert isinstance(done, Done)
        assert client.welcomes[-1].byte_offset >= 2_000_000
        assert names(server) == ["big.bin"]
        assert sha256((server.root / "big.bin").read_bytes()) == sha256(data)
        assert "Traceback" not in server.log_text
        await asyncio.to_thread(server.stop)


HERE = 1280 * BLOCK_BYTES + 1_000_000
"""5 GiB and a bit: so much of the large file has arrived, all zeros."""


def put_large_partial(server: RealServer, op: str) -> BlockDigest:
    """Make it look as if a server had written HERE zeros of an upload before it was killed; give their digest."""
    zeros = BlockDigest()
    zeros.update(bytes(BLOCK_BYTES))
    journal = Journal(server.data / "ws_hub" / "transfers", str(server.root.resolve()), logging.getLogger("test"))
    record = journal.load(op)
    assert record is not None
    target = server.root.resolve() / record.path
    partial = partial_path(target, op)
    with partial.open("wb") as file:
        file.truncate(HERE)
    journal.blocks_path(op).write_bytes(zeros.whole[0] * (HERE // BLOCK_BYTES))
    here = {"byte_offset": HERE, "durable": HERE, "target": str(target), "partial": str(partial)}
    journal.save(msgspec.structs.replace(record, **here))
    digest = BlockDigest(blocks=zeros.whole * (HERE // BLOCK_BYTES))
    digest.update(bytes(HERE - digest.byte_offset))
    return digest


async def test_more_than_4_gib_go_up_and_come_down(start_server: Start) -> None:
    server = await asyncio.to_thread(start_server)
    data = os.urandom(3_000_000)
    size = HERE + len(data)
    op = await create(server, "huge.bin", size)
    digest = await asyncio.to_thread(put_large_partial, server, op)
    client = FileClient(Address.of(server), op)
    assert (await client.open()).byte_offset == HERE > 2**32
    await send(client, data, HERE)
    digest.update(data)
    done = await finish(client, size, digest.root())
    assert (done.size, done.root) == (size, digest.root())
    place = server.root / "huge.bin"
    assert (names(server), place.stat().st_size) == (["huge.bin"], size)
    with place.open("rb") as file:
        file.seek(HERE)
        assert file.read() == data

    created = await ask(server, "transfers.create", direction="download", path="huge.bin")
    assert created["size"] == size
    part = await asyncio.to_thread(content, server, created["op"], f"bytes={HERE}-{HERE + 999}")
    assert part == (206, f"bytes {HERE}-{HERE + 999}/{size}", data[:1000])
    ended, tail = await download_behind(server, created["op"], size - 1_000_000)
    assert tail == data[-1_000_000:]
    assert (ended.size, ended.root) == (size, digest.root())
    assert "Traceback" not in server.log_text
    place.unlink()


def content(server: RealServer, op: str, wanted: str) -> tuple[int, str | None, bytes]:
    """Status, Content-Range and body of a range of a download over HTTP."""
    headers = {"Authorization": f"token {TOKEN}", "Range": wanted}
    request = urllib.request.Request(f"{server.url}ws/file-stream/{op}/content", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, response.headers["Content-Range"], response.read()


async def download_behind(server: RealServer, op: str, have: int) -> tuple[Done, bytes]:
    """Download what stands behind `have` bytes; the server reads those before them for the digest."""
    socket = await Address.of(server).open(f"ws/file-stream/{op}", FILE_STREAM_SUBPROTOCOL)
    data = bytearray()
    async with asyncio.timeout(60):
        await socket.send(encode_stream(StreamHello(have)))
        while True:
            frame = await socket.recv()
            if isinstance(frame, bytes):
                chunk = decode_chunk(frame)
                assert chunk.byte_offset == have + len(data)
                data += chunk.payload
            elif isinstance(message := decode_stream_server(frame), Done):
                await socket.close()
                return message, bytes(data)
            else:
                assert isinstance(message, StreamWelcome) and message.byte_offset == have, message


@pytest.fixture
def pair(start_server: Start, tmp_path: Path) -> tuple[RealServer, RealServer]:
    """Two servers with one data directory and one root."""
    first, second = (start_server(base_dir=tmp_path / "shared") for _ in range(2))
    return first, second


async def test_an_upload_is_taken_over_on_another_server_while_the_first_one_still_gets_data(
    pair: tuple[RealServer, RealServer],
) -> None:
    first, second = pair
    data = os.urandom(8_000_000)
    op = await create(first, "big.bin", len(data))
    async with FaultProxy(first.port, Fault(up=Way(bytes_per_s=1_000_000))) as proxy:
        old = asyncio.create_task(FileClient(Address.of(first, proxy.port), op).upload(data))
        await arrived(first, op, 500_000)
        listed = await status(second, op)
        assert (listed["path"], listed["size"], listed["direction"]) == ("big.bin", len(data), "upload")

        client = FileClient(Address.of(second), op)
        done = await client.upload(data)
        assert isinstance(done, Done)
        assert 0 < client.welcomes[0].byte_offset < len(data)
        (result,) = await asyncio.gather(old, return_exceptions=True)
    assert isinstance(result, HubError) and result.code is Code.SUPERSEDED, result
    assert names(first) == ["big.bin"]
    assert sha256((first.root / "big.bin").read_bytes()) == sha256(data)
    for server in pair:
        listed = await ended(server, op)
        assert (listed["state"], listed["byte_offset"], listed["error"]) == ("done", len(data), None)
    assert await FileClient(Address.of(first), op).upload(data) == done
    for server in pair:
        assert "Traceback" not in server.log_text


async def arrived(server: RealServer, op: str, byte_offset: int) -> None:
    """Until so much of an upload is written; by the file itself, which every server sees."""
    partial = partial_path(server.root / "big.bin", op)
    await until(lambda: partial.exists() and partial.stat().st_size >= byte_offset, "some progress")


async def test_cancel_on_one_server_ends_what_another_one_does(pair: tuple[RealServer, RealServer]) -> None:
    first, second = pair
    data = os.urandom(8_000_000)
    (first.root / "big.bin").write_bytes(b"old")
    op = await create(first, "big.bin", len(data), if_exists="overwrite")
    async with FaultProxy(first.port, Fault(up=Way(bytes_per_s=1_000_000))) as proxy:
        client = FileClient(Address.of(first, proxy.port), op)
        running = asyncio.create_task(client.upload(data))
        await arrived(first, op, 500_000)
        assert (await ask(second, "transfers.cancel", op=op))["state"] == "cancelled"
        assert names(second) == ["big.bin"]
        (result,) = await asyncio.gather(running, return_exceptions=True)
        assert isinstance(result, HubError) and result.code in (Code.SUPERSEDED, Code.CANCELLED), result
    assert names(first) == ["big.bin"]
    assert (first.root / "big.bin").read_bytes() == b"old"
    assert await ended(first, op) is None
    assert (await status(second, op))["state"] == "cancelled"
    with pytest.raises((HubError, ConnectionClosed)) as caught:  # the client may find the end before what was told
        await FileClient(Address.of(first), op).upload(data)
    told = caught.value
    if isinstance(told, ConnectionClosed):
        assert told.rcvd is not None and told.rcvd.code == Code.NOT_FOUND.value
    else:
        assert isinstance(told, HubError) and told.code is Code.NOT_FOUND
    assert names(first) == ["big.bin"]
    for server in pair:
        assert "Traceback" not in server.log_text
