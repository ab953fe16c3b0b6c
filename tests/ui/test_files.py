"""Files in a real JupyterLab in a real browser: dropped on the file browser, chosen by its button, downloaded."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.client import until
from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .conftest import Opener, Window, quiet_lab
from .files import LISTING, digest_of, drop, make_file, make_folder, tree_of, wait_for_transfers

pytestmark = [pytest.mark.ui, pytest.mark.timeout(180)]

LARGE_BYTES = 300_000_000
PART_BYTES = 64 * 1024 * 1024
"""Of a large download so many are kept at a time."""
DOWN_BYTES = 2 * PART_BYTES + 10_000_000
FOLDER_FILES = 500
CONFIG = "c.LabApp.expose_app_in_browser = True\n"

# As a browser without the File System Access API, in which files must be chosen again after a reload.
NO_HANDLES = "delete DataTransferItem.prototype.getAsFileSystemHandle; delete window.showOpenFilePicker;"
NO_PICKERS = "delete window.showOpenFilePicker; delete window.showSaveFilePicker; delete window.showDirectoryPicker;"
# As in a frame of another origin, where the browser shows no dialog that gives handles.
REFUSED_PICKERS = """const refused = async () => { throw new DOMException('A frame.', 'SecurityError'); };
window.showOpenFilePicker = window.showDirectoryPicker = refused;"""
# A dialog that chooses a file of the page's own file system, whose handle is as good as one of the disk.
PICKS_OWN_FILE = """window.showOpenFilePicker = async () => {
  const root = await navigator.storage.getDirectory();
  return [await root.getFileHandle('own.bin')];
};"""
MAKE_OWN_FILE = """async size => {
  const root = await navigator.storage.getDirectory();
  const writable = await (await root.getFileHandle('own.bin', { create: true })).createWritable();
  const piece = new Uint8Array(65536);
  for (let at = 0; at < size; at += piece.length) {
    crypto.getRandomValues(piece);
    await writable.write(piece);
  }
  await writable.close();
}"""
OWN_DIGEST = """async () => {
  const root = await navigator.storage.getDirectory();
  const file = await (await root.getFileHandle('own.bin')).getFile();
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map(one => one.toString(16).padStart(2, '0')).join('');
}"""
# A dialog that lets a download be written to a file of the page's own file system.
SAVES_OWN_FILE = """window.showSaveFilePicker = async () => {
  const root = await navigator.storage.getDirectory();
  return root.getFileHandle('own.bin', { create: true });
};"""
# As with a file of the disk after a reload: it may be written only when a person has allowed it, by a click.
ASKS_TO_WRITE = """let asked = false;
FileSystemFileHandle.prototype.queryPermission = async () => asked ? 'granted' : 'prompt';
FileSystemFileHandle.prototype.requestPermission = async () => {
  if (!navigator.userActivation.isActive) throw new DOMException('No click.', 'SecurityError');
  asked = true;
  return 'granted';
};"""
OWN_SIZE = """async () => {
  const root = await navigator.storage.getDirectory();
  return (await (await root.getFileHandle('own.bin')).getFile()).size;
}"""
OWN_PARTS = """async () => {
  const root = await navigator.storage.getDirectory();
  const parts = await root.getDirectoryHandle('jupyter-ws-hub-downloads', { create: true });
  const found = [];
  for await (const name of parts.keys()) found.push(name);
  return found.length;
}"""
PROGRESS = "document.querySelector('.jp-WsHub-transfer[data-state=running] progress')?.value ?? 0"


@pytest.fixture
def exposed_lab(start_server: Callable[..., RealServer]) -> RealServer:
    """A real JupyterLab whose page shows its application to scripts."""
    return start_server(program="lab", prepare=quiet_lab, config=CONFIG)


async def open_ready(open_window: Opener, server: RealServer, script: str = "") -> Window:
    """A window whose connection stands; `script` runs in the page before anything else."""
    window = await open_window(server, script=script)
    await ready(window)
    window.page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    return window


async def ready(window: Window) -> None:
    """The file browser and the connection are there."""
    await window.page.wait_for_selector(LISTING, state="attached")
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="connected"]')


async def passes(window: Window, count: int) -> None:
    """Wait until a transfer has more bytes than these."""
    await window.page.wait_for_function(f"count => ({PROGRESS}) > count", arg=count, polling=50, timeout=60_000)


async def listed(window: Window, name: str) -> None:
    """Wait until the file browser shows a name."""
    await window.page.wait_for_selector(f'.jp-DirListing-item[title*="{name}"]', timeout=15_000)


async def test_a_large_file_and_a_folder_that_are_dropped_arrive_over_a_cut_and_a_reload(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    large, folder = tmp_path / "large.bin", tmp_path / "photos"
    expected = make_file(large, LARGE_BYTES)
    make_folder(folder, FOLDER_FILES)
    window = await open_ready(open_window, exposed_lab, NO_HANDLES)
    window.proxy.fault = Fault(up=Way(bytes_per_s=60_000_000))
    await drop(window, [large, folder])
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, LARGE_BYTES // 10)
    await window.screenshot("files-dropped")
    window.proxy.stall()
    window.proxy.cut_all()
    await wait_for_transfers(window, "running", 0)
    window.proxy.flow()
    await wait_for_transfers(window, "running")
    await passes(window, LARGE_BYTES // 3)
    await wait_for_transfers(window, "done")  # the folder's small files
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await wait_for_transfers(window, "needs-file")
    await window.screenshot("files-needs-file")
    async with window.page.expect_file_chooser() as chooser:
        await window.page.click(".jp-WsHub-goOn button")
    window.proxy.fault = Fault()
    await (await chooser.value).set_files(large)
    await window.page.wait_for_selector(".Toastify__toast:has-text('large.bin')", timeout=60_000)
    await wait_for_transfers(window, "needs-file", 0)
    assert digest_of(exposed_lab.root / "large.bin") == expected
    assert tree_of(exposed_lab.root / "photos") == tree_of(folder)
    await window.screenshot("files-done")
    await window.page.click(".Toastify__toast button:has-text('Reveal')")
    await window.page.wait_for_selector('.jp-DirListing-item.jp-mod-selected[title*="large.bin"]')
    assert window.errors == []


async def test_a_file_of_the_upload_button_goes_on_by_itself_after_a_reload(
    exposed_lab: RealServer, open_window: Opener
) -> None:
    window = await open_ready(open_window, exposed_lab, PICKS_OWN_FILE)
    size = 60 * 1024 * 1024
    await window.page.evaluate(MAKE_OWN_FILE, size)
    window.proxy.fault = Fault(up=Way(bytes_per_s=20_000_000))
    await window.page.click("#filebrowser .jp-id-upload")
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, size // 4)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, size // 3)
    window.proxy.fault = Fault()
    await wait_for_transfers(window, "running", 0)
    await until((exposed_lab.root / "own.bin").exists, "the file is in its place")
    assert digest_of(exposed_lab.root / "own.bin").hex() == await window.page.evaluate(OWN_DIGEST)
    assert window.errors == []


async def download(window: Window, name: str) -> None:
    """Choose "Download" in the file browser."""
    await window.open_sidebar("filebrowser")
    await listed(window, name)
    await window.page.click(f'.jp-DirListing-item[title*="{name}"]', button="right")
    await window.page.click('.lm-Menu-item:has-text("Download")')
    await window.open_sidebar("jupyter-ws-hub-panel")


@pytest.mark.parametrize("script", ["", ASKS_TO_WRITE], ids=["allowed", "asked"])
async def test_a_download_goes_on_after_a_reload_with_what_had_arrived(
    exposed_lab: RealServer, open_window: Opener, script: str
) -> None:
    expected = make_file(exposed_lab.root / "large.bin", DOWN_BYTES)
    window = await open_ready(open_window, exposed_lab, SAVES_OWN_FILE + script)
    window.proxy.fault = Fault(down=Way(bytes_per_s=60_000_000))
    await download(window, "large.bin")
    await passes(window, PART_BYTES + 10_000_000)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    if script:
        await wait_for_transfers(window, "paused")
        await window.screenshot("files-download-left")
        await window.page.click('.jp-WsHub-transfer button[aria-label="Resume large.bin"]')
    await wait_for_transfers(window, "running")
    assert await window.page.evaluate(PROGRESS) >= PART_BYTES
    window.proxy.fault = Fault()
    await wait_for_transfers(window, "done")
    assert await window.page.evaluate(OWN_SIZE) == DOWN_BYTES
    assert (await window.page.evaluate(OWN_DIGEST)) == expected.hex()
    await window.page.wait_for_function(f"async () => await ({OWN_PARTS})() === 0")
    assert await window.page.locator(".jp-WsHub-transfer").count() == 1
    assert window.errors == []


async def test_a_download_that_was_left_can_be_cancelled_and_is_refused_where_its_source_has_changed(
    exposed_lab: RealServer, open_window: Opener
) -> None:
    make_file(exposed_lab.root / "large.bin", DOWN_BYTES)
    window = await open_ready(open_window, exposed_lab, SAVES_OWN_FILE + ASKS_TO_WRITE)
    window.proxy.fault = Fault(down=Way(bytes_per_s=60_000_000))
    for cancels in (True, False):
        await download(window, "large.bin")
        await passes(window, PART_BYTES + 10_000_000)
        await window.page.reload()
        await ready(window)
        await window.open_sidebar("jupyter-ws-hub-panel")
        await wait_for_transfers(window, "paused")
        assert await window.page.evaluate(OWN_PARTS) == 1
        if cancels:
            await window.page.click('.jp-WsHub-transfer button[aria-label^="Cancel"]')
            await wait_for_transfers(window, "cancelled")
            await window.page.click('.jp-WsHub-transfer button[aria-label^="Remove"]')
            await wait_for_transfers(window, "cancelled", 0)
        else:
            make_file(exposed_lab.root / "large.bin", DOWN_BYTES, seed=2)
            await window.page.click('.jp-WsHub-transfer button[aria-label="Resume large.bin"]')
            await wait_for_transfers(window, "failed")
        await window.page.wait_for_function(f"async () => await ({OWN_PARTS})() === 0")
    assert await window.page.evaluate(OWN_SIZE) == 0
    assert window.errors == []


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
    window.proxy.cut_all()
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="reconnecting"]')
    (exposed_lab.root / "missed.txt").write_text("x")
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
