"""A large file, uploaded over a long path. The path is a proxy (see far.py); a naive sink shows what it can carry."""

from __future__ import annotations

from functools import partial
from typing import Final

from .file_systems import SINK, STOCK, TUS, uploaders, without_tus
from .file_upload import Found, measure
from .file_uploads import FRAMES
from .file_wire import PERIOD_BYTES
from .harness import Bar, Bench, Figure

TITLE = "a file of 201 MB uploaded over a path with a round trip of 50 ms and a TCP window of 16 MiB"
SIZE: Final = 12 * PERIOD_BYTES
ROUND_TRIP_S: Final = 0.05


def run(bench: Bench) -> list[Figure]:
    """Everybody uploads the same file in turn, over a path of its own."""
    lab, systems = bench.lab, uploaders(bench.lab)
    contenders = {
        name: partial(measure, system, FRAMES, SIZE, lab.far(system.port, ROUND_TRIP_S))
        for name, system in systems.items()
    }
    found = Found(bench, contenders)
    rows = [found.speed(STOCK, Bar("≥", 10, "ratio"), without_tus(systems)), found.speed(SINK)]
    return [*rows, *([found.speed(TUS)] if TUS in systems else []), *found.costs(STOCK)]
