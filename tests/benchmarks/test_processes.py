"""What processes are said to take: children count, and a peak is not forgotten before it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .processes import family, family_cpu_s, family_rss_bytes, forget_peak, peak_bytes

MB = 1_000_000
CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=sys.stdin)
input()
"""
EATER = """
for _ in range(2):
    input()
    x = bytearray(50_000_000)
    del x
    print("eaten", flush=True)
input()
"""


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)
    try:
        yield process
    finally:
        for pid in family(process.pid) if process.poll() is None else []:
            os.kill(pid, 9)
        process.communicate()


def test_children_count() -> None:
    with running(CHILD) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the child says that it is there
        assert len(family(process.pid)) == 2
        assert family_rss_bytes(process.pid) > 8 * MB
        assert family_cpu_s(process.pid) > 0


def test_a_peak_is_that_since_it_was_forgotten() -> None:
    with running(EATER) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            forget_peak(process.pid)
            before = peak_bytes(process.pid)
            assert before < 40 * MB
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            assert peak_bytes(process.pid) - before > 40 * MB


def test_who_is_gone_takes_nothing() -> None:
    with running("pass") as process:
        process.wait(10)
    assert family_cpu_s(process.pid) == 0
    assert peak_bytes(process.pid) == 0
