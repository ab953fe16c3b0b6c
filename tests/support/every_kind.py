"""A directory with a thing of every kind that a file system has, and the rules of a manager for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

NAMES = ("a.txt", "B.TXT", "n.ipynb", "x.tar.gz", "no_extension", ".hidden", ".~x.part", "x.pyc", "a~", "__pycache__")
ODD_NAMES = (
    "new\nline",
    "tab\t",
    'quote"',
    "back\\slash",
    " space ",
    "ünïcode",
    "\u202eright",
    "*?[]",
    "data:,x",
    "#?&",
)


def make_every_kind(root: Path) -> None:
    """Fill `root`, which is empty."""
    for name in (*NAMES, *ODD_NAMES):
        (root / name).write_text(name)
    (root / "empty.bin").write_bytes(b"")
    os.utime(root / "a.txt", (1, 1.5))
    (root / "read_only.txt").write_text("x")
    (root / "read_only.txt").chmod(0o400)
    for folder in ("folder", "folder.ipynb", ".folder", "closed"):
        (root / folder).mkdir()
    (root / "closed").chmod(0o000)
    links = {
        "link.txt": "a.txt",
        "link.ipynb": "n.ipynb",
        "to_folder": "folder",
        "to_fifo": "fifo",
        "broken": "nowhere",
        ".broken": "nowhere",
        "circle": "circle",
        "outside": "/etc",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)  # a socket's path is short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (root / "number10").touch()
    (root / "number9").touch()
