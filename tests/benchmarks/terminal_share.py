"""Many terminals flood at once: whether each gets its share, and what the server holds meanwhile."""

from __future__ import annotations

from typing import Final

from .harness import Bar, Bench, Figure
from .lab import rss_bytes, worker
from .terminal_crowd import Order, Receipt
from .terminal_systems import System, ours, stock

TITLE = "50 terminals run `yes` (raw) for 5 s, each with a client that takes all"
TERMINALS: Final = 50
SECONDS: Final = 5.0


def measure(system: System) -> tuple[float, float, float]:
    """The greatest share over the least, MB/s of all, and MB that the server holds at the end."""
    endpoints = [system.new() for _ in range(TERMINALS)]
    with worker("terminal_crowd", Order(endpoints, "exec yes ws-hub", seconds=SECONDS)) as crowd:
        crowd.go()
        receipt = crowd.answer(Receipt)
        memory = rss_bytes(system.pid) / 1e6
    shares = receipt.output_bytes
    return max(shares) / max(1, min(shares)), sum(shares) / SECONDS / 1e6, memory


def run(bench: Bench) -> list[Figure]:
    """Measure each round with fresh servers, for the terminals of the last one still flood."""
    own, theirs = [], []
    for number in range(bench.rounds):
        theirs.append(measure(stock(bench.lab)))
        bench.lab.close()
        own.append(measure(ours(bench.lab)))
        bench.lab.close()
        bench.say(f"round {number + 1}: greatest over least share {own[-1][0]:.2f}, stock {theirs[-1][0]:.2f}")
    shares, rates, memory = zip(*own, strict=True)
    stock_shares, stock_rates, stock_memory = zip(*theirs, strict=True)
    return [
        Figure("greatest over least share", "", shares, "stock", stock_shares, Bar("≤", 2)),
        Figure("all together", "MB/s", rates, "stock (escaped in JSON)", stock_rates),
        Figure("server's memory", "MB", memory, "stock", stock_memory),
    ]
