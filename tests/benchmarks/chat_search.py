"""Messages are looked for, by frequent and rare words, by several, by beginnings, in all rooms or one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from tests.support.client import Address, HubClient

from .chats import say
from .harness import Bar, Bench, Figure, percentile
from .plugin.talk import vocabulary
from .wire import Target

TITLE = "100,000 messages of about 21 words in 20 rooms are searched over /ws, of each 50 hits with their snippets"
ROOMS = [f"room-{number}" for number in range(20)]
MESSAGES = 100_000
TIMES = 20
NOTHING = ("nothing", "two that do not meet")
RANKS = {"frequent": 0, "usual": 200, "rare": 15_000}


def questions() -> dict[str, Mapping[str, Any]]:
    """What is looked for, by what is special about it."""
    words = vocabulary()
    frequent, usual, rare = (words[rank] for rank in RANKS.values())
    return {
        **{kind: {"text": f"{words[rank]}"} for kind, rank in RANKS.items()},
        "frequent, of one room": {"text": frequent, "room": ROOMS[0]},
        "frequent, the 200th page": {"text": frequent, "skip": 10_000},
        "two frequent": {"text": f"{words[1]} {words[2]}"},
        "frequent and usual": {"text": f"{frequent} {usual}"},
        "frequent and rare": {"text": f"{frequent} {rare}"},
        "two that do not meet": {"text": f"{words[19_000]} {words[19_001]}"},
        **{f"{n} letters of a word": {"text": usual[:n]} for n in (1, 2, 3, 4)},
        "a word and a letter": {"text": f"{usual} {frequent[:1]}"},
        "nothing": {"text": "xyzzy"},
    }


async def laps_ms(target: Target) -> dict[str, list[float]]:
    """How long each kind of search took, each time; the kinds take turns."""
    laps: dict[str, list[float]] = {kind: [] for kind in questions()}
    async with HubClient(Address(target.port)) as client:
        for _ in range(TIMES):
            for kind, question in questions().items():
                began = time.perf_counter()
                found = await client.request("chat.search", question)
                laps[kind].append((time.perf_counter() - began) * 1000)
                if bool(found["hits"]) is (kind in NOTHING):
                    raise RuntimeError(f"{kind}: {len(found['hits'])} hits")
    return laps


def run(bench: Bench) -> list[Figure]:
    """Measure all kinds together, and say which one takes longest."""
    target = bench.lab.hub()
    asyncio.run(say(target, ROOMS, MESSAGES // len(ROOMS)))
    p99, p50, slowest, kind = [], [], [], ""
    for number in range(bench.rounds):
        laps = asyncio.run(laps_ms(target))
        together = [lap for its in laps.values() for lap in its]
        kind = max(laps, key=lambda kind: percentile(laps[kind], 50))
        p99.append(percentile(together, 99))
        p50.append(percentile(together, 50))
        slowest.append(percentile(laps[kind], 50))
        bench.say(f"round {number + 1}: p50 {p50[-1]:.1f} ms, p99 {p99[-1]:.1f} ms; {kind}: {slowest[-1]:.1f} ms")
    return [
        Figure("search, p99 of all kinds together", "ms", p99, bar=Bar("≤", 50)),
        Figure("search, p50", "ms", p50),
        Figure("the slowest kind, p50", "ms", slowest, note=kind),
    ]
