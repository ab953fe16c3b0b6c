"""The independence matrix: how long a key in a terminal takes while the server does something else as well.

The probe runs here; loads run in processes of their own, and with lowered priority, as do the programs they start: on
few cores it is then the server that makes a key wait, and not what loads it. As a control every other key goes to a
bare PTY: what that waits is the machine's doing.
"""

from __future__ import annotations

import random
import secrets
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from .harness import Bar, Bench, Figure, percentile
from .lab import Lab, worker
from .loads import BIG, BIG_BYTES, MANY, MANY_FILES, STOCK, Done
from .terminal_client import BarePty, TerminalClient, Typist
from .terminal_echo import LETTERS, press
from .terminal_loads import Order
from .terminal_systems import System, ours, stock

TITLE = "echo of a key in a terminal while, for 8 s each in turn and all together, other things go on"
CELL_S: Final = 8.0
LEAD_S: Final = 1.0
"""How long loads run before the first key."""
PAUSE_S: Final = (0.005, 0.015)
ANSWER_S: Final = 12.0
TARGET_MS: Final = 10.0
CELLS: Final[Mapping[str, Sequence[str]]] = {
    "nothing": (),
    "another terminal floods": ("flood",),
    "another terminal holds an unread paste of 1 MB": ("paste",),
    "terminals are opened and exit": ("exits",),
    "200 clients get 1,000 events/s": ("events",),
    "1 GB goes up": ("upload",),
    "1 GB goes down": ("download",),
    "a directory of 100,000 files is listed": ("listing",),
    "all but files": ("flood", "paste", "exits", "events"),
    "all together": ("flood", "upload", "download", "listing", "events", "paste", "exits"),
}


class Laps(NamedTuple):
    """Milliseconds from keys to their echoes."""

    echo: list[float]
    control: list[float]
    """The same keys in a bare PTY, in between."""


def probe(client: TerminalClient, control: Typist, seconds: float) -> Laps:
    """Type keys at times that were set before.

    A key that could not be typed in time, because the one before had not come back, counts from when it was due: else
    a server that stands still for seconds would spoil one key of hundreds.
    """
    laps = Laps([], [])
    due_s = time.perf_counter()
    until_s = due_s + seconds
    number = 0
    while (due_s := due_s + random.uniform(*PAUSE_S)) < until_s:
        if due_s - time.perf_counter() > PAUSE_S[0] / 2:
            time.sleep(PAUSE_S[0] / 2)
            laps.control.append(press(control, LETTERS[0]))
        began_s = due_s
        if (early_s := due_s - time.perf_counter()) > 0:
            time.sleep(early_s)
            began_s = time.perf_counter()
        key = LETTERS[number % len(LETTERS)]
        number += 1
        client.type(key)
        try:
            seen = client.see(ANSWER_S)
        except TimeoutError:
            until_s = 0.0
            seen = key
        laps.echo.append(1000 * (time.perf_counter() - began_s))
        if seen != key:
            raise RuntimeError(f"typed {key!r}, saw {seen!r}")
        client.settle()
    return laps


def measure(system: System, kinds: Sequence[str]) -> tuple[Laps, list[Done]]:
    """The echo's times beside these loads, and what the loads have done."""
    with ExitStack() as stack:
        client = stack.enter_context(TerminalClient(system.new()))
        client.run("cat")
        control = stack.enter_context(BarePty("cat"))
        orders = [Order(kind, system, LEAD_S + CELL_S + 0.5) for kind in kinds]
        loads = [stack.enter_context(worker("loads", order)) for order in orders]
        for load in loads:
            load.go()
        time.sleep(LEAD_S)
        laps = probe(client, control, CELL_S)
        return laps, [load.answer(Done) for load in loads]


def furnish(root: Path, kinds: Sequence[str]) -> None:
    """Put what these loads need where the server shows it: a large file (without blocks on the disk), many small."""
    if "download" in kinds:
        with (root / BIG).open("wb") as file:
            file.truncate(BIG_BYTES)
    if "listing" in kinds:
        (root / MANY).mkdir()
        for number in range(MANY_FILES):
            (root / MANY / f"file{number:06}.txt").touch()


class Cell:
    """What was measured beside one mixture of loads, in all rounds."""

    def __init__(self) -> None:
        """Nothing."""
        self.percentiles: dict[float, list[float]] = {50: [], 99: [], 100: []}
        self.control: list[float] = []
        """The 99th percentile of the control."""
        self.done: dict[str, list[float]] = defaultdict(list)
        self.failures: set[str] = set()

    def add(self, laps: Laps, loads: Sequence[Done]) -> None:
        """Keep a round."""
        for percent, values in self.percentiles.items():
            values.append(percentile(laps.echo, percent))
        self.control.append(percentile(laps.control or [0.0], 99))
        for load in loads:
            self.done[load.unit].append(load.amount)
            self.failures |= {load.failure} - {""}

    def note(self, whose: str) -> str:
        """How much the loads did, and how they failed."""
        loads = [f"{statistics.median(amounts):,.0f} {unit}" for unit, amounts in self.done.items()]
        return f"{whose} {', '.join([*loads, *sorted(self.failures)])}" if loads else ""


def run(bench: Bench) -> list[Figure]:
    """A cell is measured with both servers, one right after the other; each cell has fresh ones."""
    own = {name: Cell() for name in CELLS}
    theirs = {name: Cell() for name in CELLS}
    for number in range(bench.rounds):
        for name, kinds in CELLS.items():
            own[name].add(*_fresh(bench, ours, kinds))
            known = [kind for kind in kinds if kind in STOCK]
            if known or not kinds:
                theirs[name].add(*_fresh(bench, stock, known))
            bench.say(f"round {number + 1}, {name}: p99 / worst in ms {_tail(own[name])}, stock {_tail(theirs[name])}")
    return [figure for name in CELLS for figure in figures(name, own[name], theirs[name])]


def _fresh(bench: Bench, start: Callable[[Lab], System], kinds: Sequence[str]) -> tuple[Laps, list[Done]]:
    """Measure with a server that was just started: one that stands still may do so for good."""
    lab = Lab(bench.lab.folder / secrets.token_hex(4))
    try:
        system = start(lab)
        furnish(lab.root, kinds)
        return measure(system, kinds)
    finally:
        lab.close()
        shutil.rmtree(lab.folder)


def _tail(cell: Cell) -> str:
    values = cell.percentiles
    return f"{values[99][-1]:.1f} / {values[100][-1]:.1f} (control {cell.control[-1]:.1f})" if values[99] else "-"


def figures(name: str, own: Cell, theirs: Cell) -> list[Figure]:
    """The rows of a cell; what cannot be had from stock Jupyter is left out there."""
    note = "; ".join(note for note in (own.note("beside"), theirs.note("stock beside")) if note)

    def row(what: str, percent: float, bar: Bar | None = None, note: str = "") -> Figure:
        values = theirs.percentiles[percent]
        return Figure(f"{name}: {what}", "ms", own.percentiles[percent], "stock" if values else "", values, bar, note)

    beside = Figure(f"{name}: p99 of a bare PTY at the same time", "ms", own.control)
    return [row("p99", 99, Bar("≤", TARGET_MS), note), row("worst", 100), row("p50", 50), beside]
