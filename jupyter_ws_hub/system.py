"""What parts of this package need of the operating system and not every one has: asked for by what it is, not by names.

Linux and macOS have it all. On Windows what is named here is missing, and everything else works.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

STREAMS_REST_ON: Final = "directories that are held open, pread and pwritev"
STREAMS_LACK: Final = f"This server's system lacks what transfers over streams rest on: {STREAMS_REST_ON}."
_CALLS: Final = "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK fchmod pread preadv pwrite pwritev statvfs".split()


def has_descriptors() -> bool:
    """Whether directories can be held open and files be read and written at an offset: listings and streams do so."""
    return all(hasattr(os, call) for call in _CALLS) and os.open in os.supports_dir_fd and os.scandir in os.supports_fd


def has_terminals() -> bool:
    """Whether there are POSIX terminals."""
    try:
        import termios
    except ImportError:
        return False
    return hasattr(termios, "tcgetattr")


def can_start_processes() -> bool:
    """Whether the running event loop can: the one that Jupyter chooses on Windows cannot."""
    return os.name != "nt" or not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
