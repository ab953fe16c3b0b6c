"""What transfers do on the disk: a target is whole and old, or whole and new, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.disk import disk_error, sync_data

NOBODY = 65534


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where uploads go; its directory holds nothing else."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root" / "a.txt"


def refused(work: Callable[[], object]) -> HubError:
    with pytest.raises(HubError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.NO_SPACE),
        (errno.EDQUOT, Code.NO_SPACE),
        (errno.EACCES, Code.FORBIDDEN),
        (errno.EROFS, Code.FORBIDDEN),
        (errno.ENOENT, Code.NOT_FOUND),
        (errno.ENOTDIR, Code.NOT_FOUND),
        (errno.EIO, Code.INTERNAL),
        (None, Code.INTERNAL),
    ],
)
def test_errors_of_the_disk_are_told_without_absolute_paths(number: Any, code: Code) -> None:
    error = disk_error(OSError(number, "why", "/secret/place/a.txt"), "a.txt")
    assert error.code is code
    assert "'a.txt'" in error.message
    assert "/secret" not in error.message


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_bytes_are_brought_to_the_disk_where_there_is_no_call_for_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    called: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: called.append("fdatasync"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: called.append("fsync"))
    if system == "darwin":
        monkeypatch.delattr(os, "fdatasync")
    with (tmp_path / "file").open("wb") as file:
        sync_data(file.fileno())
    assert called == ["fsync" if system == "darwin" else "fdatasync"]
