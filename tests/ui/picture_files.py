"""Takes the README's picture of a dropped folder, from a real JupyterLab: `python -m tests.ui.picture_files`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .conftest import Opener, executable, quiet_lab
from .files import LISTING, drop, make_file, make_folder

TARGET = Path(__file__).parents[2] / "labextension" / "docs" / "files.png"
CONFIG = "c.LabApp.expose_app_in_browser = True\n"
LARGE_BYTES = 120_000_000
SMALL_FILES = 400
SHOWN = 3
# Our panel at the other side, so that both are seen.
SIDE_BY_SIDE = """() => {
  const { shell } = window.jupyterapp;
  const panel = [...shell.widgets('left')].find(one => one.id === 'jupyter-ws-hub-panel');
  shell.add(panel, 'right', { rank: 1 });
  shell.activateById(panel.id);
}"""
PROGRESS = """[...document.querySelectorAll('.jp-WsHub-transfer')].find(
  one => one.textContent.includes('training-data'))?.querySelector('progress').value ?? 0"""


async def _take(server: RealServer, source: Path, dark: Path | None) -> None:
    opener = Opener(executable())
    try:
        window = await opener(server)
        await window.page.set_viewport_size({"width": 1100, "height": 620})
        await window.page.wait_for_selector(LISTING)
        await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="connected"]')
        if dark is not None:
            change = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
            await window.page.evaluate(change)
            await window.page.wait_for_selector("#jupyterlab-splash", state="detached")
        await window.page.evaluate(SIDE_BY_SIDE)
        await window.page.wait_for_selector(".jp-WsHub-upload")
        window.proxy.fault = Fault(up=Way(bytes_per_s=12_000_000))
        await drop(window, [source / "photos", source / "training-data.parquet"])
        # The small files are there, the large ones under way.
        await window.page.wait_for_function(f"({PROGRESS}) > {LARGE_BYTES * 3 // 5}", timeout=120_000)
        await window.page.wait_for_selector('.jp-DirListing-item[title*="photos"]')
        (dark or TARGET).parent.mkdir(exist_ok=True)
        await window.page.screenshot(path=dark or TARGET)
    finally:
        await opener.close()


def main(dark: Path | None = None) -> None:
    """Start a server, take the picture, end it; of the dark theme into a file of that name."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        make_folder(base / "source" / "photos", SMALL_FILES)
        for number in range(SHOWN):
            make_file(base / "source" / "photos" / f"panorama {number}.tif", LARGE_BYTES // 4 * (number + 1), number)
        make_file(base / "source" / "training-data.parquet", LARGE_BYTES, 9)
        server = RealServer(base / "server", program="lab", config=CONFIG)
        quiet_lab(server)
        (server.root / "analysis").mkdir()
        (server.root / "notes.md").write_text("# Notes\n")
        server.start()
        try:
            asyncio.run(_take(server, base / "source", dark))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
