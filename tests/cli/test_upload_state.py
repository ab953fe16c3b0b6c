"""Uploads that have begun are known to the next command, and to nobody else."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_ws_hub.cli.upload_state import KEEP_S, Remembered, UploadState


def test_it_remembers_and_forgets(tmp_path: Path) -> None:
    state = UploadState(tmp_path / "a" / "b")
    assert state.find(("u", "/x", 1)) is None
    state.remember(("u", "/x", 1), Remembered("op", [3, 4]))
    assert UploadState(tmp_path / "a" / "b").find(("u", "/x", 1)) == Remembered("op", [3, 4])
    assert state.find(("u", "/x", 2)) is None
    (file,) = (tmp_path / "a" / "b").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    state.forget(("u", "/x", 1))
    state.forget(("u", "/x", 1))
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_what_is_old_or_broken_is_not_used(tmp_path: Path) -> None:
    state = UploadState(tmp_path)
    state.remember((1,), Remembered("old"))
    (old,) = tmp_path.iterdir()
    os.utime(old, (0, old.stat().st_mtime - KEEP_S - 1))
    state.remember((2,), Remembered("new"))
    assert state.find((1,)) is None
    (file,) = tmp_path.iterdir()
    file.write_text("{")
    assert state.find((2,)) is None


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = UploadState(tmp_path / "file" / "b")
    state.remember((1,), Remembered("op"))
    assert state.find((1,)) is None
    state.forget((1,))
