"""Windows and macOS, as far as this system can be made to look like them: what works, and what is said of the rest.

The server and the commands are real; of Python their modules see what there is on that system (tests/support/lacking).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import StreamError, decode_stream_server
from jupyter_ws_hub.services.files import topic_of
from jupyter_ws_hub.system import STREAMS_LACK, STREAMS_REST_ON
from tests.support.cli import Cli
from tests.support.client import Address, FileClient, HubClient
from tests.support.lacking import environment
from tests.support.server import RealServer
from tests.support.terminals import make_terminal, on_new_terminal
from tests.support.tree_client import TreeClient

from .test_terminal_process import joined, read_until, send

BIG = 70 * 1024 * 1024


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server without all that Windows lacks; it may not log a traceback."""
    folder = tmp_path_factory.mktemp("windows")
    with RealServer(folder, environment=environment(folder / "start", "win32")).running(silent=True) as server:
        yield server


@pytest.fixture(scope="module")
def macos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The same without what macOS lacks."""
    folder = tmp_path_factory.mktemp("macos")
    with RealServer(folder, environment=environment(folder / "start", "darwin")).running(silent=True) as server:
        yield server


@pytest.fixture
def command(windows: RealServer, tmp_path: Path) -> Cli:
    """The commands on such a machine."""
    return Cli(windows.url, tmp_path, environment=environment(tmp_path / "start", "win32"))


async def refusal(client: HubClient, method: str, params: dict[str, Any]) -> HubError:
    with pytest.raises(HubError) as caught:
        await client.request(method, params)
    return caught.value


async def test_on_windows_messages_files_and_notifications_work(windows: RealServer) -> None:
    async with HubClient(Address.of(windows)) as client:
        await client.request("chat.post", {"room": "general", "text": "hello", "id": "1"})
        history = await client.request("chat.history", {"room": "general"})
        assert [message["text"] for message in history["messages"]] == ["hello"]
        await client.request("notifications.post", {"title": "done"})
        (item,) = (await client.request("notifications.list"))["items"]
        assert item["notification"]["title"] == "done"
        await client.request("files.mkdir", {"path": "d"})
        await client.subscribe(topic_of("d"))
        await client.request("files.save", {"path": "d/a.txt", "content": "text"})
        (event,) = await client.next_events(1, topic_of("d"))
        assert [entry["name"] for entry in event.data["entries"]] == ["a.txt"]
        assert (await client.request("files.get", {"path": "d/a.txt"}))["content"] == "text"
        assert [entry["name"] for entry in await client.list_files("d")] == ["a.txt"]
        page = await client.request("files.page", {"path": "", "first": 0, "limit": 10})
        assert [entry["name"] for entry in page["entries"]] == ["d"]


async def test_on_windows_transfers_are_refused_and_nothing_is_touched(windows: RealServer) -> None:
    (windows.root / "there.bin").write_bytes(b"x")
    before = sorted(os.listdir(windows.root))
    async with HubClient(Address.of(windows)) as client:
        for more in ({"kind": "file", "size": 1}, {"kind": "tree", "size": 1}):
            error = await refusal(client, "transfers.create", {"direction": "upload", "path": "new", **more})
            assert (error.code, error.message) == (Code.UNSUPPORTED, STREAMS_LACK)
        for kind in ("file", "zip"):
            params = {"direction": "download", "path": "there.bin", "kind": kind}
            assert (await refusal(client, "transfers.create", params)).code is Code.UNSUPPORTED
        assert (await refusal(client, "transfers.cancel", {"op": "0" * 32})).code is Code.UNSUPPORTED
        assert (await client.request("transfers.list"))["transfers"] == []
        await client.subscribe("transfers/me")
        services = (await client.request("status.get"))["services"]
        down = {one["id"]: one["reason"] for one in services if one["state"] != "ok"}
        assert down == {"transfers": STREAMS_LACK}
    socket = await Address.of(windows).open(f"ws/file-stream/{'0' * 32}", FILE_STREAM_SUBPROTOCOL)
    told = decode_stream_server(await socket.recv(decode=True))
    await socket.close()
    assert isinstance(told, StreamError) and (told.error.code, told.error.message) == ("unsupported", STREAMS_LACK)
    assert sorted(os.listdir(windows.root)) == before
    assert not [path for path in windows.data.rglob("*") if path.name in ("transfers", "spool")]


async def test_on_windows_terminals_are_the_stock_ones(windows: RealServer) -> None:
    address = Address.of(windows)
    name = await make_terminal(address)
    async with joined(address, name, "terminals/websocket") as stock, joined(address, name) as ours:
        await send(stock, "echo fr''om-stock\r")
        await read_until(ours, "from-stock\r\n")
        await send(ours, "echo fr''om-ours\r")
        await read_until(stock, "from-ours\r\n")


def test_on_windows_the_log_says_what_is_lacking(windows: RealServer) -> None:
    assert STREAMS_LACK in windows.log_text and "JupyterLab's own way is used" in windows.log_text
    assert "Terminals are those of TerminalManager" in windows.log_text


async def test_on_windows_the_command_line_notifies_and_refuses_the_rest(windows: RealServer, command: Cli) -> None:
    done = await command.run("notify", "from a shell")
    assert done == (0, "", "")
    async with HubClient(Address.of(windows)) as client:
        titles = [item["notification"]["title"] for item in (await client.request("notifications.list"))["items"]]
    assert "from a shell" in titles
    (command.folder / "a.bin").write_bytes(b"x")
    streams = f"jupyter ws-hub: This command needs a system with {STREAMS_REST_ON}.\n"
    assert await command.run("upload", "a.bin", "/") == (1, "", streams)
    assert await command.run("download", "there.bin", ".") == (1, "", streams)
    terminals = "jupyter ws-hub: This command needs a system with POSIX terminals.\n"
    assert await command.run("terminal") == (1, "", terminals)
    assert (await command.run("terminal", "--list")).status == 0


async def test_on_macos_large_files_and_trees_go_up_and_down(macos: RealServer) -> None:
    data = random.Random(1).randbytes(BIG)
    address = Address.of(macos)
    async with HubClient(address) as client:
        made = await client.request("transfers.create", {"direction": "upload", "path": "big.bin", "size": BIG})
        assert await FileClient(address, made["op"]).upload(data) is not None
        assert (macos.root / "big.bin").read_bytes() == data
        again = {"direction": "upload", "path": "big.bin", "size": 5, "if_exists": "overwrite"}
        assert await FileClient(address, (await client.request("transfers.create", again))["op"]).upload(b"small")
        assert (macos.root / "big.bin").read_bytes() == b"small"

        entries = [("d", None), ("d/one.bin", data[:900_000]), *((f"d/e/{n}", data[:n]) for n in range(50))]
        (macos.root / "t").mkdir()
        tree = {"direction": "upload", "path": "t", "kind": "tree", "size": 900_000, "entries": len(entries)}
        made = await client.request("transfers.create", tree)
        await TreeClient(address, made["op"], entries).upload_tree()
        assert (macos.root / "t" / "d" / "one.bin").read_bytes() == data[:900_000]
        assert len(os.listdir(macos.root / "t" / "d" / "e")) == 50
        made = await client.request("transfers.create", {"direction": "download", "path": "t/d/one.bin"})
        download = FileClient(address, made["op"])
        await download.download()
        assert download.data == data[:900_000]


async def test_on_macos_all_services_and_our_terminals_work(macos: RealServer) -> None:
    address = Address.of(macos)
    async with HubClient(address) as client:
        (macos.root / "seen.txt").touch()
        assert "seen.txt" in [entry["name"] for entry in await client.list_files("")]
        services = (await client.request("status.get"))["services"]
        assert {one["state"] for one in services} == {"ok"}
    async with on_new_terminal(address) as terminal:
        terminal.type(b"echo o''k\r")
        await terminal.until(b"ok\r\n")
        terminal.type(b"exit 3\r")
        assert await terminal.wait_closed() == NORMAL_CLOSURE
        assert terminal.exit is not None and terminal.exit.code == 3
