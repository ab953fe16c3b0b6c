"""What the tests of the SQLite storage share: opening it here and in other processes, and a lock on its file."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from jupyter_ws_hub.storage.base import NewId
from jupyter_ws_hub.storage.sqlite import SqliteStorage
from tests.support.fakes import FakeClock, counting_ids

ROOT: Final = Path(__file__).parents[3]
WAIT_S: Final = 15.0

PRELUDE: Final = """
import asyncio, logging, os, resource, sys
from pathlib import Path
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.storage.base import Draft
from jupyter_ws_hub.storage.base import NewId
from jupyter_ws_hub.storage.sqlite import SqliteStorage
path, name = Path(sys.argv[1]), sys.argv[2]
def open_storage():
    return SqliteStorage(path, lambda: 0.0, lambda: name, logging.getLogger(name))
def run(main):
    storage = open_storage()
    try:
        asyncio.run(main(storage))
    finally:
        storage.close()
"""
APPEND: Final = (
    PRELUDE
    + """
async def main(storage):
    for number in range(int(sys.argv[3])):
        (record,) = await storage.log.append("t", [Draft(f"{name}{number}", "k", 0, b"x" * 100)])
        print(record.offset, flush=True)
run(main)
"""
)


def open_storage(
    path: Path, clock: FakeClock | None = None, *, new_id: NewId | None = None, wal: bool = True
) -> SqliteStorage:
    """Open or make the file with fakes; to be closed by the caller."""
    new_id = new_id or counting_ids("epoch")
    return SqliteStorage(path, clock or FakeClock(), new_id, logging.getLogger("test"), wal=wal)


def start(code: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def output_of(code: str, path: Path, *arguments: str) -> list[str]:
    with start(code, path, *arguments) as process:
        output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    return output.splitlines()


def output_on_tiny_disk(code: str, path: Path) -> list[str]:
    """What a program prints whose file is alone on a disk of 600 kB; skips where no file system can be mounted."""
    script = 'mount -t tmpfs -o size=600k tmpfs "$0" && { "$@"; code=$?; umount "$0"; exit $code; }'
    small = ["sh", "-c", script, str(path.parent)]
    program = [sys.executable, "-c", code, str(path), "x"]
    # In a chroot the root is no mount whose propagation could be changed.
    for more in ([], ["--map-root-user"], ["--propagation", "unchanged"]):
        alone = ["unshare", "--mount", *more]
        if shutil.which("unshare") and subprocess.run([*alone, *small, "true"], capture_output=True).returncode == 0:
            run = subprocess.run([*alone, *small, *program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            return run.stdout.splitlines()
    pytest.skip("no file system can be mounted here")


@contextmanager
def locked(path: Path, *, reading: bool = False) -> Iterator[Callable[[], None]]:
    """Another program writes, or reads; gives what ends its transaction."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
    if reading:
        connection.execute("SELECT * FROM messages").fetchall()
    try:
        yield lambda: connection.rollback()
    finally:
        connection.close()
