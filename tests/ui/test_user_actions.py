"""What a user does, in a real JupyterLab in a real browser: look, type, upload; `test_chat` has the talk."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path

import pytest
from playwright.async_api import FilePayload

from ..support.client import until
from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .conftest import Opener, Window

pytestmark = [pytest.mark.ui, pytest.mark.timeout(240)]

UPLOAD_BYTES = 24_000_000


async def test_panel_and_status_bar_show_the_connections(lab: RealServer, open_window: Opener) -> None:
    window = await open_window(lab)
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="connected"]')
    await window.page.click(".jp-WsHub-statusButton")
    await window.state("main", "connected")
    await window.state("terminal", "idle")
    await window.state("file-stream", "idle")
    title = await window.page.get_attribute(".jp-WsHub-statusButton", "title")
    assert title is not None
    assert title.splitlines() == ["Messages: connected", "Terminals: not in use", "File streams: not in use"]
    window.lose_network()
    await window.state("main", "reconnecting")
    window.proxy.flow()
    await window.state("main", "connected")
    assert await window.page.locator(".jp-Dialog").count() == 0
    await window.screenshot("panel")
    assert window.errors == []


async def open_terminal(window: Window) -> None:
    await window.page.click('.jp-LauncherCard[title*="erminal"]')
    await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await window.open_sidebar("jupyter-ws-hub-panel")
    await window.state("terminal", "connected")
    await window.page.focus(".jp-Terminal .xterm-helper-textarea")


async def gives(result: Path, expected: str) -> None:
    await until(lambda: result.exists() and result.read_text() == expected, f"{expected!r} is in {result.name}")


async def test_a_terminal_from_the_launcher_runs_over_our_endpoint_and_comes_back(
    lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    window = await open_window(lab)
    await open_terminal(window)
    assert window.sockets_to("/ws/terminal/")
    assert not window.sockets_to("/terminals/websocket/")
    await window.page.keyboard.type(f"echo $((6*7)) > {tmp_path}/one\n")
    await gives(tmp_path / "one", "42\n")
    window.lose_network()
    await window.state("terminal", "reconnecting")
    # What is typed while the connection is away arrives when it is back.
    await window.page.keyboard.type(f"echo $((7*8)) > {tmp_path}/two\n")
    window.proxy.flow()
    await gives(tmp_path / "two", "56\n")
    await window.state("terminal", "connected")
    await window.screenshot("terminal")
    await window.page.keyboard.type("exit\n")
    await window.state("terminal", "idle")
    assert window.errors == []


async def test_an_upload_from_the_panel_goes_over_a_file_stream_and_shows_up_at_once(
    lab: RealServer, open_window: Opener
) -> None:
    window = await open_window(lab)
    window.proxy.fault = Fault(up=Way(bytes_per_s=8_000_000))
    data = random.Random(1).randbytes(UPLOAD_BYTES)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await window.page.set_input_files(
        ".jp-WsHub-panel input[type=file]",
        files=[FilePayload(name="large.bin", mimeType="application/octet-stream", buffer=data)],
    )
    seen = await _watch_bar(window)
    assert seen == sorted(seen)
    assert any(0 < value < UPLOAD_BYTES for value in seen)
    await window.page.wait_for_selector('.jp-WsHub-transfer[data-state="done"]', timeout=60_000)
    await window.screenshot("upload")
    assert window.sockets_to("/ws/file-stream/")
    assert hashlib.sha256((lab.root / "large.bin").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert [path.name for path in lab.root.iterdir() if path.name != ".ipynb_checkpoints"] == ["large.bin"]
    await window.open_sidebar("filebrowser")
    await window.page.wait_for_selector('.jp-DirListing-item[title*="large.bin"]', timeout=3000)
    await window.screenshot("upload-in-file-browser")
    assert window.errors == []


async def _watch_bar(window: Window) -> list[int]:
    """The values that the progress bar shows, until the transfer has ended."""
    values: list[int] = []
    for _ in range(2000):
        row = window.page.locator(".jp-WsHub-transfer")
        if await row.count() and await row.get_attribute("data-state") != "waiting":
            value = int(await row.locator("progress").get_attribute("value") or 0)
            if not values or value != values[-1]:
                values.append(value)
            if await row.get_attribute("data-state") == "done":
                return values
        await asyncio.sleep(0.02)
    raise AssertionError(f"the transfer did not end; its bar showed {values}")
