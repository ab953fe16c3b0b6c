"""A large file shown in a terminal: how fast it comes, and what that costs the server."""

from __future__ import annotations

import base64
import random
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from .harness import Bar, Bench, Figure, take_turns
from .lab import cpu_s, worker
from .terminal_crowd import END, Order, Receipt
from .terminal_systems import OURS, OURS_JSON, STOCK, TTYD, System, all_systems, without_ttyd

TITLE = "`cat` of 64 MB in a terminal: lines of ASCII (also in raw mode), base64, and lines full of colour sequences"
FILE_BYTES: Final = 64_000_000
PIECE_LINES: Final = 2000
QUIET_S: Final = 0.3
"""Between the last byte of the file and END, so that END comes alone."""


def ascii_line(dice: random.Random) -> bytes:
    """As a log has them."""
    return bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz      0123456789", k=dice.randint(20, 120))) + b"\n"


def base64_line(dice: random.Random) -> bytes:
    """As a dump has them."""
    return base64.b64encode(dice.randbytes(57)) + b"\n"


def colour_line(dice: random.Random) -> bytes:
    """As a coloured listing has them: every word in a colour of its own."""
    return b" ".join(b"\x1b[38;5;%dm%s\x1b[0m" % (dice.randrange(256), b"word") for _ in range(10)) + b"\n"


class Kind(NamedTuple):
    """What is shown, and in which mode."""

    line: Callable[[random.Random], bytes]
    raw: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "ASCII": Kind(ascii_line),
    "base64": Kind(base64_line),
    "colours": Kind(colour_line),
    "ASCII in raw mode": Kind(ascii_line, raw=True),
}


def make_file(path: Path, line: Callable[[random.Random], bytes], size: int) -> int:
    """Write a file of exactly `size` bytes: some thousand lines, again and again. Gives the number of lines."""
    dice = random.Random(1)
    piece = b"".join(line(dice) for _ in range(PIECE_LINES))
    text = (piece * (size // len(piece) + 1))[:size]
    path.write_bytes(text)
    return text.count(b"\n")


class Trial(NamedTuple):
    """A file in a terminal."""

    file: Path
    raw: bool
    output_bytes: int
    """How many the terminal makes of the file."""

    def measure(self, system: System) -> tuple[float, float, float]:
        """MB/s of output at the client, milliseconds of the server's CPU for a MB, and the number of frames.

        Raises:
            RuntimeError: not all came.
        """
        program = f"cat {self.file}; sleep {QUIET_S}; printf {END.decode()}; sleep 60"
        with worker("terminal_crowd", Order([system.new()], program, self.raw)) as crowd:
            cpu = cpu_s(system.pid)
            crowd.go()
            receipt = crowd.answer(Receipt)
            cpu = cpu_s(system.pid) - cpu
        came, size = receipt.output_bytes[0], self.output_bytes
        # In JSON the output is escaped, so there is more of it.
        if receipt.timed_out or (came < size if system.dialect == "json" else came != size + len(END)):
            raise RuntimeError(f"of {size} bytes and {len(END)} came {came}")
        return size / receipt.seconds / 1e6, cpu / size * 1e9, receipt.frames


class Found:
    """What was measured with one file, by system."""

    def __init__(self, bench: Bench, systems: Mapping[str, System], trial: Trial) -> None:
        """Measure."""
        self.costs: dict[str, list[float]] = {name: [] for name in systems}
        self.frames: dict[str, list[float]] = {name: [] for name in systems}
        turns = {name: partial(self._turn, trial, name, system) for name, system in systems.items()}
        self.rates = take_turns(bench, turns)

    def _turn(self, trial: Trial, name: str, system: System) -> float:
        rate, cost, frames = trial.measure(system)
        self.costs[name].append(cost)
        self.frames[name].append(frames)
        return rate

    def figures(self, kind: str, without: str) -> list[Figure]:
        """The rows."""
        rates, costs, frames = self.rates, self.costs, self.frames
        note = f"{kind}; {without}" if without else kind
        rows = [Figure("speed", "MB/s", rates[OURS], STOCK, rates[STOCK], Bar("≥", 1.4, "ratio"), note)]
        if TTYD in rates:
            rows.append(Figure("speed", "MB/s", rates[OURS], TTYD, rates[TTYD], Bar("≥", 0.95, "ratio"), kind))
            rows.append(Figure("server's CPU", "ms/MB", costs[OURS], TTYD, costs[TTYD], note=kind))
        return [
            *rows,
            Figure("server's CPU", "ms/MB", costs[OURS], STOCK, costs[STOCK], Bar("≤", 0.5, "ratio"), kind),
            Figure("frames", "", frames[OURS], STOCK, frames[STOCK], note=kind),
            Figure("speed over our JSON", "MB/s", rates[OURS_JSON], STOCK, rates[STOCK], note=kind),
            Figure("server's CPU over our JSON", "ms/MB", costs[OURS_JSON], STOCK, costs[STOCK], note=kind),
        ]


def run(bench: Bench) -> list[Figure]:
    """Measure with each kind of file."""
    systems = all_systems(bench.lab)
    rows: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        file = Path(folder) / "file"
        for name, kind in KINDS.items():
            lines = make_file(file, kind.line, FILE_BYTES)
            bench.say(f"{name}, MB/s")
            trial = Trial(file, kind.raw, FILE_BYTES + (0 if kind.raw else lines))
            rows += Found(bench, systems, trial).figures(name, without_ttyd(systems))
    return rows
