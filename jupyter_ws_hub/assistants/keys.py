"""Keys of providers: where they come from, and that no text that leaves this package has one, or a part of one."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Final

PIECE: Final = 6
"""So many characters of a key in a row are a part of it; providers like to echo its beginning or its end."""
MAX_KEY_BYTES: Final = 16 * 1024
MAX_QUOTE: Final = 300


class KeyUnusable(Exception):
    """Why there is no key, for a person; names the setting, not the file's place."""


class Key:
    """A key, which shows itself nowhere by accident."""

    def __init__(self, value: str = "") -> None:
        """ "" is no key: the endpoint wants none."""
        self._value = value
        encoded = base64.b64encode(value.encode()).decode()
        texts = (value.casefold(), encoded.rstrip("=").casefold())
        self._pieces = {text[at : at + PIECE] for text in texts for at in range(max(len(text) - PIECE + 1, 0))}
        if 0 < len(value) < PIECE:
            self._pieces.add(value.casefold())

    def __repr__(self) -> str:
        """Not the key."""
        return "<a key>" if self._value else "<no key>"

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._value)

    def reveal(self) -> str:
        """The key: for the provider, nobody else."""
        return self._value

    def quote(self, text: str) -> str:
        """What a provider has said, short and in one line; "" if it has a part of the key in it."""
        line = " ".join(text.split())
        lower = line.casefold()
        if any(piece in lower for piece in self._pieces):
            return ""
        return line if len(line) <= MAX_QUOTE else line[:MAX_QUOTE] + "…"


def read_key(key_env: str, key_file: str) -> Key:
    """The key that the settings name; none if they name none.

    Raises:
        KeyUnusable: it is not there, or others can read it.
    """
    if key_file:
        return Key(_checked(_file(Path(key_file).expanduser()), "The file that key_file names"))
    if key_env:
        value = os.environ.get(key_env, "").strip()
        if not value:
            raise KeyUnusable(f"The environment variable {key_env}, which key_env names, is not set on the server.")
        return Key(_checked(value, f"The environment variable {key_env}"))
    return Key()


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyUnusable("What key_file names is no file.")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyUnusable("Others may use the file that key_file names; only its owner may (chmod 600).")
            return file.read(MAX_KEY_BYTES).decode(errors="replace").strip()
    except OSError as error:
        raise KeyUnusable(f"The file that key_file names cannot be read: {error.strerror}.") from None


def _checked(value: str, what: str) -> str:
    if not value:
        raise KeyUnusable(f"{what} is empty.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise KeyUnusable(f"{what} must have one key in it, in one line.")
    return value
