"""`/ws/file-stream/<op>/content` with real tornado: ranges and conditions as curl and browsers send them."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from tests.support.client import Address, HubClient, until

from .test_file_stream import address, make, state_of

__all__ = ["address"]  # the fixture

Fetch = Callable[..., Any]


@pytest.fixture
def fetch(address: Address, http_server_client: Any) -> Fetch:
    async def ask(op: str, method: str = "GET", **headers: str) -> HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response: HTTPResponse = await http_server_client.fetch(
            f"{address.base_url}ws/file-stream/{op}/content",
            method=method,
            headers={**address.headers, **named},
            raise_error=False,
            follow_redirects=False,
            decompress_response=False,
        )
        return response

    return ask


@pytest.fixture
def data(jp_root_dir: Path) -> bytes:
    data = os.urandom(1_300_001)
    (jp_root_dir / "ä b.html").write_bytes(data)
    return data


async def begin(address: Address, path: str = "ä b.html", **more: Any) -> str:
    return (await make(address, "download", path, **more)).op


async def test_the_whole_file_comes_with_what_a_browser_needs(address: Address, fetch: Fetch, data: bytes) -> None:
    op = await begin(address)
    response = await fetch(op)
    assert (response.code, response.body) == (200, data)
    headers = response.headers
    assert headers["Content-Length"] == str(len(data))
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "text/html"
    assert headers["Content-Disposition"] == "attachment; filename*=utf-8''%C3%A4%20b.html"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["ETag"].startswith('"')
    await until_state(address, op, "done")  # the client has the last byte before the server has noted that
    assert (await state_of(address, op))["byte_offset"] == len(data)


@pytest.mark.parametrize(
    ("range_", "begin_end"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=65535-65536", (65_535, 65_537)),
        ("bytes=524287-524290", (524_287, 524_291)),
        ("bytes=1000000-", (1_000_000, None)),
        ("bytes=-5", (-5, None)),
        ("bytes=-9999999", (0, None)),
    ],
)
async def test_a_range_is_those_bytes(
    address: Address, fetch: Fetch, data: bytes, range_: str, begin_end: tuple[int, int | None]
) -> None:
    op = await begin(address)
    response = await fetch(op, Range=range_)
    wanted = data[slice(*begin_end)]
    assert (response.code, response.body) == (206, wanted)
    first = data.index(wanted) if len(wanted) > 4 else begin_end[0]
    assert response.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(data)}"


async def test_ranges_put_together_are_the_file(address: Address, fetch: Fetch, data: bytes) -> None:
    op = await begin(address)
    etag = (await fetch(op, "HEAD")).headers["ETag"]
    found = b""
    while len(found) < len(data):
        response = await fetch(op, Range=f"bytes={len(found)}-{len(found) + 333_332}", If_Range=etag)
        assert response.code == 206
        found += response.body
    assert found == data
    await until_state(address, op, "done")


async def test_what_does_not_hold_gives_no_bytes(address: Address, fetch: Fetch, data: bytes) -> None:
    op = await begin(address)
    etag = (await fetch(op, "HEAD")).headers["ETag"]
    for headers, status in (
        ({"Range": f"bytes={len(data)}-"}, 416),
        ({"If_None_Match": etag}, 304),
        ({"If_Match": '"other"'}, 412),
    ):
        response = await fetch(op, **headers)
        assert response.code == status
        assert data[:100] not in (response.body or b"")
        if status == 416:
            assert response.headers["Content-Range"] == f"bytes */{len(data)}"
    for headers in ({"Range": "bytes=1-2,4-5"}, {"Range": "bytes=1-2", "If_Range": '"other"'}):
        response = await fetch(op, **headers)
        assert (response.code, response.body) == (200, data)


async def test_head_tells_all_and_leaves_the_operation_alone(address: Address, fetch: Fetch, data: bytes) -> None:
    op = await begin(address)
    response = await fetch(op, "HEAD", Range="bytes=1-2")
    assert (response.code, response.body, response.headers["Content-Length"]) == (200, b"", str(len(data)))
    assert (await state_of(address, op))["state"] == "waiting"


async def test_an_empty_file_and_an_archive_come_too(address: Address, fetch: Fetch, jp_root_dir: Path) -> None:
    (jp_root_dir / "d").mkdir()
    (jp_root_dir / "d/empty").write_bytes(b"")
    response = await fetch(await begin(address, "d/empty"))
    assert (response.code, response.body, response.headers["Content-Length"]) == (200, b"", "0")
    op = await begin(address, "d", kind="zip")
    whole = await fetch(op)
    assert whole.headers["Content-Type"] == "application/zip"
    assert whole.headers["Content-Disposition"].endswith("''d.zip")
    assert zipfile.ZipFile(io.BytesIO(whole.body)).namelist() == ["d/", "d/empty"]
    part = await fetch(op, Range="bytes=50-", If_Range=whole.headers["ETag"])
    assert part.body == whole.body[50:]


async def test_what_gives_no_bytes_over_http_is_not_there(address: Address, fetch: Fetch, jp_root_dir: Path) -> None:
    (jp_root_dir / "d").mkdir()
    for op in (await begin(address, "d", kind="tree"), (await make(address, "upload", "x", 1)).op, "0123", "x" * 200):
        assert (await fetch(op)).code == 404


async def test_a_changed_source_gives_nothing(address: Address, fetch: Fetch, jp_root_dir: Path, data: bytes) -> None:
    op = await begin(address)
    (jp_root_dir / "ä b.html").write_bytes(b"another")
    response = await fetch(op)
    assert response.code == 410
    assert b"another" not in response.body
    assert "Content-Disposition" not in response.headers
    assert (await state_of(address, op))["state"] == "failed"
    assert (await fetch(op)).code == 410


async def test_paused_and_cancelled_ones_give_nothing(address: Address, fetch: Fetch, data: bytes) -> None:
    op = await begin(address)
    async with HubClient(address) as hub:
        await hub.request("transfers.pause", {"op": op})
        assert (await fetch(op)).code == 409
        await hub.request("transfers.resume", {"op": op})
        assert (await fetch(op, Range="bytes=0-9")).code == 206
        await hub.request("transfers.cancel", {"op": op})
        assert (await fetch(op)).code in (404, 410)


class Slow:
    """A client that has asked, and reads only when it is told."""

    def __init__(self, address: Address, op: str, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", address.port))
        self.socket.setblocking(False)
        lines = [f"GET {address.base_url}ws/file-stream/{op}/content HTTP/1.1", f"Host: 127.0.0.1:{address.port}"]
        lines += [f"{name}: {value}" for name, value in {**address.headers, **headers}.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    async def read(self, size: int | None = None) -> bytes:
        """So many bytes, or all up to the end."""
        loop, found = asyncio.get_running_loop(), bytearray()
        async with asyncio.timeout(10):
            while size is None or len(found) < size:
                try:
                    piece = await loop.sock_recv(self.socket, 1_000_000 if size is None else size - len(found))
                except ConnectionResetError:
                    break
                if not piece:
                    break
                found += piece
        return bytes(found)


@pytest.fixture
def big(jp_root_dir: Path) -> int:
    size = 60_000_000
    with (jp_root_dir / "big.bin").open("wb") as file:
        file.truncate(size)
    return size


async def test_a_client_that_does_not_read_holds_nothing_up_and_nobody_reads_ahead_of_it(
    address: Address, big: int
) -> None:
    op = await begin(address, "big.bin")
    client = Slow(address, op)
    await client.read(1000)
    async with HubClient(address) as hub:
        began_s = time.monotonic()
        for _ in range(20):
            await hub.request("status.get")
        assert time.monotonic() - began_s < 2
        (status,) = (await hub.request("transfers.list"))["transfers"]
        assert status["state"] == "running"
        assert status["byte_offset"] < 20_000_000
    client.socket.close()
    await until_state(address, op, "paused")


async def until_state(address: Address, op: str, state: str) -> None:
    for _ in range(500):
        if (await state_of(address, op))["state"] == state:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it is still not {state}")


@pytest.mark.parametrize("what", ["changed", "cancelled", "paused", "superseded"])
async def test_what_breaks_off_is_cut_and_never_looks_complete(
    address: Address, jp_root_dir: Path, big: int, what: str
) -> None:
    op = await begin(address, "big.bin")
    client = Slow(address, op)
    await client.read(1000)
    if what == "changed":
        os.truncate(jp_root_dir / "big.bin", 100)
    elif what == "superseded":
        other = Slow(address, op, Range="bytes=0-9")
        assert (await other.read(12)).startswith(b"HTTP/1.1 206")
        other.socket.close()
    else:
        async with HubClient(address) as hub:
            async with asyncio.timeout(3):
                await hub.request(f"transfers.{what.removesuffix('led').removesuffix('d')}", {"op": op})
    rest = await client.read()
    assert len(rest) < big - 1_000_000
    client.socket.close()
    if what == "changed":
        await until_state(address, op, "failed")


async def test_the_loop_is_free_while_much_is_sent(address: Address, big: int) -> None:
    op = await begin(address, "big.bin")
    turns, stop = 0, False

    async def watch() -> None:
        nonlocal turns
        while not stop:
            await asyncio.sleep(0)
            turns += 1

    client, watching = Slow(address, op, Connection="close"), asyncio.create_task(watch())
    assert len(await client.read()) > big
    stop = True
    await watching
    client.socket.close()
    assert turns > big // 100_000, "others have a turn after each piece, however fast it is taken"
    await until_state(address, op, "done")


async def test_a_permission_that_is_gone_gives_nothing(
    address: Address, fetch: Fetch, data: bytes, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = await begin(address)
    assert (await fetch(op, Range="bytes=0-1")).code == 206
    monkeypatch.setattr(jp_serverapp.authorizer, "is_authorized", lambda *arguments: False)
    assert (await fetch(op)).code == 403
    assert (await fetch(op, "HEAD")).code == 403


async def test_bytes_over_http_are_activity(address: Address, fetch: Fetch, data: bytes, jp_serverapp: Any) -> None:
    op = await begin(address)
    settings = jp_serverapp.web_app.settings
    await until(lambda: settings.pop("ws_hub_last_activity", None) is None, "no activity")
    await asyncio.sleep(1.0)  # it is noted once a second
    await fetch(op)
    assert "ws_hub_last_activity" in settings
