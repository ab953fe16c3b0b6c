"""A large file, uploaded to the disk: how fast, and what that costs the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from .file_downloads import pieces
from .file_systems import OURS, SINK, STOCK, TUS, FileSystem, uploaders, without_tus
from .file_uploads import FRAMES, LARGE, Shape
from .file_wire import PERIOD_BYTES
from .file_worker import Order, Receipt
from .harness import Bar, Bench, Figure, take_turns
from .lab import worker
from .processes import family_cpu_s, forget_peak, peak_bytes

TITLE = "a file of 403 MB uploaded over loopback to the disk; ours with digests, published atomically, and synced"
SIZE: Final = 24 * PERIOD_BYTES
NAME: Final = "upload.bin"
OURS_LARGE: Final = "ours, messages of 1 MiB in Chromium's fragments"


class Run(NamedTuple):
    """What an upload took."""

    mb_per_s: float
    server_s_per_gb: float
    client_s_per_gb: float
    peak_mb: float
    """Of the server's memory."""


def arrived(folder: Path, size: int) -> Path:
    """The one file that has come, whatever it is called (tus gives it a name of its own).

    Raises:
        RuntimeError: it is not what was sent.
    """
    (file,) = [path for path in folder.iterdir() if path.stat().st_size == size]
    with file.open("rb") as data:
        if any(data.read(len(piece)) != piece for piece in pieces(size)):
            raise RuntimeError("what arrived is not what was sent")
    return file


def measure(system: FileSystem, shape: Shape, size: int = SIZE, port: int = 0) -> Run:
    """Upload once, to another port if one is given, and compare what has come; nothing is left on the disk."""
    os.sync()  # what others have left to be written is not to be written now
    with worker("file_worker", Order("upload", system.at(port or system.port), NAME, size, shape)) as client:
        forget_peak(system.pid)
        cpu_s = family_cpu_s(system.pid)
        client.go()
        receipt = client.answer(Receipt)
        cpu_s = family_cpu_s(system.pid) - cpu_s
    peak_mb = peak_bytes(system.pid) / 1e6
    arrived(system.folder, size).unlink()
    return Run(size / receipt.seconds / 1e6, cpu_s / size * 1e9, receipt.cpu_s / size * 1e9, peak_mb)


class Found:
    """What was measured with contenders that took turns."""

    def __init__(self, bench: Bench, contenders: Mapping[str, Callable[[], Run]]) -> None:
        """Measure."""
        self.runs: dict[str, list[Run]] = {name: [] for name in contenders}
        turns = {name: partial(self._turn, name, measure) for name, measure in contenders.items()}
        self.rates = take_turns(bench, turns)

    def _turn(self, name: str, measure: Callable[[], Run]) -> float:
        run = measure()
        self.runs[name].append(run)
        return run.mb_per_s

    @staticmethod
    def note(ours: str) -> str:
        """Which of ours, where it is not the usual one."""
        return "" if ours == OURS else ours.removeprefix(f"{OURS}, ")

    def speed(self, peer: str, bar: Bar | None = None, note: str = "", ours: str = OURS) -> Figure:
        """The row of the speed beside a peer's; of another one of our shapes, that is noted."""
        note = "; ".join(text for text in (self.note(ours), note) if text)
        return Figure("speed", "MB/s", self.rates[ours], peer, self.rates[peer], bar, note)

    def costs(self, peer: str, ours: str = OURS) -> list[Figure]:
        """The rows of CPU and memory beside a peer's."""
        own, theirs = self.runs[ours], self.runs[peer]
        note = self.note(ours)

        def row(what: str, unit: str, of: Callable[[Run], float]) -> Figure:
            return Figure(what, unit, [of(run) for run in own], peer, [of(run) for run in theirs], note=note)

        return [
            row("server's CPU", "s/GB", lambda run: run.server_s_per_gb),
            row("client's CPU", "s/GB", lambda run: run.client_s_per_gb),
            row("server's memory, peak", "MB", lambda run: run.peak_mb),
        ]


def run(bench: Bench) -> list[Figure]:
    """Everybody uploads the same file in turn."""
    systems = uploaders(bench.lab)
    contenders = {name: partial(measure, system, FRAMES) for name, system in systems.items()}
    contenders[OURS_LARGE] = partial(measure, systems[OURS], LARGE)
    found = Found(bench, contenders)
    rows = [found.speed(STOCK, Bar("≥", 7, "ratio"), without_tus(systems))]
    if TUS in systems:
        rows.append(found.speed(TUS, Bar("≥", 1, "ratio")))
    rows += [found.speed(SINK), found.speed(STOCK, Bar("≥", 7, "ratio"), ours=OURS_LARGE)]
    if TUS in systems:
        rows += [found.speed(TUS, ours=OURS_LARGE), *found.costs(TUS)]
    return [*rows, *found.costs(STOCK), *found.costs(SINK), *found.costs(STOCK, OURS_LARGE)]
