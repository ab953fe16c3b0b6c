"""Many requests under way at once, as a page that loads sends them."""

from __future__ import annotations

import time
from itertools import count

from .echo import ECHOED, PARAMS, REPLY
from .harness import Bar, Bench, Figure, take_turns
from .wire import BlockingClient, MarkerCounter, ack, hub_frame, request, text_frame

TITLE = "requests of 100 bytes with 64 under way; packed as the browser does (what is ready shares a frame), or not"
REQUESTS = 20_000
WINDOW = 64


def ask(client: BlockingClient, refs: count[int], packed: bool) -> float:
    """Requests per second on the hub; each batch brings the acknowledgement of what came before it."""
    counter = MarkerCounter(REPLY)
    first = next(refs)
    requests = [request(first, "bench.echo", PARAMS)]
    requests += [request(next(refs), "bench.echo", PARAMS) for _ in range(REQUESTS - 1)]
    frames = [] if packed else [hub_frame([envelope]) for envelope in requests]
    began, sent = time.perf_counter(), 0
    while counter.count < REQUESTS:
        upto = min(counter.count + WINDOW, REQUESTS)
        if sent < upto:
            acknowledged = ack(client.frames.frames, first + counter.count - 1)
            if packed:
                client.send(hub_frame([acknowledged, *requests[sent:upto]]))
            else:
                client.send(b"".join([hub_frame([acknowledged]), *frames[sent:upto]]))
            sent = upto
        data = client.read()
        assert b'"error"' not in data, data[:500]
        counter.feed(data)
    return REQUESTS / (time.perf_counter() - began)


def ask_peer(client: BlockingClient) -> float:
    """Messages per second on a peer, each in a frame of its own."""
    counter = MarkerCounter(ECHOED)
    frame = text_frame(b"[%s]" % request(1000, "bench.echo", PARAMS))
    began, sent = time.perf_counter(), 0
    while counter.count < REQUESTS:
        upto = min(counter.count + WINDOW, REQUESTS)
        if sent < upto:
            client.send(frame * (upto - sent))
            sent = upto
        counter.feed(client.read())
    return REQUESTS / (time.perf_counter() - began)


def run(bench: Bench) -> list[Figure]:
    """Measure rates."""
    refs = count(1)
    lab = bench.lab
    targets = lab.hub(), lab.peer("tornado", "/echo"), lab.peer("websockets", "/echo")
    with BlockingClient(targets[0]) as ours, BlockingClient(targets[1]) as naive, BlockingClient(targets[2]) as other:
        rates = take_turns(
            bench,
            {
                "hub, a frame each": lambda: ask(ours, refs, packed=False),
                "hub, packed": lambda: ask(ours, refs, packed=True),
                "tornado": lambda: ask_peer(naive),
                "websockets": lambda: ask_peer(other),
            },
        )
    bar = Bar("≥", 1.5, "ratio")
    return [
        Figure("a request in each frame", "/s", rates["hub, a frame each"], "naive Tornado", rates["tornado"], bar),
        Figure("requests packed into frames", "/s", rates["hub, packed"], "naive Tornado", rates["tornado"], bar),
        Figure("requests packed into frames", "/s", rates["hub, packed"], "websockets", rates["websockets"]),
    ]
