"""Terminals in which nothing happens: what they cost the server."""

from __future__ import annotations

import time
from typing import Final

from .harness import Bar, Bench, Figure
from .lab import cpu_s, rss_bytes, worker
from .terminal_crowd import Order, Receipt
from .terminal_systems import System, ours, stock

TITLE = "200 terminals, each with a shell and a client, in which nothing happens for 20 s"
TERMINALS: Final = 200
SECONDS: Final = 20.0
SETTLE_S: Final = 3.0


def measure(system: System) -> tuple[float, float]:
    """Per cent of a core that the server takes, and kilobytes that each terminal has added to it."""
    before = rss_bytes(system.pid)
    endpoints = [system.new() for _ in range(TERMINALS)]
    with worker("terminal_crowd", Order(endpoints, seconds=SECONDS)) as crowd:
        time.sleep(SETTLE_S)
        grown = (rss_bytes(system.pid) - before) / TERMINALS / 1000
        cpu, began_s = cpu_s(system.pid), time.monotonic()
        crowd.go()
        receipt = crowd.answer(Receipt)
        percent = 100 * (cpu_s(system.pid) - cpu) / (time.monotonic() - began_s)
    if receipt.ended:
        raise RuntimeError(f"{receipt.ended} terminals were closed")
    return percent, grown


def run(bench: Bench) -> list[Figure]:
    """Measure once on fresh servers: it takes long, and memory that was once taken is seldom given back."""
    theirs = measure(stock(bench.lab))
    bench.lab.close()
    own = measure(ours(bench.lab))
    bench.say(f"ours {own[0]:.2f} % and {own[1]:.0f} kB, stock {theirs[0]:.2f} % and {theirs[1]:.0f} kB")
    return [
        Figure("server's CPU", "%", [own[0]], "stock", [theirs[0]], Bar("≤", 1)),
        Figure("server's memory for each", "kB", [own[1]], "stock", [theirs[1]]),
    ]
