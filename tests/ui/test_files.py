"""Files in a real JupyterLab in a real browser: dropped on the file browser, chosen by its button, downloaded."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from ..support.client import until
from ..support.server import RealServer
from .conftest import Opener
from .files import FOLDER_FILES, LISTING, NO_PICKERS, drop, listed, make_folder, open_ready, tree_of

pytestmark = [pytest.mark.ui, pytest.mark.timeout(180)]

# As in a frame of another origin, where the browser shows no dialog that gives handles.
REFUSED_PICKERS = """const refused = async () => { throw new DOMException('A frame.', 'SecurityError'); };
window.showOpenFilePicker = window.showDirectoryPicker = refused;"""


async def test_the_upload_button_opens_one_file_as_jupyterlab_does(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    (tmp_path / "read me.md").write_text("# Hello")
    window = await open_ready(open_window, exposed_lab, NO_PICKERS)
    async with window.page.expect_file_chooser() as chooser:
        await window.page.click("#filebrowser .jp-id-upload")
    await (await chooser.value).set_files(tmp_path / "read me.md")
    await window.page.wait_for_selector('.lm-TabBar-tabLabel:has-text("read me.md")')
    assert (exposed_lab.root / "read me.md").read_text() == "# Hello"
    assert window.sockets_to("/ws/file-stream/")
    assert window.errors == []


async def test_where_the_browser_refuses_its_dialog_for_handles_the_buttons_choose_by_the_ordinary_one(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    (tmp_path / "chosen.txt").write_text("x")
    make_folder(tmp_path / "photos", 10)
    window = await open_ready(open_window, exposed_lab, REFUSED_PICKERS)
    async with window.page.expect_file_chooser() as chooser:
        await window.page.click("#filebrowser .jp-id-upload")
    await (await chooser.value).set_files(tmp_path / "chosen.txt")
    await listed(window, "chosen.txt")
    await window.page.click(LISTING, button="right", position={"x": 100, "y": 300})
    async with window.page.expect_file_chooser() as folders:
        await window.page.click('.lm-Menu-item:has-text("Upload Folder")')
    await (await folders.value).set_files(tmp_path / "photos")
    await listed(window, "photos")
    await until((exposed_lab.root / "photos" / "part4" / "file 9.txt").exists, "the folder is there")
    assert window.errors == []


async def test_names_that_are_taken_are_asked_about_once(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    names = ("replaced.txt", "kept.txt", "skipped.txt", "new.txt")
    for name in names:
        (tmp_path / name).write_text(f"new {name}")
    for name in names[:3]:
        (exposed_lab.root / name).write_text(f"old {name}")
    window = await open_ready(open_window, exposed_lab)
    await window.at_rest()
    await drop(window, [tmp_path / name for name in names])
    await window.page.wait_for_selector(".jp-WsHub-conflicts tbody tr")
    assert await window.page.locator(".jp-WsHub-conflicts tbody tr").count() == 3
    await window.page.wait_for_selector(".jp-WsHub-conflicts input[type=radio]:focus")
    await window.page.keyboard.press("ArrowRight")  # the choice for all has the focus: from "Keep both" to "Replace"
    for name, choice in (("kept.txt", "rename"), ("skipped.txt", "skip")):
        await window.page.select_option(f'select[aria-label$="{name}"]', choice)
    await window.screenshot("files-conflicts")
    await window.page.click(".jp-Dialog .jp-mod-accept")
    await until((exposed_lab.root / "new.txt").exists, "the upload is there")
    await window.page.wait_for_selector(".Toastify__toast:has-text('3 files are uploaded')")
    read = {path.name: path.read_text() for path in exposed_lab.root.iterdir() if path.is_file()}
    assert {name: read.pop(name) for name in names} == {
        "replaced.txt": "new replaced.txt",
        "kept.txt": "old kept.txt",
        "skipped.txt": "old skipped.txt",
        "new.txt": "new new.txt",
    }
    assert list(read.values()) == ["new kept.txt"]
    assert window.errors == []


async def test_a_folder_is_downloaded_as_an_archive(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    make_folder(exposed_lab.root / "photos", FOLDER_FILES)
    window = await open_ready(open_window, exposed_lab, NO_PICKERS)
    await listed(window, "photos")
    await window.page.click('.jp-DirListing-item[title*="photos"]', button="right")
    async with window.page.expect_download() as download:
        await window.page.click('.lm-Menu-item:has-text("Download")')
    await (await download.value).save_as(tmp_path / "photos.zip")
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        archive.extractall(tmp_path / "out")
    assert tree_of(tmp_path / "out" / "photos") == tree_of(exposed_lab.root / "photos")
    assert window.errors == []


async def test_a_listing_shows_changes_at_once_and_asks_for_nothing_meanwhile(
    exposed_lab: RealServer, open_window: Opener
) -> None:
    (exposed_lab.root / "there.txt").write_text("x")
    window = await open_ready(open_window, exposed_lab)
    await listed(window, "there.txt")
    requests: list[str] = []
    window.page.on("request", lambda request: requests.append(request.url))
    (exposed_lab.root / "new.txt").write_text("x")
    await listed(window, "new.txt")
    (exposed_lab.root / "there.txt").unlink()
    await window.page.wait_for_selector('.jp-DirListing-item[title*="there.txt"]', state="detached", timeout=5000)
    await window.page.evaluate("window.jupyterapp.commands.execute('filebrowser:refresh')")
    # The command ends when the new name was typed.
    await window.page.evaluate("void window.jupyterapp.commands.execute('filebrowser:create-new-directory')")
    await window.page.wait_for_selector(".jp-DirListing-editor")
    await window.page.keyboard.type("made")
    await window.page.keyboard.press("Enter")
    await listed(window, "made")
    listings = [url for url in requests if "/api/contents" in url and "content=1" in url]
    assert listings == []
    window.lose_network()
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="reconnecting"]')
    (exposed_lab.root / "missed.txt").write_text("x")
    window.proxy.flow()
    await listed(window, "missed.txt")
    assert window.errors == []


async def test_switched_off_the_stock_path_is_back_at_once(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    (tmp_path / "stock.txt").write_text("stock")
    (exposed_lab.root / "folder").mkdir()
    window = await open_ready(open_window, exposed_lab)
    requests: list[str] = []
    window.page.on("request", lambda request: requests.append(f"{request.method} {request.url.split('?')[0]}"))
    await window.page.evaluate("window.jupyterapp.commands.execute('settingeditor:open', {query: 'Connections and'})")
    # The page asks for what it has saved, and counts it from then on.
    async with window.page.expect_response(
        lambda answer: answer.request.method == "GET" and "/api/settings/jupyter-ws-hub" in answer.url
    ):
        await window.page.click(".jp-SettingsForm label:has-text('Transfers over file streams')")
    saved = exposed_lab.base_dir / "config" / "lab" / "user-settings" / "jupyter-ws-hub" / "panel.jupyterlab-settings"
    await until(
        lambda: saved.exists() and json.loads(saved.read_text()).get("transferStreams") is False, "the switch is off"
    )
    await drop(window, [tmp_path / "stock.txt"])
    await until((exposed_lab.root / "stock.txt").exists, "the file is there")
    assert any(one.startswith("PUT ") and one.endswith("/api/contents/stock.txt") for one in requests)
    assert not window.sockets_to("/ws/file-stream/")
    await window.page.click('.jp-DirListing-item[title*="folder"]', button="right")
    await window.page.wait_for_selector('.lm-Menu-item:has-text("Rename")')
    assert await window.page.locator('.lm-Menu-item:has-text("Download")').count() == 0
    assert window.errors == []
