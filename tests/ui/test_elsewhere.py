"""Where the extension must keep out of the way, wholly or in part, or work outside JupyterLab: in Notebook 7."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.client import until
from ..support.lacking import environment
from ..support.server import RealServer
from .conftest import Opener, Window, quiet_lab
from .files import drop, listed, open_ready

pytestmark = [pytest.mark.ui, pytest.mark.timeout(120)]


async def type_until_done(window: Window, command: str, result: Path, expected: str) -> None:
    """Type a command until it was run: the stock terminal drops what is typed before its shell is there."""
    for _ in range(20):
        await window.page.keyboard.type(command)
        with contextlib.suppress(AssertionError):
            await until(lambda: result.exists() and result.read_text() == expected, "it was run", 1)
            return
    raise AssertionError(f"{command!r} was never run")


async def test_without_the_server_half_jupyterlab_works_as_without_the_extension(
    start_server: Callable[..., RealServer], open_window: Opener, tmp_path: Path
) -> None:
    server = start_server(program="lab", extension=False)
    window = await open_window(server)
    await window.page.click('.jp-LauncherCard[title*="erminal"]')
    await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await until(lambda: window.sockets_to("/terminals/websocket/"), "the stock endpoint is used")
    await window.page.focus(".jp-Terminal .xterm-helper-textarea")
    await type_until_done(window, f"echo stock > {tmp_path}/out\n", tmp_path / "out", "stock\n")
    assert await window.page.locator(".jp-WsHub-statusButton, #jupyter-ws-hub-panel").count() == 0
    assert not window.sockets_to("/ws/")
    assert window.errors == []


async def test_where_the_server_has_no_streams_files_go_up_and_down_as_in_stock_jupyterlab(
    start_server: Callable[..., RealServer], open_window: Opener, tmp_path: Path
) -> None:
    server = start_server(program="lab", prepare=quiet_lab, environment=environment(tmp_path / "start", "win32"))
    (tmp_path / "dropped.txt").write_text("dropped")
    (tmp_path / "chosen.txt").write_text("chosen")
    window = await open_ready(open_window, server)
    await window.page.click('.jp-LauncherCard[title*="erminal"]')
    await window.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await drop(window, [tmp_path / "dropped.txt"])
    await listed(window, "dropped.txt")
    async with window.page.expect_file_chooser() as chooser:
        await window.page.click("#filebrowser .jp-id-upload")
    await (await chooser.value).set_files(tmp_path / "chosen.txt")
    await listed(window, "chosen.txt")
    assert [(server.root / f"{name}.txt").read_text() for name in ("dropped", "chosen")] == ["dropped", "chosen"]
    await window.page.click('.jp-DirListing-item[title*="dropped.txt"]', button="right")
    async with window.page.expect_download() as download:
        await window.page.click('.lm-Menu-item:has-text("Download")')
    await (await download.value).save_as(tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_text() == "dropped"
    await window.screenshot("files-without-streams")
    assert window.sockets_to("/ws") and not window.sockets_to("/ws/file-stream/")
    assert window.errors == []
    assert "Traceback" not in server.log_text


async def test_notebook_7_has_the_panel_and_its_terminals_run_over_our_endpoint(
    start_server: Callable[..., RealServer], open_window: Opener, tmp_path: Path
) -> None:
    server = start_server(program="notebook")
    tree = await open_window(server, "tree")
    await until(lambda: any(url.split("?")[0].endswith("/ws") for url in tree.sockets), "the main connection opens")
    terminal = await open_window(server, "terminals/1")
    await terminal.page.wait_for_selector(".jp-Terminal .xterm-screen")
    await until(lambda: terminal.sockets_to("/ws/terminal/1"), "our endpoint is used")
    assert not terminal.sockets_to("/terminals/websocket/")
    await terminal.page.focus(".jp-Terminal .xterm-helper-textarea")
    await terminal.page.keyboard.type(f"echo notebook > {tmp_path}/out\n")
    await until(lambda: (tmp_path / "out").exists(), "the terminal works")
    await terminal.screenshot("notebook-terminal")
    # Notebook 7.6 has an error of its own at the start, with or without this extension.
    assert [error for error in tree.errors + terminal.errors if "jupyter-ws-hub" in error] == []


async def test_where_services_are_left_out_nothing_of_them_is_shown_and_jupyterlabs_own_ways_are_used(
    start_server: Callable[..., RealServer], open_window: Opener
) -> None:
    config = "c.HubApp.disabled_services = ['chat', 'files', 'notifications', 'status', 'transfers']\n"
    server = start_server(program="lab", prepare=quiet_lab, config=config)
    window = await open_window(server)
    page = window.page
    await window.open_sidebar("jupyter-ws-hub-panel")
    await window.state("main", "connected")
    assert await page.locator(".jp-WsHub-panel h2").all_text_contents() == ["Connections"]
    assert await page.locator('.jp-SideBar [data-id="jupyter-ws-hub-chat"]').count() == 0
    await window.open_sidebar("filebrowser")
    async with page.expect_file_chooser() as chooser:
        await page.click("#filebrowser .jp-id-upload")
    await (await chooser.value).set_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"by the stock way"})
    await page.wait_for_selector('.jp-DirListing-item:has-text("a.txt")')
    assert (server.root / "a.txt").read_bytes() == b"by the stock way"
    assert await page.locator(".Toastify__toast").count() == 0
    await window.screenshot("without-services")
    assert not window.sockets_to("/ws/") and window.errors == []
