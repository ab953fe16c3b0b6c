"""What the tests of files in a real browser share: drops from the file system, digests, what the page shows."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path

from ..support.server import RealServer
from .conftest import Opener, Window

LISTING = "#filebrowser .jp-DirListing-content"
MAX_OPERATIONS = 1  # "copy"
FOLDER_FILES = 500
NO_PICKERS = "delete window.showOpenFilePicker; delete window.showSaveFilePicker; delete window.showDirectoryPicker;"


def make_file(path: Path, size: int, seed: int = 1) -> bytes:
    """Write a file that does not compress; its sha256."""
    rng, digest, left = random.Random(seed), hashlib.sha256(), size
    with path.open("wb") as file:
        while left > 0:
            piece = rng.randbytes(min(left, 4_194_304))
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    return digest.digest()


def make_folder(path: Path, files: int) -> None:
    """A folder with files in several directories, one of them empty."""
    for number in range(files):
        directory = path / f"part{number % 5}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file {number}.txt").write_text(f"{number}\n" * (number % 50))
    (path / "empty").mkdir()


def digest_of(path: Path) -> bytes:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def tree_of(path: Path) -> dict[str, bytes | None]:
    """What is in a directory: digests of files by relative path, None for directories."""
    return {
        str(one.relative_to(path)): digest_of(one) if one.is_file() else None
        for one in sorted(path.rglob("*"))
        if ".ipynb_checkpoints" not in one.parts
    }


async def drop(window: Window, paths: list[Path], selector: str = LISTING) -> None:
    """Drop files and folders of this machine on an element, as from the desktop."""
    element = await window.page.wait_for_selector(selector)
    assert element is not None
    box = await element.bounding_box()
    assert box is not None
    session = await window.page.context.new_cdp_session(window.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": MAX_OPERATIONS}
    # The lower half: rows are at the top.
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * 0.7}
    for kind in ("dragEnter", "dragOver", "drop"):
        await session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **point})
    await session.detach()


async def wait_for_transfers(window: Window, state: str, count: int = 1, timeout_ms: float = 60_000) -> None:
    """Wait until the panel shows so many transfers in a state."""
    await window.page.wait_for_function(
        "([state, count]) => document.querySelectorAll(`.jp-WsHub-transfer[data-state='${state}']`).length === count",
        arg=[state, count],
        timeout=timeout_ms,
    )


async def open_ready(open_window: Opener, server: RealServer, script: str = "") -> Window:
    """A window whose connection stands; `script` runs in the page before anything else."""
    window = await open_window(server, script=script)
    await ready(window)
    window.page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    return window


async def ready(window: Window) -> None:
    """The window is as it was left; the file browser and the connection are there."""
    await window.restored()
    await window.page.wait_for_selector(LISTING, state="attached")
    await window.page.wait_for_selector('.jp-WsHub-statusButton[data-state="connected"]')


async def listed(window: Window, name: str) -> None:
    """Wait until the file browser shows a name."""
    await window.page.wait_for_selector(f'.jp-DirListing-item[title*="{name}"]', timeout=15_000)
