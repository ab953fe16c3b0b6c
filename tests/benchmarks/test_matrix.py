"""The probe of the matrix: a server that stands still must be seen in the 99th percentile too."""

from __future__ import annotations

import time
from typing import cast

import pytest

from . import matrix
from .harness import percentile
from .loads import HUB, Done
from .terminal_client import TerminalClient


class StandsStill:
    """A terminal that answers at once, but may wait once."""

    def __init__(self, waits: bool) -> None:
        self.key = b""
        self.waits = waits

    def type(self, data: bytes) -> None:
        self.key = data

    def see(self, timeout_s: float = 1.0) -> bytes:
        if self.waits:
            time.sleep(0.2)
        self.waits = False
        return self.key

    def settle(self) -> None: ...


def test_keys_that_could_not_be_typed_in_time_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "PAUSE_S", (0.001, 0.001))
    laps, control = matrix.probe(cast(TerminalClient, StandsStill(True)), StandsStill(False), 0.4)
    # Half of the time it stood still: half of the keys waited, from all of it to none.
    assert 40 <= percentile(laps, 75) <= 160
    assert max(laps) >= 190
    assert 0 < len(control) < len(laps)


def test_a_cell_tells_what_the_load_has_done() -> None:
    cell = matrix.Cell()
    cell.add(matrix.Laps([1, 2], [3]), [Done(5, "MB"), Done(0, "listings", "RuntimeError: no")])
    assert cell.percentiles == {50: [2], 99: [2], 100: [2]}
    assert cell.control == [3]
    assert cell.note("beside") == "beside 5 MB, 0 listings, RuntimeError: no"


def test_every_cell_has_a_target_and_only_loads_that_there_are() -> None:
    own, theirs = matrix.Cell(), matrix.Cell()
    own.add(matrix.Laps([20], []), [])
    for name, kinds in matrix.CELLS.items():
        assert matrix.figures(name, own, theirs)[0].verdict == "missed"
        assert set(kinds) <= set(HUB)


def test_a_load_that_failed_is_told() -> None:
    cell = matrix.Cell()
    cell.add(matrix.Laps([1], [1]), [Done(0, "MB up", "busy: no")])
    assert "busy: no" in cell.note("beside")
