"""What a benchmark is made of: contenders that take turns, figures, targets and verdicts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from .lab import Lab


class Bar(msgspec.Struct, frozen=True):
    """What must be reached: at least or at most so much, of the unit or times the peer's figure."""

    sign: Literal["≥", "≤"]
    limit: float
    of: Literal["value", "ratio", "difference"] = "value"


class Figure(msgspec.Struct, frozen=True):
    """A row of the table: our figure in each round, and a peer's in the same rounds."""

    what: str
    unit: str
    ours: Sequence[float]
    peer: str = ""
    theirs: Sequence[float] = ()
    bar: Bar | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """The median of ours."""
        return statistics.median(self.ours)

    @property
    def compared(self) -> float | None:
        """What the bar is about: our median, or its ratio to or difference from the peer's; None without a bar."""
        if self.bar is None or self.bar.of == "value":
            return None if self.bar is None else self.value
        return self.ratio if self.bar.of == "ratio" else self.value - statistics.median(self.theirs)

    @property
    def ratio(self) -> float | None:
        """Our median over the peer's; infinite where the peer's is zero."""
        if not self.theirs:
            return None
        theirs = statistics.median(self.theirs)
        return self.value / theirs if theirs else math.inf

    @property
    def verdict(self) -> Literal["reached", "missed", ""]:
        """Whether the bar was reached; empty without a bar."""
        compared = self.compared
        if self.bar is None or compared is None:
            return ""
        fine = compared >= self.bar.limit if self.bar.sign == "≥" else compared <= self.bar.limit
        return "reached" if fine else "missed"


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given."""

    lab: Lab
    rounds: int
    say: Callable[[str], None]
    """Tell of progress."""


class Benchmark(Protocol):
    """A module of this package with these two."""

    TITLE: str

    def run(self, bench: Bench) -> list[Figure]:
        """Measure."""
        ...


def take_turns(bench: Bench, contenders: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each contender once a round, in turn, so that what disturbs the machine disturbs all alike."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(bench.rounds):
        for name, measure in contenders.items():
            figures[name].append(measure())
        newest = ", ".join(f"{name} {values[-1]:,.4g}" for name, values in figures.items())
        bench.say(f"round {number + 1}: {newest}")
    return figures


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
