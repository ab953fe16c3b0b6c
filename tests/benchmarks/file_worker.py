"""Moves files in a process of its own: `python -m tests.benchmarks.file_worker`.

Reads an `Order` from standard input, prepares, prints "ready", waits for a line, works, and prints a `Receipt`.
"""

from __future__ import annotations

import sys
import time
from typing import Literal, Protocol, TypeAlias

import msgspec

from .file_downloads import download
from .file_systems import FileSystem
from .file_trees import upload_tree
from .file_uploads import FRAMES, Shape, upload
from .file_wire import PERIOD_BYTES

Action: TypeAlias = Literal["upload", "download", "tree"]


class Order(msgspec.Struct, frozen=True):
    """What to do with which file of `size` bytes, or with a tree of so many files."""

    action: Action
    system: FileSystem
    name: str
    size: int
    shape: Shape = FRAMES
    zeros: bool = False
    """Whether a download brings nothing but zeros."""


class Receipt(msgspec.Struct, frozen=True):
    """How long it took, and how much CPU time of the client."""

    seconds: float
    cpu_s: float


class Job(Protocol):
    """Work that was prepared."""

    def run(self) -> None:
        """Do it."""
        ...


def prepare(order: Order) -> Job:
    """What an order wants."""
    if order.action == "download":
        period = bytes(PERIOD_BYTES) if order.zeros else b""
        return download(order.system, order.name, order.size, period)
    if order.action == "tree":
        return upload_tree(order.system, order.name, order.size)
    return upload(order.system, order.name, order.size, order.shape)


def main() -> None:
    """Do what was ordered."""
    job = prepare(msgspec.json.decode(sys.stdin.readline(), type=Order))
    print("ready", flush=True)
    sys.stdin.readline()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    job.run()
    receipt = Receipt(time.perf_counter() - began_s, time.process_time() - cpu_s)
    print(msgspec.json.encode(receipt).decode(), flush=True)


if __name__ == "__main__":
    main()
