"""What a client that was away has missed: from the log to one client."""

from __future__ import annotations

import time

import msgspec

from .harness import Bar, Bench, Figure
from .plugin.service import Load
from .wire import BlockingClient, MarkerCounter, Target, ack, hub_frame

TITLE = "100,000 events of 100 bytes from SQLite to one client, up to `live`"
EVENTS = 100_000
TOPIC = "bench/replay"
ACK_EVERY_BYTES = 16 * 1024


def fill(target: Target, topic: str, events: int) -> None:
    """Put events into a topic."""
    with BlockingClient(target) as client:
        client.call(1, "bench.fill", msgspec.json.encode(Load(topic, events)))


def replay(target: Target) -> float:
    """Events per second."""
    events, lives = MarkerCounter(b'"type":"event"'), MarkerCounter(b'"type":"live"')
    with BlockingClient(target) as client:
        began, unacked = time.perf_counter(), 0
        subscribe = b'{"type":"subscribe","ref":1,"topic":"%s","since":"earliest"}' % TOPIC.encode()
        client.send(hub_frame([subscribe]))
        while not lives.count:
            data = client.read()
            events.feed(data)
            lives.feed(data)
            unacked += len(data)
            if unacked >= ACK_EVERY_BYTES:
                unacked = 0
                client.send(hub_frame([ack(client.frames.frames, 0)]))
        seconds = time.perf_counter() - began
    if events.count != EVENTS:
        raise RuntimeError(f"{events.count} events came instead of {EVENTS}")
    return EVENTS / seconds


def run(bench: Bench) -> list[Figure]:
    """Measure the rate."""
    target = bench.lab.hub()
    fill(target, TOPIC, EVENTS)
    rates = []
    for number in range(bench.rounds):
        rates.append(replay(target))
        bench.say(f"round {number + 1}: {rates[-1]:,.0f}/s")
    return [Figure("events", "/s", rates, bar=Bar("≥", 50_000))]
