"""The keys that leave a terminal: ssh's `~.` after a line's end, or a sequence as docker names them."""

from __future__ import annotations

import re
from typing import Final

from .servers import CommandError

DEFAULT: Final = "~."
NAMES: Final = {"enter": b"\r", "esc": b"\x1b"}
CTRL: Final = re.compile(r"(?:ctrl-|\^)([a-z@\[\\\]^_])", re.IGNORECASE)


def parse_keys(text: str) -> bytes:
    """The bytes of keys named like `ctrl-p,ctrl-q`, `^]` or `~.`; none for an empty text.

    Raises:
        CommandError: this names no keys.
    """
    if "," not in text and not CTRL.fullmatch(text) and text.lower() not in NAMES:
        parts = list(text)
    else:
        parts = text.split(",")
    keys = b""
    for part in parts:
        ctrl = CTRL.fullmatch(part)
        if ctrl is not None:
            keys += bytes([ord(ctrl[1].upper()) & 0x1F])
        elif part.lower() in NAMES:
            keys += NAMES[part.lower()]
        elif len(part) == 1 and part.isascii():
            keys += part.encode()
        else:
            raise CommandError(f"{text!r} names no keys; try 'ctrl-p,ctrl-q', 'ctrl-]', or '~.' as ssh has it.")
    return keys


class DetachKeys:
    """Finds the sequence in what is typed. A part of it is held back until the next key."""

    def __init__(self, text: str = DEFAULT) -> None:
        """Where the sequence begins with `~` it counts at the start of a line only, and `~~` types one `~`.

        Raises:
            CommandError: `text` names no keys.
        """
        self.text = text
        self._keys = parse_keys(text)
        self._escape = self._keys[:1] == b"~"
        self._matched = 0
        self._line_start = True

    @property
    def hint(self) -> str:
        """How to leave, for a person."""
        if not self._keys:
            return "no keys detach"
        return f"{'Enter, then ' if self._escape else ''}{self.text} detaches"

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be sent of what was typed, and whether the sequence was there; the rest is for nobody then."""
        if not self._keys:
            return data, False
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._matched] and (self._matched or not self._escape or self._line_start):
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(out), True
                continue
            held, self._matched = self._keys[: self._matched], 0
            if self._escape and held == b"~" == bytes([byte]):
                held = b""
            out += held
            self._line_start = byte in b"\r\n"
            if byte == self._keys[0] and not self._escape:
                self._matched = 1
            else:
                out.append(byte)
        return bytes(out), False
