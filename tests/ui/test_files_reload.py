"""Transfers of files in a real browser over cuts and reloads of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.client import Address, HubClient, until
from ..support.proxy import Fault, Way
from ..support.server import RealServer
from .conftest import Opener, Window
from .files import (
    FOLDER_FILES,
    LISTING,
    NO_PICKERS,
    digest_of,
    drop,
    listed,
    make_file,
    make_folder,
    open_ready,
    ready,
    tree_of,
    wait_for_transfers,
)

pytestmark = [pytest.mark.ui, pytest.mark.timeout(180)]

LARGE_BYTES = 300_000_000
PART_BYTES = 64 * 1024 * 1024
"""Of a large download so many are kept at a time."""
DOWN_BYTES = 2 * PART_BYTES + 10_000_000
SMALL_BYTES = 60_000
SLOW_BYTES_PER_S = 2_000_000
"""So slow is a transfer behind the point at which something is to be done to it, however long that takes."""
MARGIN_BYTES = 2_000_000
"""So much later than that point it becomes slow: what is under way has not passed yet."""
PAGE_BYTES = 20_000_000
"""More than a page of JupyterLab loads over one connection."""
ALL_DONE = "[...document.querySelectorAll('.jp-WsHub-transfer')].every(one => one.dataset.state === 'done')"
# As a browser without the File System Access API, in which files must be chosen again after a reload.
NO_HANDLES = "delete DataTransferItem.prototype.getAsFileSystemHandle; delete window.showOpenFilePicker;"
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
PICKS_OWN_FOLDER = """window.showDirectoryPicker = async () => {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('own');
};"""
# Small files in nested folders, an empty folder, and a file that is a transfer of its own; gives their digests by path.
MAKE_OWN_FOLDER = """async ([files, size]) => {
  const root = await navigator.storage.getDirectory();
  const own = await root.getDirectoryHandle('own', { create: true });
  await own.getDirectoryHandle('empty', { create: true });
  const digests = {};
  const make = async (folder, name, bytes) => {
    const data = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
    let directory = own;
    for (const part of folder.split('/')) directory = await directory.getDirectoryHandle(part, { create: true });
    const writable = await (await directory.getFileHandle(name, { create: true })).createWritable();
    await writable.write(data);
    await writable.close();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
    digests[`${folder}/${name}`] = [...digest].map(one => one.toString(16).padStart(2, '0')).join('');
  };
  for (let n = 0; n < files; n++) await make(`part${n % 5}/deep`, `${n}.bin`, size);
  await make('part0', 'large.bin', 8_000_000);
  return digests;
}"""
PROGRESS = "document.querySelector('.jp-WsHub-transfer[data-state=running] progress')?.value ?? 0"


def slow_up(after_bytes: int) -> Fault:
    """A network on which an upload is slow after so many bytes of a connection."""
    return Fault(up=Way(bytes_per_s=SLOW_BYTES_PER_S, slow_after=after_bytes))


def slow_down(after_bytes: int) -> Fault:
    """The same for a download."""
    return Fault(down=Way(bytes_per_s=SLOW_BYTES_PER_S, slow_after=after_bytes))


def speed_up(window: Window) -> None:
    """Let a network be fast again, also for what is under way."""
    window.proxy.fault = Fault()
    window.proxy.cut_all()


async def passes(window: Window, count: int) -> None:
    """Wait until a transfer has more bytes than these."""
    await window.page.wait_for_function(f"count => ({PROGRESS}) > count", arg=count, polling=50, timeout=60_000)


async def test_a_large_file_and_a_folder_that_are_dropped_arrive_over_a_cut_and_a_reload(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    large, folder = tmp_path / "large.bin", tmp_path / "photos"
    expected = make_file(large, LARGE_BYTES)
    make_folder(folder, FOLDER_FILES)
    window = await open_ready(open_window, exposed_lab, NO_HANDLES)
    window.proxy.fault = slow_up(LARGE_BYTES // 10 + MARGIN_BYTES)
    await drop(window, [large, folder])
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, LARGE_BYTES // 10)
    await window.screenshot("files-dropped")
    window.proxy.fault = slow_up(LARGE_BYTES // 3)
    window.lose_network()
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
    window.proxy.fault = slow_up(size // 4 + MARGIN_BYTES)
    await window.page.click("#filebrowser .jp-id-upload")
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, size // 4)
    window.proxy.fault = slow_up(size // 3 - size // 4 + MARGIN_BYTES)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, size // 3)
    speed_up(window)
    await wait_for_transfers(window, "running", 0)
    await until((exposed_lab.root / "own.bin").exists, "the file is in its place")
    assert digest_of(exposed_lab.root / "own.bin").hex() == await window.page.evaluate(OWN_DIGEST)
    assert window.errors == []


async def forget_uploads(server: RealServer) -> None:
    """Let the server know nothing of its uploads any more, as after a day."""
    async with HubClient(Address.of(server)) as hub:
        for known in (await hub.request("transfers.list"))["transfers"]:
            await hub.request("transfers.cancel", {"op": known["op"]})
            await hub.request("transfers.forget", {"op": known["op"]})


async def test_an_upload_that_the_server_has_forgotten_is_begun_anew_with_its_file(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    size = 20_000_000
    expected = make_file(tmp_path / "late.bin", size)
    window = await open_ready(open_window, exposed_lab, NO_HANDLES)
    window.proxy.fault = slow_up(size // 4 + MARGIN_BYTES)
    await drop(window, [tmp_path / "late.bin"])
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, size // 4)
    await window.page.reload()
    await ready(window)
    await forget_uploads(exposed_lab)
    await window.page.reload()  # as a day later
    await ready(window)
    toast = window.page.locator(".Toastify__toast:has-text('late.bin')")
    await toast.locator("button:has-text('Show')").click()
    await wait_for_transfers(window, "failed")
    await window.screenshot("files-forgotten")
    async with window.page.expect_file_chooser() as chooser:
        await window.page.click(".jp-WsHub-goOn button")
    window.proxy.fault = Fault()
    await (await chooser.value).set_files(tmp_path / "late.bin")
    await wait_for_transfers(window, "done")
    assert digest_of(exposed_lab.root / "late.bin") == expected
    assert window.errors == []


async def choose_folder(window: Window) -> None:
    """Choose "Upload Folder…" in the file browser."""
    await window.page.click(LISTING, button="right", position={"x": 100, "y": 300})
    await window.page.click('.lm-Menu-item:has-text("Upload Folder")')
    await window.open_sidebar("jupyter-ws-hub-panel")


async def test_a_folder_whose_handle_is_known_goes_on_by_itself_after_a_reload(
    exposed_lab: RealServer, open_window: Opener
) -> None:
    window = await open_ready(open_window, exposed_lab, PICKS_OWN_FOLDER)
    expected = await window.page.evaluate(MAKE_OWN_FOLDER, [FOLDER_FILES, SMALL_BYTES])
    window.proxy.fault = slow_up(FOLDER_FILES * SMALL_BYTES // 4 + MARGIN_BYTES)
    await choose_folder(window)
    await passes(window, FOLDER_FILES * SMALL_BYTES // 4)
    window.proxy.fault = slow_up(FOLDER_FILES * SMALL_BYTES // 12 + MARGIN_BYTES)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await passes(window, FOLDER_FILES * SMALL_BYTES // 3)
    speed_up(window)
    await window.page.wait_for_function(ALL_DONE)
    found = tree_of(exposed_lab.root / "own")
    assert {path: digest.hex() for path, digest in found.items() if digest is not None} == expected
    assert "empty" in found
    assert window.errors == []


async def test_a_folder_goes_on_after_a_reload_when_it_is_chosen_again(
    exposed_lab: RealServer, open_window: Opener, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    for number in range(FOLDER_FILES):
        directory = folder / f"part{number % 5}"
        directory.mkdir(parents=True, exist_ok=True)
        make_file(directory / f"{number}.bin", SMALL_BYTES, seed=number)
    window = await open_ready(open_window, exposed_lab, NO_PICKERS)
    window.proxy.fault = slow_up(FOLDER_FILES * SMALL_BYTES // 4 + MARGIN_BYTES)
    async with window.page.expect_file_chooser() as first:
        await choose_folder(window)
    await (await first.value).set_files(folder)
    await passes(window, FOLDER_FILES * SMALL_BYTES // 4)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    await wait_for_transfers(window, "needs-file")
    async with window.page.expect_file_chooser() as again:
        await window.page.click(".jp-WsHub-goOn button:has-text('Choose the folder')")
    window.proxy.fault = Fault()
    await (await again.value).set_files(folder)
    await wait_for_transfers(window, "done")
    assert tree_of(exposed_lab.root / "photos") == tree_of(folder)
    assert [path.name for path in exposed_lab.root.iterdir() if path.name.startswith("photos")] == ["photos"]
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
    window.proxy.fault = slow_down(PART_BYTES + 10_000_000 + MARGIN_BYTES)
    await download(window, "large.bin")
    await passes(window, PART_BYTES + 10_000_000)
    window.proxy.fault = slow_down(PAGE_BYTES)
    await window.page.reload()
    await ready(window)
    await window.open_sidebar("jupyter-ws-hub-panel")
    if script:
        await wait_for_transfers(window, "paused")
        await window.screenshot("files-download-left")
        await window.page.click('.jp-WsHub-transfer button[aria-label="Resume large.bin"]')
    await wait_for_transfers(window, "running")
    assert await window.page.evaluate(PROGRESS) >= PART_BYTES
    speed_up(window)
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
    window.proxy.fault = slow_down(PART_BYTES + 10_000_000 + MARGIN_BYTES)
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
