"""A room in which much was said is opened: subscribed to, and its newest page read, as the panel does."""

from __future__ import annotations

import asyncio
import time

from tests.support.client import Address, HubClient

from .chats import say
from .harness import Bar, Bench, Figure, percentile
from .wire import Target

TITLE = "a room of 10,000 messages is opened on a new connection: its topic followed and its newest 50 messages read"
MESSAGES = 10_000
PAGE = 50
ROOM = "large"
TIMES = 40


async def opened_ms(target: Target) -> list[float]:
    """How long it took, each time."""
    laps = []
    for _ in range(TIMES):
        async with HubClient(Address(target.port)) as client:
            began = time.perf_counter()
            await client.subscribe(f"chat/{ROOM}")
            page = await client.request("chat.history", {"room": ROOM, "limit": PAGE})
            laps.append((time.perf_counter() - began) * 1000)
            newest = [message["seq"] for message in page["messages"]]
            if newest != list(range(MESSAGES - PAGE + 1, MESSAGES + 1)) or not page["more"]:
                raise RuntimeError(f"the page has the messages {newest}")
    return laps


def run(bench: Bench) -> list[Figure]:
    """Measure the slowest of forty, and the median."""
    target = bench.lab.hub()
    asyncio.run(say(target, [ROOM], MESSAGES, told=True))
    slowest, medians = [], []
    for number in range(bench.rounds):
        laps = asyncio.run(opened_ms(target))
        slowest.append(max(laps))
        medians.append(percentile(laps, 50))
        bench.say(f"round {number + 1}: {medians[-1]:.1f} ms, slowest {slowest[-1]:.1f} ms")
    return [
        Figure("until the page is there, the slowest of 40", "ms", slowest, bar=Bar("≤", 150)),
        Figure("until the page is there, p50", "ms", medians),
    ]
