"""One request at a time: how long a person waits for the smallest answer."""

from __future__ import annotations

import time
from itertools import count

from .harness import Bar, Bench, Figure, percentile, take_turns
from .wire import BlockingClient, ack, hub_frame, request, text_frame

TITLE = "a request of 100 bytes and its reply, one at a time; the peer sends a message of the same bytes back"
REQUESTS = 2000
WARM_UP = 200
ACK_EVERY = 16
PARAMS = b'{"text":"%s"}' % (b"x" * 89)
REPLY = b'"type":"reply"'
ECHOED = b'"type":"request"'


def run(bench: Bench) -> list[Figure]:
    """Measure the median and the 99th percentile of the round trip."""
    refs = count(1)
    tails: dict[str, list[float]] = {"hub": [], "tornado": [], "websockets": []}

    def hub() -> float:
        laps = []
        for number in range(-WARM_UP, REQUESTS):
            ref = next(refs)
            envelopes = [request(ref, "bench.echo", PARAMS)]
            if ref % ACK_EVERY == 0:
                envelopes.append(ack(ours.frames.frames, ref - 1))
            frame = hub_frame(envelopes)
            began = time.perf_counter_ns()
            ours.send(frame)
            answer = ours.receive(REPLY)
            lap = time.perf_counter_ns() - began
            assert b'"error"' not in answer, answer
            if number >= 0:
                laps.append(lap / 1000)
        tails["hub"].append(percentile(laps, 99))
        return percentile(laps, 50)

    def peer(name: str, client: BlockingClient) -> float:
        frame = text_frame(b"[%s]" % request(1000, "bench.echo", PARAMS))
        laps = []
        for number in range(-WARM_UP, REQUESTS):
            began = time.perf_counter_ns()
            client.send(frame)
            client.receive(ECHOED)
            if number >= 0:
                laps.append((time.perf_counter_ns() - began) / 1000)
        tails[name].append(percentile(laps, 99))
        return percentile(laps, 50)

    lab = bench.lab
    targets = lab.hub(), lab.peer("tornado", "/echo"), lab.peer("websockets", "/echo")
    with BlockingClient(targets[0]) as ours, BlockingClient(targets[1]) as naive, BlockingClient(targets[2]) as other:
        laps = take_turns(
            bench,
            {
                "hub": hub,
                "tornado": lambda: peer("tornado", naive),
                "websockets": lambda: peer("websockets", other),
            },
        )
    return [
        Figure("p50", "µs", laps["hub"], "naive Tornado", laps["tornado"], Bar("≤", 1.5, "ratio")),
        Figure("p99", "µs", tails["hub"], "naive Tornado", tails["tornado"]),
        Figure("p50", "µs", laps["hub"], "websockets", laps["websockets"]),
    ]
