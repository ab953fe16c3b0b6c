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


def ask(client: BlockingClient, refs: count[int]) -> list[float]:
    """Round trips on the hub, in microseconds; what was answered is acknowledged with every sixteenth request."""
    laps = []
    for _ in range(WARM_UP + REQUESTS):
        ref = next(refs)
        envelopes = [request(ref, "bench.echo", PARAMS)]
        if ref % ACK_EVERY == 0:
            envelopes.append(ack(client.frames.frames, ref - 1))
        frame = hub_frame(envelopes)
        began = time.perf_counter_ns()
        client.send(frame)
        answer = client.receive(REPLY)
        laps.append((time.perf_counter_ns() - began) / 1000)
        assert b'"error"' not in answer, answer
    return laps[WARM_UP:]


def ask_peer(client: BlockingClient) -> list[float]:
    """Round trips of a message on a peer, in microseconds."""
    frame = text_frame(b"[%s]" % request(1000, "bench.echo", PARAMS))
    laps = []
    for _ in range(WARM_UP + REQUESTS):
        began = time.perf_counter_ns()
        client.send(frame)
        client.receive(ECHOED)
        laps.append((time.perf_counter_ns() - began) / 1000)
    return laps[WARM_UP:]


def run(bench: Bench) -> list[Figure]:
    """Measure the median and the 99th percentile of the round trip."""
    refs = count(1)
    tails: dict[str, list[float]] = {"hub": [], "tornado": [], "websockets": []}

    def median(name: str, laps: list[float]) -> float:
        tails[name].append(percentile(laps, 99))
        return percentile(laps, 50)

    lab = bench.lab
    targets = lab.hub(), lab.peer("tornado", "/echo"), lab.peer("websockets", "/echo")
    with BlockingClient(targets[0]) as ours, BlockingClient(targets[1]) as naive, BlockingClient(targets[2]) as other:
        laps = take_turns(
            bench,
            {
                "hub": lambda: median("hub", ask(ours, refs)),
                "tornado": lambda: median("tornado", ask_peer(naive)),
                "websockets": lambda: median("websockets", ask_peer(other)),
            },
        )
    return [
        Figure("p50", "µs", laps["hub"], "naive Tornado", laps["tornado"], Bar("≤", 1.5, "ratio")),
        Figure("p99", "µs", tails["hub"], "naive Tornado", tails["tornado"]),
        Figure("p50", "µs", laps["hub"], "websockets", laps["websockets"]),
    ]
