"""Many idle connections for a minute: none may be dropped, every ping is answered."""

from __future__ import annotations

import msgspec

from .harness import Bar, Bench, Figure
from .lab import receivers, rss_bytes
from .plugin.service import Lag
from .wire import BlockingClient

TITLE = "5,000 idle connections held for 60 s, with the default heartbeat and with one of 10 s"
CLIENTS = 5000
HOLD_S = 60.0


def run(bench: Bench) -> list[Figure]:
    """Hold them once for each heartbeat: this takes long, and the outcome is yes or no."""
    figures = []
    for interval_s in (25.0, 10.0):
        target = bench.lab.hub(heartbeat_interval_s=interval_s)
        with receivers(target, CLIENTS, hold_s=HOLD_S) as crowd:
            with BlockingClient(target) as client:
                client.call(1, "bench.lag_start")
            receipt = crowd.receipt()
            memory = rss_bytes(bench.lab.hub_pid) / 1e6
        with BlockingClient(target) as client:
            reply = client.call(1, "bench.lag_stop")
        lag = msgspec.json.decode(reply, type=Lag)
        note = f"heartbeat of {interval_s:g} s"
        pings = HOLD_S // interval_s - 1
        figures += [
            Figure("dropped", "", [receipt.dropped], bar=Bar("≤", 0), note=note),
            Figure("pings answered, the least by one", "", [receipt.fewest_pongs], bar=Bar("≥", pings), note=note),
            Figure("event loop's lag, p99", "ms", [lag.p99_ms], note=note),
            Figure("event loop's lag, longest", "ms", [lag.max_ms], note=note),
            Figure("longest garbage collection", "ms", [lag.gc_max_ms], note=note),
            Figure("memory of the server", "MB", [memory], note=note),
        ]
        bench.lab.close()
    return figures
