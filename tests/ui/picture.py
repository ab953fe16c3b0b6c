"""Takes the README's picture from a real JupyterLab: `python -m tests.ui.picture`."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from playwright.async_api import FilePayload

from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .chat import enter, say
from .conftest import Opener, executable, quiet_lab

TARGET = Path(__file__).parents[2] / "labextension" / "docs" / "panel.png"
UPLOAD_BYTES = 48_000_000


async def _take(server: RealServer) -> None:
    opener = Opener(executable())
    try:
        other, window = await opener(server), await opener(server)
        await enter(other)
        await enter(window)
        await window.open_sidebar("jupyter-ws-hub-panel")
        await say(other, "The training data is on its way.")
        await say(window, "Thanks! I am on the train: if I drop out, I am back in a minute.")
        await window.page.click('.jp-LauncherCard[title*="erminal"]')
        await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
        await window.state("terminal", "connected")
        await window.page.focus(".jp-Terminal .xterm-helper-textarea")
        await window.page.keyboard.type("PS1='$ '; clear; seq 3 | sed 's/^/line /'; python3 --version\n")
        window.proxy.fault = Fault(up=Way(bytes_per_s=6_000_000))
        data = random.Random(1).randbytes(UPLOAD_BYTES)
        for name, size in (("notes.md", 12_000), ("training-data.parquet", UPLOAD_BYTES)):
            file = FilePayload(name=name, mimeType="application/octet-stream", buffer=data[:size])
            await window.page.set_input_files(".jp-WsHub-panel input[type=file]", files=[file])
        bar = "document.querySelector('.jp-WsHub-transfer progress')?.value"
        await window.page.wait_for_function(f"{bar} > {UPLOAD_BYTES // 2}", timeout=60_000)
        TARGET.parent.mkdir(exist_ok=True)
        await window.page.screenshot(path=TARGET)
    finally:
        await opener.close()


def photograph(take: Callable[[RealServer], Coroutine[Any, Any, None]], config: str = "") -> None:
    """Start a server, take a picture of it, end it."""
    with tempfile.TemporaryDirectory() as name:
        server = RealServer(Path(name), program="lab", config=f"c.LabApp.expose_app_in_browser = True\n{config}")
        quiet_lab(server)
        server.start()
        try:
            asyncio.run(take(server))
        finally:
            server.stop()


if __name__ == "__main__":
    photograph(_take)
