"""Files through a network that cuts at random bytes, stalls and throttles: the same bytes at the end, and once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.transfer import Credit, Done, encode_stream
from tests.support.client import NET_ERRORS, Address, FileClient, HubClient, until
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer

SIZE = 20_000_000
CUTS = 10


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file."""
    with RealServer(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture
def server(running: RealServer) -> RealServer:
    """The server with an empty root."""
    running.clear()
    return running


def sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def names(server: RealServer) -> list[str]:
    """All files under the server's root, hidden ones too."""
    return sorted(str(path.relative_to(server.root)) for path in server.root.rglob("*"))


def cutting(seed: int, total: int, *, up: bool) -> Callable[[int], Fault]:
    """The first CUTS connections end at a random byte, by RST or by FIN; those after them do not."""
    chance = random.Random(seed)

    def fault(number: int) -> Fault:
        after = chance.randrange(1, total // CUTS) if number < CUTS else None
        way = Way(cut_after=after)
        return Fault(up=way if up else Way(), down=Way() if up else way, how=chance.choice(["rst", "fin"]))

    return fault


async def insist(work: Callable[[], Any]) -> Done:
    """Go on over every cut until it is done."""
    for _ in range(20 * CUTS):
        try:
            done = await work()
        except NET_ERRORS:
            continue
        assert isinstance(done, Done)
        return done
    raise AssertionError("it never came to an end")


async def create(server: RealServer, direction: str, path: str, size: int | None = None, **more: Any) -> str:
    async with HubClient(Address.of(server)) as hub:
        params = {"direction": direction, "path": path, "size": size, **more}
        return str((await hub.request("transfers.create", params))["op"])


async def test_a_file_that_was_cut_ten_times_each_way_is_the_same_and_the_old_one_whole_until_then(
    server: RealServer,
) -> None:
    (server.root / "big.bin").write_bytes(b"old")
    data = random.Random(7).randbytes(SIZE)
    async with FaultProxy(server.port, cutting(1, SIZE, up=True)) as proxy:
        op = await create(server, "upload", "big.bin", SIZE, if_exists="overwrite")
        uploader = FileClient(Address.of(server, proxy.port), op)

        async def attempt() -> Done | None:
            assert read(server, "big.bin") == b"old"
            return await uploader.upload(data)

        done = await insist(attempt)
        assert len(proxy.links) > CUTS
    assert names(server) == ["big.bin"]
    assert (done.path, sha256(read(server, "big.bin"))) == ("big.bin", sha256(data))
    offsets = [welcome.byte_offset for welcome in uploader.welcomes]
    assert offsets == sorted(offsets)
    assert offsets[-1] > 0, "no upload went on where another had ended"

    async with FaultProxy(server.port, cutting(2, SIZE, up=False)) as proxy:
        downloader = FileClient(Address.of(server, proxy.port), await create(server, "download", "big.bin"))
        down = await insist(downloader.download)
        assert len(proxy.links) > CUTS
    assert sha256(downloader.data) == sha256(data)
    assert (down.root, down.etag) == (done.root, done.etag)
    assert names(server) == ["big.bin"]
    assert "Traceback" not in server.log_text


def read(server: RealServer, name: str) -> bytes:
    return Path(server.root / name).read_bytes()


async def test_a_stream_goes_on_though_its_old_connection_hangs(server: RealServer) -> None:
    """A laptop that changed its network: the old socket's buffers are full, and nobody tells the server."""
    data = os.urandom(SIZE)
    (server.root / "big.bin").write_bytes(data)
    op = await create(server, "download", "big.bin")
    async with FaultProxy(server.port) as proxy:
        old = FileClient(Address.of(server, proxy.port), op)
        await old.download(stop_at=100_000)
        proxy.fault = Fault(down=Way(stall_after=1_000_000))
        stalled = FileClient(Address.of(server, proxy.port), op)
        await stalled.open()
        await stalled.socket.send(encode_stream(Credit(SIZE)))
        await until(lambda: proxy.links[-1].down_bytes == 1_000_000, "the connection to hang")
        new = FileClient(Address.of(server), op)
        new.data = old.data
        started = time.monotonic()
        async with asyncio.timeout(10):
            assert isinstance(await new.download(window=SIZE), Done)
        assert time.monotonic() - started < 10
        assert sha256(new.data) == sha256(data)
        await stalled.close()


async def test_cancel_does_not_stand_behind_data(server: RealServer) -> None:
    data = os.urandom(8_000_000)
    op = await create(server, "upload", "slow.bin", len(data))
    async with FaultProxy(server.port, Fault(up=Way(bytes_per_s=1_000_000))) as proxy:
        uploader = FileClient(Address.of(server, proxy.port), op)
        uploading = asyncio.create_task(uploader.upload(data))
        async with HubClient(Address.of(server)) as hub:
            await hub.subscribe("transfers/me")
            await hub.wait_for(lambda: any(e.data["byte_offset"] > 0 for e in hub.events), "some progress")
            started = time.monotonic()
            assert (await hub.request("transfers.cancel", {"op": op}))["state"] == "cancelled"
            assert time.monotonic() - started < 1.5
        assert names(server) == []
        (result,) = await asyncio.gather(uploading, return_exceptions=True)
        assert isinstance(result, Exception)
    assert names(server) == []


async def test_a_server_that_is_killed_leaves_no_half_of_a_file_under_its_name(server: RealServer) -> None:
    (server.root / "a.bin").write_bytes(b"old")
    data = os.urandom(2_000_000)
    op = await create(server, "upload", "a.bin", len(data), if_exists="overwrite")
    assert await FileClient(Address.of(server), op).upload(data, stop_at=1_500_000) is None
    await asyncio.to_thread(server.kill)
    assert read(server, "a.bin") == b"old"
    await asyncio.to_thread(server.start)
    op = await create(server, "upload", "a.bin", len(data), if_exists="overwrite")
    assert isinstance(await FileClient(Address.of(server), op).upload(data), Done)
    assert read(server, "a.bin") == data
