"""A program that was started in a PTY is as one that `pty.fork` has started, and no descriptor leaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ws_hub.terminals.spawn import can_spawn, spawn

REPORT = """
import os, sys, fcntl, termios, struct
print(os.getpid() == os.getsid(0) == os.tcgetpgrp(0))
print(os.ttyname(0) == os.ttyname(1) == os.ttyname(2), os.isatty(os.open("/dev/tty", os.O_RDWR)))
print(struct.unpack("HH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(4))))
print(sys.argv[1:], os.getcwd(), os.environ.get("MINE"))
print(sorted(int(n) for n in os.listdir("/proc/self/fd") if int(n) > 3))
print(os.environ.get("terminal"))
"""


@pytest.fixture
def started() -> Iterator[list[tuple[int, int]]]:
    """What a test has started is ended by its id."""
    made: list[tuple[int, int]] = []
    yield made
    for pid, master in made:
        os.close(master)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def read_all(master: int) -> str:
    """All output, to the end."""
    output = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            return output.decode()
        output += piece


def test_the_program_has_its_terminal_session_size_arguments_and_nothing_of_ours(
    started: list[tuple[int, int]], tmp_path: Path
) -> None:
    ours = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(ours, True)
    env = {"MINE": "é; $x", "PATH": os.environ["PATH"]}
    started.append(spawn([sys.executable, "-c", REPORT, "a b", "$HOME", "'", "-x", ""], env, str(tmp_path)))
    os.close(ours)
    lines = read_all(started[0][1]).split("\r\n")
    assert lines[0] == "True" and lines[1] == "True True" and lines[2] == "(24, 80)"
    assert lines[3] == f"""{["a b", "$HOME", "'", "-x", ""]} {tmp_path} é; $x"""
    assert lines[4] == "[4]"  # what it has opened itself: /dev/tty; 3 is the listing's own
    assert lines[5] == "None"


def test_it_ignores_no_signals(started: list[tuple[int, int]]) -> None:
    """Python ignores SIGPIPE; a shell's pipes would never end."""
    started.append(spawn(["grep", "SigIgn", "/proc/self/status"], dict(os.environ), None))
    ignored = int(read_all(started[0][1]).split()[1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)


def test_what_is_not_there_is_an_error_and_leaks_nothing(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for argv, cwd in ((["no-such-program"], None), ([sys.executable], str(tmp_path / "nowhere"))):
        with pytest.raises(OSError, match=r"no-such-program|nowhere"):
            spawn(argv, dict(os.environ), cwd)
    assert os.listdir("/proc/self/fd") == before


def test_its_status_is_left_for_whoever_asks_for_it(started: list[tuple[int, int]]) -> None:
    pid, master = spawn(["/bin/sh", "-c", "exit 7"], dict(os.environ), None)
    read_all(master)
    subprocess.run(["true"], check=True)  # subprocess looks after what it has forgotten whenever it starts something
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(master)


def test_elsewhere_the_old_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_spawn() == (sys.platform == "linux")
    monkeypatch.setattr("sys.platform", "darwin")
    assert not can_spawn()
