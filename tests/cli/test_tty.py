"""The user's terminal: raw and back, its size, and where in its output a notice may stand."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from jupyter_ws_hub.cli.tty import CLEAR, RESET, Extent, RawMode, ends_inside, extent, title


@pytest.fixture
def tty_fd() -> Iterator[int]:
    keyboard, fd = pty.openpty()
    yield fd
    os.close(fd)
    os.close(keyboard)


def test_raw_mode_ends_also_by_an_exception(tty_fd: int) -> None:
    before = termios.tcgetattr(tty_fd)
    with pytest.raises(KeyboardInterrupt), RawMode(tty_fd) as raw:
        assert not termios.tcgetattr(tty_fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
        termios.tcsetattr(tty_fd, termios.TCSANOW, before)
        raw.set()
        assert not termios.tcgetattr(tty_fd)[3] & termios.ICANON
        raise KeyboardInterrupt
    assert termios.tcgetattr(tty_fd) == before


def test_a_terminal_that_is_gone_needs_nothing() -> None:
    keyboard, fd = pty.openpty()
    with RawMode(fd):
        os.close(fd)
        os.close(keyboard)


def test_the_size_is_told(tty_fd: int) -> None:
    termios.tcsetwinsize(tty_fd, (33, 101))
    assert extent(tty_fd) == Extent(33, 101, 0, 0)
    read, write = os.pipe()
    assert extent(read) == Extent(0, 0, 0, 0)
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"plain",
        "grün 🙂".encode(),
        b"\x1b[1;31mred",
        b"\x1b[0m",
        b"\x1b]0;a title\x07",
        b"\x1b]0;a title\x1b\\",
        b"\x1b7",
        b"\x1b(B",
        b"\x1b=",
        b"\x1bc",
        b"\xff\xfe, binary",
        b"x" * 1000 + b"\x1b[m",
        RESET,
        CLEAR,
        title("one"),
    ],
)
def test_a_notice_may_stand_after_whole_sequences(output: bytes) -> None:
    assert not ends_inside(output)


@pytest.mark.parametrize(
    "output",
    [
        b"\x1b",
        b"a\x1b[",
        b"\x1b[1;3",
        b"\x1b]0;half a",
        b"\x1b]0;half\x1b",
        b"\x1b(",
        b"\xc3",
        b"\xf0\x9f\x99",
        b"\x1bP1$r",
    ],
)
def test_but_not_within_one_or_within_a_character(output: bytes) -> None:
    assert ends_inside(output)
