"""The user's own terminal: raw while a session lasts, and as it was before afterwards, whatever happens."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import tty
from types import TracebackType
from typing import Final, NamedTuple, Self

RESET: Final = (
    b"\x1b[?1047l\x1b7\x1b[r\x1b8\x1b[?1l\x1b>\x1b[?25h\x1b[?7h"
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[0m"
)
"""Leaves what a program of the other side has switched on: alternate screen, mouse, pasting, keys. Source: xterm's
`ctlseqs`. 1047 and not 1049, and the margins between save and restore: else the cursor would jump."""

CLEAR: Final = b"\x1b[!p\x1b[H\x1b[2J\x1b[3J"
SAVE_TITLE: Final = b"\x1b[22;0t"
RESTORE_TITLE: Final = b"\x1b[23;0t"
WHOLE: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
TAIL_BYTES: Final = 512
"""A control sequence that is longer is not waited for."""


class Extent(NamedTuple):
    """A terminal's size; pixels may be zero."""

    rows: int
    columns: int
    width_px: int
    height_px: int


def extent(fd: int) -> Extent:
    """The size of the terminal behind a descriptor; zeros where it has none."""
    try:
        return Extent(*struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))))
    except OSError:
        return Extent(0, 0, 0, 0)


def ends_inside(output: bytes) -> bool:
    """Whether output stops within a control sequence or a character: nothing may be written between then."""
    tail = output[-TAIL_BYTES:]
    rest = tail[tail.rfind(b"\x1b") :] if b"\x1b" in tail else b""
    if rest == b"\x1b\\" and tail.count(b"\x1b") > 1:
        rest = tail[tail.rfind(b"\x1b", 0, -2) :]
    if rest and not WHOLE.match(rest):
        return True
    last = re.search(rb"[\xc0-\xff][\x80-\xbf]*$", tail)
    if last is None:
        return False
    expected = 2 if last[0][0] < 0xE0 else 3 if last[0][0] < 0xF0 else 4
    return len(last[0]) < expected


def title(text: str) -> bytes:
    """The sequence that gives the window a title."""
    return b"\x1b]0;" + text.encode() + b"\x07"


class RawMode:
    """While the block runs the terminal hands on every key as it is."""

    def __init__(self, fd: int) -> None:
        """`fd` is a terminal."""
        self._fd = fd
        self._before = termios.tcgetattr(fd)

    def __enter__(self) -> Self:
        """Make it raw."""
        self.set()
        return self

    def set(self) -> None:
        """Make it raw, also again: a shell that was in the foreground has changed it."""
        tty.setraw(self._fd, termios.TCSANOW)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """As it was before; a terminal that is gone needs nothing."""
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        except termios.error:
            if os.isatty(self._fd):
                raise
