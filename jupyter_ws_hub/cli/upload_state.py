"""Which uploads of this user have begun: a command that is run again goes on with them.

One small file per upload, so that commands that run at the same time do not disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from jupyter_core.paths import jupyter_data_dir

KEEP_S: Final = 7 * 24 * 3600.0
"""The server has forgotten an upload that was left alone for so long."""


def default_folder() -> Path:
    """Where it stands."""
    return Path(jupyter_data_dir(), "ws_hub", "cli", "uploads")


class Remembered(msgspec.Struct, frozen=True):
    """An operation; of a tree also the numbers of the entries that it leaves out."""

    op: str
    left_out: list[int] = []


class UploadState:
    """The ids of operations by what they are for."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is to be remembered."""
        self._folder = folder

    def _file(self, key: Iterable[object]) -> Path:
        text = json.dumps([*key], default=str)
        return self._folder / f"{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:40]}.json"

    def find(self, key: Iterable[object]) -> Remembered | None:
        """The operation that was begun for this, if any."""
        try:
            return msgspec.json.decode(self._file(key).read_bytes(), type=Remembered)
        except (OSError, msgspec.DecodeError):
            return None

    def remember(self, key: Iterable[object], what: Remembered) -> None:
        """This operation is for that; what is very old is removed. A disk that takes nothing is no reason to stop."""
        file = self._file(key)
        part = file.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as opened:
                opened.write(msgspec.json.encode(what))
            part.replace(file)
            self._prune()
        except OSError:
            _remove(part)

    def forget(self, key: Iterable[object]) -> None:
        """It has come to an end. What cannot be removed is too old some day."""
        _remove(self._file(key))

    def _prune(self) -> None:
        for file in self._folder.iterdir():
            try:
                if time.time() - file.stat().st_mtime > KEEP_S:
                    file.unlink()
            except FileNotFoundError:
                continue  # another command was faster


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
