"""Starts a program in a new PTY without copying the server's memory.

`pty.fork` copies the page tables of the whole server, and everything stands still meanwhile: 5 to 20 ms. Python's
`subprocess` uses vfork; a shell then opens the PTY, which makes it the controlling terminal, and becomes the program.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from shutil import which
from typing import Final

SHELL: Final = "/bin/sh"
BECOME: Final = 'terminal=$0; exec "$@" <"$terminal" >"$terminal" 2>&1'
"""A session's leader that opens a terminal without O_NOCTTY gets it as its own (Linux: tty_open, termios(3))."""

ROWS, COLUMNS = 24, 80


def can_spawn() -> bool:
    """Whether this system works as described above; elsewhere `PtyProcess.spawn` has to do."""
    return sys.platform == "linux" and os.access(SHELL, os.X_OK)


def spawn(argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> tuple[int, int]:
    """Start a program as the leader of a session on a new PTY; its process id, and the PTY's master descriptor.

    Raises:
        OSError: the program or the directory is not there, or there are no more PTYs or processes.
    """
    program = which(argv[0], path=env.get("PATH"))
    if program is None:
        raise FileNotFoundError(f"The command was not found or was not executable: {argv[0]}.")
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            [SHELL, "-c", BECOME, os.ttyname(slave), program, *argv[1:]],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    process.returncode = 0  # whoever holds the process id takes its status: subprocess must not
    return process.pid, master
