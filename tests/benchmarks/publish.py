"""Publishing what must not be lost: acknowledged after the commit, many publishers at a time."""

from __future__ import annotations

from itertools import count

import msgspec

from .harness import Bar, Bench, Figure, take_turns
from .plugin.service import Load, Took
from .wire import BlockingClient

TITLE = "20,000 durable events of 100 bytes, each publisher awaiting its commit before its next"
EVENTS = 20_000
PUBLISHERS = 256


def run(bench: Bench) -> list[Figure]:
    """Measure rates: through the hub, without a subscriber, and straight into the log."""
    numbers, refs = count(1), count(1)
    with BlockingClient(bench.lab.hub()) as client:

        def rate(method: str, publishers: int, events: int = EVENTS) -> float:
            load = Load(f"bench/publish{next(numbers)}", events, publishers=publishers)
            reply = client.call(next(refs), method, msgspec.json.encode(load))
            took = msgspec.json.decode(reply, type=Took)
            return events / took.seconds

        rates = take_turns(
            bench,
            {
                "256 publishers": lambda: rate("bench.publish", PUBLISHERS),
                "2,000 publishers": lambda: rate("bench.publish", 2000),
                "one publisher": lambda: rate("bench.publish", 1, 1000),
                "256 straight into the log": lambda: rate("bench.append", PUBLISHERS),
            },
        )
    bars = {"256 publishers": Bar("≥", 20_000)}
    return [Figure(name, "/s", values, bar=bars.get(name)) for name, values in rates.items()]
