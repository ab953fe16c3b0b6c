"""`/ws/file-stream/<op>` with real tornado: bytes go both ways; what is wrong gets its error and does nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import struct
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub import host
from jupyter_ws_hub.cli import upload_stream
from jupyter_ws_hub.cli.file_source import FileSource
from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.transfer_link import TransferLink
from jupyter_ws_hub.cli.upload_stream import message_bytes
from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL
from jupyter_ws_hub.protocol.codec import INBOUND_CHUNK_FRAME_BYTES, encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Credit, Done, Finish, encode_stream
from jupyter_ws_hub.transfers import store
from jupyter_ws_hub.transfers.file_upload import FileUpload
from tests.support.client import Address, FileClient, HubClient, root_of, until


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


async def make(address: Address, direction: str, path: str, size: int | None = None, **more: Any) -> FileClient:
    async with HubClient(address) as hub:
        created = await hub.request("transfers.create", {"direction": direction, "path": path, "size": size, **more})
    return FileClient(address, created["op"])


async def state_of(address: Address, op: str) -> dict[str, Any]:
    async with HubClient(address) as hub:
        (status,) = [t for t in (await hub.request("transfers.list"))["transfers"] if t["op"] == op]
    return dict(status)


def names(root: Path) -> list[str]:
    return sorted(os.listdir(root))


async def test_a_file_goes_up_and_comes_down_again(address: Address, jp_root_dir: Path) -> None:
    data = os.urandom(5_000_001)
    done = await (await make(address, "upload", "sub.bin", len(data))).upload(data)
    assert isinstance(done, Done)
    assert (done.path, done.size, done.root, done.warning) == ("sub.bin", len(data), root_of(data), None)
    assert names(jp_root_dir) == ["sub.bin"]
    download = await make(address, "download", "sub.bin")
    down = await download.download()
    assert isinstance(down, Done)
    assert hashlib.sha256(download.data).digest() == hashlib.sha256(data).digest()
    assert (down.root, down.etag) == (done.root, done.etag)


async def test_a_stopped_upload_goes_on_where_it_was(address: Address, jp_root_dir: Path) -> None:
    data = os.urandom(3_000_000)
    client = await make(address, "upload", "a.bin", len(data))
    for stop in (1, 70_000, 70_001, 2_999_999):
        assert await client.upload(data, stop_at=stop) is None
        await until(lambda: "a.bin" not in names(jp_root_dir), "nothing to be published")
    assert isinstance(await client.upload(data), Done)
    offsets = [welcome.byte_offset for welcome in client.welcomes]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0 < offsets[-1]
    assert (jp_root_dir / "a.bin").read_bytes() == data
    again = await client.upload(data)
    assert again is not None
    assert again.path == "a.bin"
    assert names(jp_root_dir) == ["a.bin"]


async def test_a_stopped_download_goes_on_where_it_was(address: Address, jp_root_dir: Path) -> None:
    data = os.urandom(3_000_000)
    (jp_root_dir / "a.bin").write_bytes(data)
    client = await make(address, "download", "a.bin")
    for stop in (1, 65_520, 65_521, 2_999_999):
        assert await client.download(stop_at=stop) is None
    done = await client.download()
    assert done is not None
    assert bytes(client.data) == data
    assert done.root == root_of(data)
    assert [welcome.byte_offset for welcome in client.welcomes] == [0, 1, 65_520, 65_521, 2_999_999]


async def test_a_small_window_is_kept_to(address: Address, jp_root_dir: Path) -> None:
    data = os.urandom(6_000_000)
    (jp_root_dir / "a.bin").write_bytes(data)
    client = await make(address, "download", "a.bin")
    assert await client.download(window=1000) is not None
    assert bytes(client.data) == data


async def test_fragmented_messages_are_put_together(address: Address, jp_root_dir: Path) -> None:
    data = os.urandom(200_000)
    client = await make(address, "upload", "a.bin", len(data))
    await client.open()
    for at in range(0, len(data), 60_000):
        frame = encode_chunk(at, data[at : at + 60_000])
        await client.socket.send([frame[:1], frame[1:20_000], frame[20_000:]])
    await client.socket.send(encode_stream(Finish(len(data), root_of(data))))
    while not isinstance(await client.receive(), Done):
        pass
    await client.close()
    assert (jp_root_dir / "a.bin").read_bytes() == data


async def test_the_digests_of_a_very_large_upload_reach_a_client(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jupyter ws-hub upload` as a client; the server has no such disk."""
    local, size, blocks = tmp_path / "large", 600 << 30, (600 << 30) // BLOCK_BYTES
    with local.open("wb") as file:
        file.truncate(size)
    monkeypatch.setattr(store, "check_space", lambda *arguments: None)
    monkeypatch.setattr(FileUpload, "_digests", lambda self: ["0" * 64] * blocks)
    client = await make(address, "upload", "large", size, digest="sha256")
    server = Server(f"http://127.0.0.1:{address.port}{address.base_url}", address.headers["Authorization"].split()[1])
    source = FileSource(local, "sha256")
    notices: list[str] = []
    link = TransferLink(server, client.op, notices.append, message_bytes(size))
    upload = upload_stream.FileUpload(source, link, lambda _: None, is_new=False)
    running = asyncio.create_task(link.run(upload.drive))
    try:
        await until(lambda: upload.began_at == 0 or running.done(), "the welcome")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        source.close()
    assert upload.began_at == 0 and not any(notices)
    async with HubClient(address) as hub:
        await hub.request("transfers.cancel", {"op": client.op})


async def test_an_unknown_operation_is_told_and_closed_for_good(address: Address, jp_root_dir: Path) -> None:
    client = FileClient(address, "0123456789abcdef")
    with pytest.raises(HubError) as caught:
        await client.open()
    assert caught.value.code is Code.NOT_FOUND
    await client.socket.wait_closed()
    assert client.socket.close_code == 4503
    assert names(jp_root_dir) == []


def header(kind: int, offset: int, payload: bytes) -> bytes:
    return struct.pack(">BBHIQ", kind, 0, 0, 0, offset) + payload


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no JSON", Code.BAD_FRAME),
        ('{"type":"finish","size":"much","root":""}', Code.BAD_FRAME),
        ('{"type":"hello"}', Code.BAD_FRAME),
        ('{"type":"credit","limit":1}', Code.BAD_FRAME),
        ('{"type":"finish","size":10,"root":""}', Code.WRONG_OFFSET),
        ('{"type":"finish","size":11,"root":""}', Code.CONFLICT),
        (b"short", Code.BAD_FRAME),
        (header(9, 0, b"x"), Code.UNKNOWN_TYPE),
        (header(0, 5, b"x"), Code.WRONG_OFFSET),
        (header(0, 0, b"x" * 11), Code.TOO_BIG),
        (header(0, 0, b"x" * (INBOUND_CHUNK_FRAME_BYTES - 15)), Code.TOO_BIG),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, (str, bytes)) else value.name,
)
async def test_a_wrong_frame_ends_the_stream_and_writes_nothing(
    address: Address, jp_root_dir: Path, frame: str | bytes, code: Code
) -> None:
    client = await make(address, "upload", "a.bin", 10)
    await client.open()
    await client.socket.send(frame)
    with pytest.raises(HubError) as caught:
        await client.receive()
    assert caught.value.code is code
    await client.socket.wait_closed()
    assert client.socket.close_code == code
    assert "a.bin" not in names(jp_root_dir)
    status = await state_of(address, client.op)
    while (
        status["state"] == "running"
    ):  # until the stream has let go of its file, in a thread; the test's time limit counts
        status = await state_of(address, client.op)
    assert (status["state"], status["byte_offset"]) == ("paused", 0)
    assert isinstance(await client.upload(b"0123456789"), Done)
    assert names(jp_root_dir) == ["a.bin"]


async def test_an_unknown_message_type_gets_an_error_and_the_stream_lives_on(address: Address) -> None:
    # protocols.md: "an unknown message type gets an error reply, not a close"
    client = await make(address, "upload", "a.bin", 4)
    await client.open()
    await client.socket.send('{"type":"teleport"}')
    with pytest.raises(HubError) as caught:
        await client.receive()
    assert caught.value.code is Code.UNKNOWN_TYPE
    await client.socket.send(encode_chunk(0, b"0123"))
    await client.socket.send(encode_stream(Finish(4, root_of(b"0123"))))
    while not isinstance(await client.receive(), Done):
        pass
    await client.close()


async def test_a_wrong_offset_is_told_with_the_right_one(address: Address) -> None:
    client = await make(address, "upload", "a.bin", 10)
    await client.open()
    await client.socket.send(encode_chunk(0, b"0123"))
    await client.socket.send(encode_chunk(3, b"3456"))
    expected: list[Any] = []
    with pytest.raises(ConnectionClosed):
        while True:
            message = json.loads(await client.socket.recv())
            expected += [message["expected"]] if message["type"] == "error" else []
    assert expected == [4]


@pytest.mark.parametrize("first", [encode_chunk(0, b"x"), '{"type":"finish","size":1,"root":""}'])
async def test_hello_comes_first(address: Address, jp_root_dir: Path, first: str | bytes) -> None:
    client = await make(address, "upload", "a.bin", 1)
    socket = await address.open(f"ws/file-stream/{client.op}", FILE_STREAM_SUBPROTOCOL)
    await socket.send(first)
    async with asyncio.timeout(5):
        assert json.loads(await socket.recv())["error"]["code"] == "bad_frame"
        await socket.wait_closed()
    assert socket.close_code == 4500
    assert names(jp_root_dir) == []


async def test_a_frame_far_above_the_limit_is_not_even_read(address: Address, jp_root_dir: Path) -> None:
    client = await make(address, "upload", "a.bin", 10_000_000)
    await client.open()
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(5):
            await client.socket.send(header(0, 0, b"x" * 4_000_000))
            await client.receive()
    assert client.socket.close_code in (1006, 1009)
    assert isinstance(await client.upload(bytes(10_000_000)), Done)
    assert (jp_root_dir / "a.bin").stat().st_size == 10_000_000


async def test_the_newest_stream_owns_the_operation(address: Address, jp_root_dir: Path) -> None:
    old = await make(address, "upload", "a.bin", 10)
    new = FileClient(address, old.op)
    await old.open()
    await old.socket.send(encode_chunk(0, b"01234"))
    done = await new.upload(b"0123456789")
    assert isinstance(done, Done)
    with pytest.raises((HubError, ConnectionClosed)):
        while True:
            await old.receive()
    await old.socket.wait_closed()
    assert old.socket.close_code == 4504
    assert (jp_root_dir / "a.bin").read_bytes() == b"0123456789"


@pytest.mark.parametrize("inside", [True, False])
async def test_an_upload_over_a_symbolic_link_is_done_and_leaves_the_link(
    address: Address, jp_root_dir: Path, inside: bool
) -> None:
    """Jupyter follows links out of its root too (to a data disk, say)."""
    place = (jp_root_dir if inside else jp_root_dir.parent) / "real.bin"
    place.write_bytes(b"old")
    (jp_root_dir / "link.bin").symlink_to(place)
    client = await make(address, "upload", "link.bin", 4, if_exists="overwrite")
    done = await client.upload(b"0123")
    assert done is not None
    assert done.path in (["link.bin", "real.bin"] if inside else ["link.bin"])
    assert os.readlink(jp_root_dir / "link.bin") == str(place)
    assert (jp_root_dir / "link.bin").read_bytes() == b"0123"
    assert (await state_of(address, client.op))["state"] == "done"


async def test_a_cancelled_upload_ends_its_stream_and_leaves_nothing(address: Address, jp_root_dir: Path) -> None:
    client = await make(address, "upload", "a.bin", 10)
    await client.open()
    await client.socket.send(encode_chunk(0, b"01234"))
    async with HubClient(address) as hub:
        status = await hub.request("transfers.cancel", {"op": client.op})
        assert status["state"] == "cancelled"
    with pytest.raises(HubError) as caught:
        while True:
            await client.receive()
    assert caught.value.code is Code.CANCELLED
    await client.socket.wait_closed()
    assert client.socket.close_code == 4511
    assert names(jp_root_dir) == []


async def test_a_stopping_server_ends_streams_for_now_and_keeps_partial_files(
    address: Address, jp_root_dir: Path, jp_serverapp: Any
) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    client = await make(address, "upload", "a.bin", 10)
    await client.open()
    assert len(names(jp_root_dir)) == 1
    await app.stop_extension()
    with pytest.raises(HubError) as caught:
        await client.receive()
    assert caught.value.code is Code.SHUTTING_DOWN
    await client.socket.wait_closed()
    assert client.socket.close_code == 4000
    assert len(names(jp_root_dir)) == 1


async def send_bytes_until(client: FileClient, data: bytes, condition: Callable[[], bool]) -> None:
    """Send a byte now and then until the condition holds; fails when all are sent before."""
    for at in range(len(data)):
        await client.socket.send(encode_chunk(at, data[at : at + 1]))
        await asyncio.sleep(0.02)
        if condition():
            return
    raise AssertionError("nothing happened")


@pytest.mark.parametrize("direction", ["upload", "download"])
async def test_bytes_that_move_are_activity_and_a_stream_that_stands_still_is_none(
    address: Address, jp_root_dir: Path, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    monkeypatch.setattr(host, "ACTIVITY_INTERVAL_S", 0.0)
    settings = jp_serverapp.web_app.settings
    (jp_root_dir / "b.bin").write_bytes(bytes(20_000_000))
    client = await make(address, direction, f"{direction[0]}.bin".replace("u", "a").replace("d", "b"), 250)
    async with HubClient(address):  # it answers pings, and asks for nothing
        await client.open()
        await asyncio.sleep(0.3)
        settings.pop("ws_hub_last_activity", None)
        await asyncio.sleep(0.3)
        assert "ws_hub_last_activity" not in settings
        if direction == "upload":
            await send_bytes_until(client, bytes(250), lambda: "ws_hub_last_activity" in settings)
        else:
            await client.socket.send(encode_stream(Credit(10_000_000)))
            await until(lambda: "ws_hub_last_activity" in settings, "activity")
    await client.close()


async def test_a_transfer_at_full_speed_notes_activity_at_most_once_a_second(
    address: Address, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[float] = []

    def utcnow() -> str:
        noted.append(time.monotonic())
        return "now"

    monkeypatch.setattr(host, "utcnow", utcnow)
    data, began_s = bytes(20_000_000), time.monotonic()
    client = await make(address, "upload", "a.bin", len(data))
    assert isinstance(await client.upload(data), Done)
    assert len(noted) <= 1 + (time.monotonic() - began_s)
    assert all(after - before >= host.ACTIVITY_INTERVAL_S for before, after in pairwise(noted))
