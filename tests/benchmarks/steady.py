"""A load that a busy server has all day: how old events are when they arrive, and how late the event loop is."""

from __future__ import annotations

import msgspec

from .harness import Bar, Bench, Figure
from .lab import receivers
from .plugin.service import Lag, Load
from .wire import BlockingClient

TITLE = "1,000 durable events of 100 bytes a second to 200 clients, for 10 s"
RATE = 1000
SECONDS = 10
CLIENTS = 200
SAMPLE_EVERY = 20


def run(bench: Bench) -> list[Figure]:
    """Measure ages at the receivers (every twentieth client notes them), and lags inside the server."""
    target = bench.lab.hub()
    ages: list[float] = []
    medians: list[float] = []
    lags: list[float] = []
    longest: list[float] = []
    collections: list[float] = []
    for number in range(bench.rounds):
        topic = f"bench/steady{number}"
        order = {"topic": topic, "events_each": RATE * SECONDS, "sample_every": SAMPLE_EVERY}
        with receivers(target, CLIENTS, **order) as crowd, BlockingClient(target) as client:
            client.call(1, "bench.lag_start")
            client.call(2, "bench.burst", msgspec.json.encode(Load(topic, RATE * SECONDS, rate=RATE)))
            reply = client.call(3, "bench.lag_stop")
            receipt = crowd.receipt()
        lag = msgspec.json.decode(reply, type=Lag)
        ages.append(receipt.ages_ms[990])
        medians.append(receipt.ages_ms[500])
        lags.append(lag.p99_ms)
        longest.append(lag.max_ms)
        collections.append(lag.gc_max_ms)
        bench.say(f"round {number + 1}: age {medians[-1]:.1f} ms, p99 {ages[-1]:.1f} ms; lag p99 {lag.p99_ms:.1f} ms")
    return [
        Figure("event loop's lag, p99", "ms", lags, bar=Bar("≤", 10)),
        Figure("event loop's lag, longest", "ms", longest),
        Figure("longest garbage collection", "ms", collections),
        Figure("age of events on arrival, p99", "ms", ages, bar=Bar("≤", 25)),
        Figure("age of events on arrival, p50", "ms", medians),
    ]
