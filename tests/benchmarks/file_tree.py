"""A folder of many small files, uploaded: how many in a second. Others send a part of them, which is said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from .file_systems import OURS, STOCK, TUS, FileSystem, ours, stock, tus, without_tus
from .file_trees import FILE_BYTES, FOLDER_FILES, small_files
from .file_worker import Order, Receipt
from .harness import Bar, Bench, Figure, take_turns
from .lab import worker
from .processes import family_cpu_s

TITLE = f"a folder of 10,000 files of {FILE_BYTES} bytes, {FOLDER_FILES} in each folder of it, uploaded over loopback"
COUNT: Final = 10_000
SAMPLE: Final = 500
"""How many files go the ways that take long; their figures are for one file."""
NAME: Final = "tree"


class Cost(NamedTuple):
    """What a file of a tree took."""

    files_per_s: float
    server_ms: float
    """Of the server's CPU."""


def compare(system: FileSystem, count: int) -> None:
    """Look whether all has come, and remove it.

    Raises:
        RuntimeError: something is not there, or not what was sent.
    """
    if system.dialect == "tus":  # it gives the files names of its own
        came = [path for path in system.folder.iterdir() if path.suffix != ".json"]
        wrong = {path.read_bytes() for path in came} != {bytes(file.data) for file in small_files(count)}
    else:
        tree = system.folder / NAME
        came = [path for path in tree.rglob("*") if path.is_file()]
        wrong = any((tree / file.folder / file.name).read_bytes() != file.data for file in small_files(count))
    if wrong or len(came) != count:
        raise RuntimeError(f"of {count} files {len(came)} came{', and some are wrong' if wrong else ''}")
    for path in system.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def measure(system: FileSystem, count: int) -> Cost:
    """Upload a tree of so many files once."""
    os.sync()  # what others have left to be written is not to be written now
    with worker("file_worker", Order("tree", system, NAME, count)) as client:
        cpu_s = family_cpu_s(system.pid)
        client.go()
        receipt = client.answer(Receipt)
        cpu_s = family_cpu_s(system.pid) - cpu_s
    compare(system, count)
    return Cost(count / receipt.seconds, 1000 * cpu_s / count)


def run(bench: Bench) -> list[Figure]:
    """Everybody uploads in turn."""
    systems = {STOCK: stock(bench.lab), TUS: tus(bench.lab), OURS: ours(bench.lab)}
    known = {name: system for name, system in systems.items() if system is not None}
    cpu: dict[str, list[float]] = {name: [] for name in known}

    def turn(name: str, system: FileSystem) -> float:
        cost = measure(system, COUNT if name == OURS else SAMPLE)
        cpu[name].append(cost.server_ms)
        return cost.files_per_s

    turns: dict[str, Callable[[], float]] = {name: partial(turn, name, system) for name, system in known.items()}
    rates = take_turns(bench, turns)
    note = f"{STOCK} sent {SAMPLE:,} of them: GET of the shown directory and PUT for each, POST and PATCH for a folder"
    rows = [
        Figure("speed", "files/s", rates[OURS], STOCK, rates[STOCK], Bar("≥", 10, "ratio"), note),
        Figure("server's CPU for a file", "ms", cpu[OURS], STOCK, cpu[STOCK], note=without_tus(known)),
    ]
    if TUS in known:
        note = f"tus sent {SAMPLE:,} of them: POST and PATCH for each"
        rows.append(Figure("speed", "files/s", rates[OURS], TUS, rates[TUS], note=note))
        rows.append(Figure("server's CPU for a file", "ms", cpu[OURS], TUS, cpu[TUS]))
    return rows
