"""A file system of a few MB of its own, which a test can fill; where none can be mounted, the test is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PIECE_BYTES = 4096


class SmallDisk:
    """What lies on it fails to grow while it is full."""

    def __init__(self, path: Path) -> None:
        """`path` is where it is mounted."""
        self.path = path

    def fill(self) -> None:
        """Leave no block free."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            while True:
                try:
                    filler.write(bytes(PIECE_BYTES))
                except OSError:
                    return

    def free(self) -> None:
        """Give the space back."""
        (self.path / "filler").unlink()


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount one at a new directory, for all processes; it is unmounted at the end."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
