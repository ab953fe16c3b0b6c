"""A burst of events to many clients: how many deliveries a second."""

from __future__ import annotations

import time
from itertools import count

import msgspec

from .harness import Bar, Bench, Figure, take_turns
from .lab import cpu_s, receivers
from .plugin.service import Load
from .wire import BlockingClient, Target, hub_frame, request, text_frame

TITLE = "500 durable events of 100 bytes in a burst to 200 clients, up to the last delivery"
EVENTS = 500
CLIENTS = 200
EVENT_BYTES = 100


def measure(target: Target, trigger: BlockingClient, frame: bytes, pid: int, topic: str = "") -> tuple[float, float]:
    """Deliveries per second, and microseconds of the server's CPU for each."""
    with receivers(target, CLIENTS, topic=topic, events_each=EVENTS) as crowd:
        cpu, began = cpu_s(pid), time.monotonic_ns()
        trigger.send(frame)
        receipt = crowd.receipt()
        cpu = cpu_s(pid) - cpu
    if receipt.events != EVENTS * CLIENTS or receipt.fewest != EVENTS:
        raise RuntimeError(f"{receipt.events} events came, the fewest for one client {receipt.fewest}")
    return receipt.events / (receipt.last_ns - began) * 1e9, cpu / receipt.events * 1e6


def run(bench: Bench) -> list[Figure]:
    """Measure deliveries per second; the peers keep no log and give no positions."""
    lab, topics = bench.lab, count(1)
    target, naive, other = lab.hub(), lab.peer("tornado", "/fan"), lab.peer("websockets", "/fan")
    costs: dict[str, list[float]] = {"hub": [], "tornado": [], "websockets": []}

    def hub() -> float:
        topic = f"bench/fanout{next(topics)}"
        params = msgspec.json.encode(Load(topic, EVENTS, EVENT_BYTES))
        with BlockingClient(target) as trigger:
            frame = hub_frame([request(1, "bench.burst", params)])
            rate, cost = measure(target, trigger, frame, lab.hub_pid, topic)
        costs["hub"].append(cost)
        return rate

    def peer(name: str, target: Target) -> float:
        with BlockingClient(Target(target.port, "/burst", hub=False)) as trigger:
            frame = text_frame(b'{"count":%d,"size":%d}' % (EVENTS, EVENT_BYTES))
            rate, cost = measure(target, trigger, frame, lab.peer_pid(name))
        costs[name].append(cost)
        return rate

    rates = take_turns(
        bench, {"hub": hub, "tornado": lambda: peer("tornado", naive), "websockets": lambda: peer("websockets", other)}
    )
    what, cost = "deliveries", "server's CPU for a delivery"
    broadcast = "websockets.broadcast"
    return [
        Figure(what, "/s", rates["hub"], "naive Tornado", rates["tornado"], Bar("≥", 10, "ratio")),
        Figure(what, "/s", rates["hub"], broadcast, rates["websockets"], Bar("≥", 3, "ratio")),
        Figure(cost, "µs", costs["hub"], "naive Tornado", costs["tornado"]),
        Figure(cost, "µs", costs["hub"], broadcast, costs["websockets"]),
    ]
