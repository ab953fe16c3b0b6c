"""Directories through a network that cuts at random bytes: the same files and archives at the end."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Address, FileClient, HubClient
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import TOKEN, RealServer

from .test_upload_cut import CUTS, cutting, insist

FILES = 200
BIG = 6_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with a directory of many small files, a large one and empty ones; its threads are few."""
    server = RealServer(tmp_path_factory.mktemp("server"), config="c.HubApp.transfer_threads = 2")
    chance = random.Random(5)
    for number in range(FILES):
        file = server.root / "d" / f"s{number % 7}" / f"f{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.randrange(0, 20_000)))
    (server.root / "d/big.bin").write_bytes(chance.randbytes(BIG))
    (server.root / "d/empty").mkdir()
    try:
        server.start()
        yield server
    finally:
        server.stop()


async def create(server: RealServer, path: str, kind: str) -> dict[str, Any]:
    async with HubClient(Address.of(server)) as hub:
        params = {"direction": "download", "path": path, "kind": kind}
        created: dict[str, Any] = await hub.request("transfers.create", params)
    return created


def files_under(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["tree", "zip"])
async def test_a_directory_that_was_cut_ten_times_comes_whole(server: RealServer, kind: str) -> None:
    created = await create(server, "d", kind)
    async with FaultProxy(server.port, cutting(3, created["size"], up=False)) as proxy:
        client = FileClient(Address.of(server, proxy.port), created["op"])
        done = await insist(client.download)
        assert len(proxy.links) > CUTS
    assert len({welcome.byte_offset for welcome in client.welcomes}) > 2, "none went on where another had ended"
    assert (len(client.data), done.etag) == (created["size"], created["etag"])
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(client.data)) as opened:
            assert opened.testzip() is None
            found = {info.filename: opened.read(info) for info in opened.infolist() if not info.is_dir()}
            assert "d/empty/" in opened.namelist()
        assert found == {str(p.relative_to(server.root)): p.read_bytes() for p in files_under(server.root / "d")}
    else:
        ordered = sorted(files_under(server.root / "d"), key=lambda path: path.relative_to(server.root).parts)
        assert hashlib.sha256(client.data).digest() == hashlib.sha256(b"".join(map(Path.read_bytes, ordered))).digest()
        assert done.entries == created["entries"] == FILES + 1 + 7 + 1
    assert "Traceback" not in server.log_text


@pytest.mark.parametrize("kind", ["file", "zip"])
async def test_a_browser_goes_on_after_a_cut_also_when_the_server_was_killed(server: RealServer, kind: str) -> None:
    created = await create(server, "d/big.bin" if kind == "file" else "d", kind)
    op, size, etag = created["op"], created["size"], f'"{created["etag"]}"'
    found = b""
    async with FaultProxy(server.port, Fault(down=Way(cut_after=2_000_000))) as proxy:
        found += await fetch(proxy.port, op, {})
    assert 0 < len(found) < size
    server.kill()
    server.start()
    while len(found) < size:
        chunk = await fetch(
            server.port, op, {"Range": f"bytes={len(found)}-{len(found) + 2_999_999}", "If-Range": etag}
        )
        assert chunk
        found += chunk
    if kind == "file":
        assert found == (server.root / "d/big.bin").read_bytes()
    else:
        with zipfile.ZipFile(io.BytesIO(found)) as opened:
            assert opened.testzip() is None
            assert opened.read("d/big.bin") == (server.root / "d/big.bin").read_bytes()


async def fetch(port: int, op: str, headers: dict[str, str]) -> bytes:
    """What comes before the end or a cut; only the bytes, and only if they are the wanted ones."""

    def ask() -> bytes:
        url = f"http://127.0.0.1:{port}/ws/file-stream/{op}/content"
        request = urllib.request.Request(url, headers={"Authorization": f"token {TOKEN}", **headers})
        found = b""
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert answer.status == (206 if headers else 200)
                while piece := answer.read(65_536):
                    found += piece
        except (ConnectionError, urllib.error.URLError) as error:
            assert not isinstance(error, urllib.error.HTTPError), error
        return found

    return await asyncio.to_thread(ask)


async def test_resuming_a_large_file_reads_nothing_again_while_the_server_lives(server: RealServer) -> None:
    """The digests of the blocks that went out are kept: going on behind 1 GiB does not read 1 GiB."""
    size = 2**30 + 5
    with (server.root / "sparse.bin").open("wb") as file:
        file.truncate(size)
    created = await create(server, "sparse.bin", "file")
    first = FileClient(Address.of(server), created["op"])
    await first.download(stop_at=20_000_000)
    before = read_bytes(server.pid)
    again = FileClient(Address.of(server), created["op"])
    again.data = first.data
    await again.download(stop_at=20_000_001)
    assert read_bytes(server.pid) - before < 20_000_000
    os.unlink(server.root / "sparse.bin")


def read_bytes(pid: int) -> int:
    """How much a process has asked the system to read, from files and sockets."""
    return int(Path(f"/proc/{pid}/io").read_text().split("rchar:")[1].split()[0])
