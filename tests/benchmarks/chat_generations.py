"""Many answers are written at once: how late the server's event loop is meanwhile, and how old their pieces arrive."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from tests.support.client import Address, HubClient
from tests.support.follower import Follower

from .harness import Bar, Bench, Figure
from .lab import cpu_s
from .plugin.service import Lag
from .wire import Target

TITLE = "50 answers at once of 50 tokens a second each, in 10 rooms that 3 clients follow, kept in SQLite"
ROOMS = 10
IN_EACH = 5
FOLLOWERS = 3
TOKENS_PER_S = 50
IDLE_S = 5
MEASURED_S = 10
WORDS = TOKENS_PER_S * (MEASURED_S + 4)
END_S = 60.0


async def lag_of(client: HubClient, seconds: float) -> Lag:
    """How late the server's loop is during some seconds."""
    await client.request("bench.lag_start")
    await asyncio.sleep(seconds)
    return msgspec.convert(await client.request("bench.lag_stop"), Lag)


async def generate(target: Target, number: int) -> tuple[Lag, Lag, int]:
    """Let the answers be written; how late the loop was before and meanwhile, and the deltas that all followers got."""
    rooms = [f"room{number}-{n}" for n in range(ROOMS)]
    whole = "".join(f"word{n} " for n in range(WORDS))
    deltas = 0
    async with AsyncExitStack() as stack:
        address = Address(target.port)
        clients = [await stack.enter_async_context(HubClient(address)) for _ in range(FOLLOWERS)]
        for room in rooms:
            await clients[0].request("chat.create", {"name": room})
            for client in clients:
                await client.subscribe(f"chat/{room}")
        idle = await lag_of(clients[0], IDLE_S)
        text = f"@puppet words={WORDS} pause={1 / TOKENS_PER_S}"
        for room in rooms:
            for n in range(IN_EACH):
                await clients[0].request("chat.post", {"room": room, "id": f"question{n}", "text": text})
        lag = await lag_of(clients[0], MEASURED_S)
        for client in clients:
            for room in rooms:
                follower = Follower(client, room)
                await follower.until_all_ended(IN_EACH, END_S)
                deltas += follower.deltas
                if any(message["text"] != whole for message in follower.ended.values()):
                    raise RuntimeError("an answer is not whole")
    return idle, lag, deltas


def run(bench: Bench) -> list[Figure]:
    """Measure the lag from inside the server."""
    target = bench.lab.hub(max_answers=0, max_answers_per_user=0)
    lags, idles, longest, cpu, deltas = [], [], [], [], []
    for number in range(bench.rounds):
        before_s = cpu_s(bench.lab.hub_pid)
        idle, lag, came = asyncio.run(generate(target, number))
        cpu.append((cpu_s(bench.lab.hub_pid) - before_s) / (WORDS / TOKENS_PER_S) * 100)
        lags.append(lag.p99_ms)
        idles.append(idle.p99_ms)
        longest.append(lag.max_ms)
        deltas.append(came / FOLLOWERS / ROOMS / IN_EACH / (WORDS / TOKENS_PER_S))
        bench.say(f"round {number + 1}: lag p99 {lag.p99_ms:.1f} ms, before it {idle.p99_ms:.1f} ms")
    return [
        Figure("event loop's lag, p99", "ms", lags, bar=Bar("≤", 10)),
        Figure("event loop's lag, longest", "ms", longest),
        Figure("the same before the answers, p99", "ms", idles, note="what the machine itself does"),
        Figure("CPU time of the server in that of an answer", "%", cpu),
        Figure("pieces of each answer that a client gets", "/s", deltas),
    ]
