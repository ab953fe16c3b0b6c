"""A large file, downloaded: how fast, what that costs the server, and how long a key in a terminal takes meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from .file_downloads import make_file
from .file_systems import OURS, TWIN, FileSystem, ours, stock, twin
from .file_upload import Found, Run
from .file_wire import PERIOD_BYTES
from .file_worker import Order, Receipt
from .harness import Bar, Bench, Figure, percentile
from .lab import worker
from .loads import BIG, BIG_BYTES
from .loads import TWIN as TWIN_LOAD
from .matrix import TARGET_MS, measure
from .processes import family_cpu_s, forget_peak, peak_bytes
from .terminal_systems import System

TITLE = "a file of 403 MB downloaded over loopback; every client takes the digest of what comes"
SIZE: Final = 24 * PERIOD_BYTES
NAME: Final = "download.bin"
FILES: Final = "/files/"


def fetch(system: FileSystem) -> Run:
    """Download once."""
    with worker("file_worker", Order("download", system, NAME, SIZE)) as client:
        forget_peak(system.pid)
        cpu_s = family_cpu_s(system.pid)
        client.go()
        receipt = client.answer(Receipt)
        cpu_s = family_cpu_s(system.pid) - cpu_s
    return Run(
        SIZE / receipt.seconds / 1e6, cpu_s / SIZE * 1e9, receipt.cpu_s / SIZE * 1e9, peak_bytes(system.pid) / 1e6
    )


def beside(system: FileSystem, kind: str) -> tuple[float, float]:
    """Milliseconds below which 99 % of the keys come back, in a terminal of the server and in a bare PTY meanwhile.

    Raises:
        RuntimeError: nothing was downloaded.
    """
    hub = system.dialect != "stock"
    path = "/ws/terminal/{}?rows=24&columns=80" if hub else "/terminals/websocket/{}"
    laps, loads = measure(System(system.port, system.pid, "binary" if hub else "json", path), [kind])
    if any(load.failure or not load.amount for load in loads):
        raise RuntimeError(f"it was not downloaded as it should: {loads}")
    return percentile(laps.echo, 99), percentile(laps.control or [0.0], 99)


class Echoes:
    """The 99th percentiles of all rounds."""

    def __init__(self, bench: Bench, contenders: Mapping[str, tuple[FileSystem, str]]) -> None:
        """Measure."""
        self.echo: dict[str, list[float]] = {name: [] for name in contenders}
        self.control: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(bench.rounds):
            for name, (system, kind) in contenders.items():
                echo, control = beside(system, kind)
                self.echo[name].append(echo)
                self.control[name].append(control)
            newest = ", ".join(f"{name} {values[-1]:.1f}" for name, values in self.echo.items())
            bench.say(f"round {number + 1}, echo's p99 in ms: {newest}")

    def figures(self, name: str, note: str) -> list[Figure]:
        """The rows of one of ours."""
        what, theirs, bar = "echo of a key meanwhile, p99", self.echo[FILES], Bar("≤", TARGET_MS)
        beside = Figure("the same in a bare PTY", "ms", self.control[name], note=note)
        return [Figure(what, "ms", self.echo[name], FILES, theirs, bar, note), beside]


def run(bench: Bench) -> list[Figure]:
    """First how fast it is, with nothing beside it, then the keys."""
    theirs, own = stock(bench.lab), ours(bench.lab)
    for system in (theirs, own):
        make_file(system.folder / NAME, SIZE)
        with (system.folder / BIG).open("wb") as file:
            file.truncate(BIG_BYTES)
    systems = {FILES: theirs, TWIN: twin(own), OURS: own}
    found = Found(bench, {name: partial(fetch, system) for name, system in systems.items()})
    loads = {FILES: (theirs, "download"), TWIN: (own, TWIN_LOAD), OURS: (own, "download")}
    echoes = Echoes(bench, loads)
    rows = []
    for name in (OURS, TWIN):
        rows += [found.speed(FILES, Bar("≥", 1, "ratio"), ours=name), *found.costs(FILES, name)]
        rows += echoes.figures(name, found.note(name))
    return rows
