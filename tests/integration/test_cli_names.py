"""Every name that a file may have goes up and comes down: alone and in a folder, through real processes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.transfer import TREE_FILE_BYTES
from tests.support.cli import Cli
from tests.support.server import RealServer

NAMES = [
    *[" ", " before", "after ", "two  spaces", "\u00a0no break", "tab\t", "new\nline", "\n", "end\r\n", "\x1b[31m\x7f"],
    *["quo'te\"s", "'", '"', "100%", "%20", "%2e%2e%2f", "%00", "#", "a#b", "?", "a?b=c&d", "back\\slash", "\\", "\\n"],
    *["-rf", "--", "--help", "dot.", "dots...", "a..b", "~", "~root", "*?[x]", "[!a]", "{a,b}", "$HOME", "`id`", "!"],
    *["a:b", "C:", "CON", "semi;colon", "a|b>c<d", "&amp;", "@{u}", "+", "=", "\u202egpj.exe", "\ufeffmark", "\u2028"],
    *["e\u0301", "\u00e9", "i\u0307", "中文", "😀", "👩\u200d👩\u200d👧"],
    *["x" * 255, "é" * 127 + "x", "😀" * 63 + "abc", "n" * 251 + ".txt"],
]
LARGE = TREE_FILE_BYTES + 1


def make(folder: Path, size: int) -> Path:
    """A file of each name, none like another; and one in a folder of each name."""
    for number, name in enumerate(NAMES):
        data = number.to_bytes(2, "big") * (size // 2) + b"x" * (size % 2)
        (folder / "folders" / name).mkdir(parents=True)
        for path in (folder / name, folder / "folders" / name / name):
            path.write_bytes(data)
            data = data[::-1]
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Of all files in a folder, by their relative paths."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_these_are_names_of_files_of_their_own(tmp_path: Path) -> None:
    assert sorted(os.fsencode(name) for name in NAMES) == sorted({os.fsencode(name) for name in NAMES})
    assert max(len(os.fsencode(name)) for name in NAMES) == 255


@pytest.mark.timeout(180)
@pytest.mark.parametrize("size", [999, LARGE], ids=["in one tree", "each for itself"])
async def test_files_and_folders_of_any_name_go_up_and_come_down_again(server: RealServer, cli: Cli, size: int) -> None:
    here = make(cli.folder / "here", size)
    expected = digests(here)
    assert len(expected) == 2 * len(NAMES)
    up = await cli.run("upload", "here", "/")
    assert (up.status, up.err) == (0, "")
    assert digests(server.root / "here") == expected
    down = await cli.run("download", "here", "back")
    assert (down.status, down.err) == (0, "")
    assert digests(cli.folder / "back") == expected
    again = await cli.run("upload", "here", "/", "--if-exists", "skip")
    assert (again.status, again.err) == (0, "") and f"{2 * len(NAMES)} skipped" in again.out
    renamed = await cli.run("upload", "here/.", "here", "--if-exists", "rename")
    assert (renamed.status, renamed.err) == (0, "")
    assert sorted(digests(server.root / "here").values()) == sorted([*expected.values()] * 2)


async def test_files_of_any_name_can_be_named_one_by_one(server: RealServer, cli: Cli) -> None:
    (server.root / "there").mkdir()
    for folder in ("here", "back"):
        (cli.folder / folder).mkdir()
    for number, name in enumerate(NAMES):
        (cli.folder / "here" / name).write_bytes(b"%d" % number)
    expected = digests(cli.folder / "here")
    up = await cli.run("upload", *(f"here/{name}" for name in NAMES), "there")
    assert (up.status, up.err) == (0, "")
    assert digests(server.root / "there") == expected
    down = await cli.run("download", *(f"there/{name}" for name in NAMES), "back")
    assert (down.status, down.err) == (0, "")
    assert digests(cli.folder / "back") == expected
