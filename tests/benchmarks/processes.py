"""What a process and those that it has started take: CPU time and memory."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

from .lab import cpu_s, rss_bytes

FORGET_PEAK: Final = "5"
"""Written to `clear_refs` it sets the peak of a process's memory back to what it has now."""


def family(pid: int) -> list[int]:
    """A process and its descendants that live."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def family_cpu_s(pid: int) -> float:
    """The CPU time that a process and its living descendants have had."""
    total_s = 0.0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total_s += cpu_s(member)
    return total_s


def family_rss_bytes(pid: int) -> int:
    """The resident memory of a process and its descendants; what they share is counted for each."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += rss_bytes(member)
    return total


def forget_peak(pid: int) -> None:
    """From now on `peak_bytes` tells of what comes."""
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            Path(f"/proc/{member}/clear_refs").write_text(FORGET_PEAK)


def peak_bytes(pid: int) -> int:
    """The most resident memory that a process has had since `forget_peak`, and its descendants, each for itself."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{member}/status").read_text())
            total += int(found[1]) * 1024 if found else 0
    return total
