"""Real servers whose ContentsManager keeps its files elsewhere: uploads that are cut, killed and refused; downloads."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import Done, StreamAck
from jupyter_ws_hub.transfers.remote import CHUNK_BYTES
from tests.support.client import NET_ERRORS, Address, FileClient, HubClient, until
from tests.support.server import RealServer
from tests.support.waits import FairClock

ROOT = Path(__file__).parent.parent.parent
DATA = os.urandom(3 * 1024 * 1024 + 7)
OLD = os.urandom(len(DATA))

Start = Callable[..., RealServer]


def start(start_server: Start, manager: str, tmp_path: Path) -> RealServer:
    """A server with such a manager."""
    lines = [
        f"c.ServerApp.contents_manager_class = 'tests.support.managers.{manager}'",
        f"c.Shelf.shelf = {str(tmp_path / 'shelf')!r}",
        f"c.Mortal.deadly = {str(tmp_path / 'deadly')!r}",
    ]
    return start_server(config="\n".join(lines), environment={"PYTHONPATH": str(ROOT)})


def kept(tmp_path: Path) -> dict[str, bytes]:
    """The files that the manager has."""
    shelf = tmp_path / "shelf"
    files = pickle.loads(shelf.read_bytes()) if shelf.exists() else {}
    return {path: data for path, (data, _) in files.items() if data is not None}


def spooled(server: RealServer) -> list[str]:
    folder = server.data / "ws_hub" / "spool"
    return sorted(os.listdir(folder)) if folder.exists() else []


async def create(server: RealServer, direction: str, path: str, size: int | None = None, **more: Any) -> str:
    async with HubClient(Address.of(server)) as hub:
        params = {"direction": direction, "path": path, "size": size, **more}
        return str((await hub.request("transfers.create", params))["op"])


async def upload(server: RealServer, path: str, data: bytes, **more: Any) -> Done:
    done = await FileClient(Address.of(server), await create(server, "upload", path, len(data), **more)).upload(data)
    assert isinstance(done, Done)
    return done


async def send(client: FileClient, data: bytes) -> None:
    """Send the first bytes of an upload, and wait until they are written."""
    await client.open()
    for at in range(0, len(data), MAX_CHUNK_PAYLOAD_BYTES):
        await client.socket.send(encode_chunk(at, data[at : at + MAX_CHUNK_PAYLOAD_BYTES]))
    while not isinstance(message := await client.receive(), StreamAck) or message.written < len(data):
        pass


@pytest.mark.parametrize("manager", ["Async", "Sync", "Ignorant"])
async def test_files_go_up_and_come_down_again(start_server: Start, tmp_path: Path, manager: str) -> None:
    server = await asyncio.to_thread(start, start_server, manager, tmp_path)
    op = await create(server, "upload", "a.bin", len(DATA))
    half = len(DATA) // 2
    client = FileClient(Address.of(server), op)
    await send(client, DATA[:half])
    (partial,) = spooled(server)
    assert (server.data / "ws_hub" / "spool" / partial).stat().st_mode & 0o777 == 0o600
    await asyncio.to_thread(server.kill)
    assert kept(tmp_path) == {}
    await asyncio.to_thread(server.start)
    done = await client.upload(DATA)
    assert isinstance(done, Done)
    assert client.welcomes[-1].byte_offset == half
    assert (kept(tmp_path), spooled(server)) == ({"a.bin": DATA}, [])
    with pytest.raises(HubError) as caught:
        await upload(server, "a.bin", b"new")
    assert caught.value.code is Code.EXISTS
    with pytest.raises(HubError) as caught:
        await upload(server, "a.bin", b"new", if_exists="overwrite", expect="other")
    assert caught.value.code is Code.CONFLICT
    assert (kept(tmp_path), spooled(server)) == ({"a.bin": DATA}, [])
    op = await create(server, "download", "a.bin")
    down = FileClient(Address.of(server), op)
    await down.download(stop_at=half)
    assert isinstance(await down.download(), Done)
    assert bytes(down.data) == DATA
    async with HubClient(Address.of(server)) as hub:
        await hub.request("transfers.forget", {"op": op})
    assert spooled(server) == []
    assert list(server.root.iterdir()) == []
    assert "Traceback" not in server.log_text, server.log_text


@pytest.mark.timeout(180)
async def test_a_server_killed_at_any_step_of_the_end_loses_neither_file(start_server: Start, tmp_path: Path) -> None:
    """Saves of the pieces, the old file out of the way, the new one in its place, the old one gone."""
    server = await asyncio.to_thread(start, start_server, "Mortal", tmp_path)
    await upload(server, "a.bin", OLD)
    for at in range(1, 8):
        before = kept(tmp_path)["a.bin"]
        data = OLD if before == DATA else DATA
        (tmp_path / "deadly").write_text(str(at))
        op = await create(server, "upload", "a.bin", len(data), if_exists="overwrite")
        client = FileClient(Address.of(server), op)
        with suppress(*NET_ERRORS):
            raise AssertionError(f"it did not die at {at}: {await client.upload(data)}")
        await asyncio.to_thread(server.kill)
        assert not (tmp_path / "deadly").exists()
        files = kept(tmp_path)
        assert before in files.values() or files["a.bin"] == data
        assert files.get("a.bin", before) in (before, data), "the name stands for a whole file"
        await asyncio.to_thread(server.start)
        done = await client.upload(data)
        assert isinstance(done, Done)
        assert client.welcomes[-1].byte_offset == len(data) or at == 7
        assert kept(tmp_path) == {"a.bin": data}, at
        assert spooled(server) == []


async def test_a_slow_store_does_not_hold_up_others(start_server: Start, tmp_path: Path) -> None:
    server = await asyncio.to_thread(start, start_server, "Slow", tmp_path)
    clock, data = FairClock(server.pid), DATA[: 2 * CHUNK_BYTES]
    uploading = asyncio.create_task(upload(server, "slow.bin", data))
    async with HubClient(Address.of(server)) as hub:
        await until(lambda: bool(kept(tmp_path)), "the first piece")
        begun_s = clock.now_s()
        (transfer,) = (await hub.request("transfers.list"))["transfers"]
        assert clock.now_s() - begun_s < 0.5, "less than one save takes"
        assert transfer["state"] == "committing"
    await uploading
    assert kept(tmp_path) == {"slow.bin": data}
