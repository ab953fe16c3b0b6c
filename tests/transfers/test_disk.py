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
from jupyter_ws_hub.transfers.disk import SourceFile, disk_error

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


def test_a_source_is_read_in_order_and_a_change_is_never_mixed_in(target: Path) -> None:
    target.write_bytes(b"0123456789")
    source = SourceFile(target, "a.txt")
    source.skip(3, piece_bytes=2)
    assert source.read(4) == b"3456"
    source.check()
    target.write_bytes(b"ABCDEFGHIJ")
    os.utime(target, (1, 1))
    assert refused(source.check).code is Code.SOURCE_CHANGED
    os.truncate(target, 8)
    assert refused(lambda: source.read(3)).code is Code.SOURCE_CHANGED
    source.close()
    source.close()


def test_what_is_no_regular_file_is_no_source(target: Path) -> None:
    os.mkfifo(target)
    assert refused(lambda: SourceFile(target, "a")).code is Code.INVALID
    assert refused(lambda: SourceFile(target.parent, "")).code is Code.INVALID
    assert refused(lambda: SourceFile(target / "x", "x")).code is Code.NOT_FOUND


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
