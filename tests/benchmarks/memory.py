"""What an idle session costs: a thousand connections that said hello and nothing else."""

from __future__ import annotations

import time

from .harness import Bar, Bench, Figure, take_turns
from .lab import Lab, receivers, rss_bytes
from .wire import Target

TITLE = "memory of the server for 1,000 idle sessions, over that of a bare Tornado handler for 1,000 connections"
CLIENTS = 1000
SETTLE_S = 1.0
HOLD_S = 600.0
WARM_UP = 10


def grown_kb(pid: int, target: Target) -> float:
    """Resident kilobytes per connection; the first few are not counted, they bring in code."""
    with receivers(target, WARM_UP, hold_s=HOLD_S):
        time.sleep(SETTLE_S)
        before = rss_bytes(pid)
        with receivers(target, CLIENTS, hold_s=HOLD_S):
            time.sleep(SETTLE_S)
            return (rss_bytes(pid) - before) / CLIENTS / 1000


def run(bench: Bench) -> list[Figure]:
    """Measure; each round has fresh processes, for memory that was once taken is seldom given back."""
    number = iter(range(bench.rounds * 2))

    def hub() -> float:
        lab = Lab(bench.lab.folder / str(next(number)))
        try:
            target = lab.hub()
            return grown_kb(lab.hub_pid, target)
        finally:
            lab.close()

    def peer() -> float:
        lab = Lab(bench.lab.folder / str(next(number)))
        try:
            target = lab.peer("tornado", "/echo")
            return grown_kb(lab.peer_pid("tornado"), target)
        finally:
            lab.close()

    grown = take_turns(bench, {"hub": hub, "tornado": peer})
    bar = Bar("≤", 40, "difference")
    return [Figure("each", "kB", grown["hub"], "bare Tornado", grown["tornado"], bar)]
