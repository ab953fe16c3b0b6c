"""One key at a time in a terminal: how long it takes from the key to its echo."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from .harness import Bar, Bench, Figure, percentile
from .terminal_client import BarePty, TerminalClient, Typist
from .terminal_systems import OURS, OURS_JSON, STOCK, TTYD, all_systems, without_ttyd

TITLE = "400 keys a round to `cat` in a raw terminal, pauses of 10 to 30 ms at random; the systems in turn, by 50 keys"
KEYS: Final = 400
BLOCK: Final = 50
"""So many keys go to one system before the next has its turn: what disturbs the machine disturbs all alike."""
WARM_UP: Final = 5
"""The first keys of a block do not count: the processor has yet to learn this server again."""
PAUSE_S: Final = (0.01, 0.03)
BARE: Final = "bare PTY"
LETTERS: Final = [bytes([code]) for code in b"abcdefghijklmnopqrstuvwxyz"]
PERCENTS: Final = (50.0, 95.0, 99.0, 100.0)


def press(typist: Typist, key: bytes) -> float:
    """Type a key and wait for its echo; milliseconds."""
    began = time.perf_counter_ns()
    typist.type(key)
    seen = typist.see()
    took_ms = (time.perf_counter_ns() - began) / 1e6
    if seen != key:
        raise RuntimeError(f"typed {key!r}, saw {seen!r}")
    return took_ms


def type_block(typist: Typist) -> list[float]:
    """The echo's times of a block of keys in milliseconds."""
    laps = []
    for number in range(WARM_UP + BLOCK):
        time.sleep(random.uniform(*PAUSE_S))
        laps.append(press(typist, LETTERS[number % len(LETTERS)]))
        if isinstance(typist, TerminalClient):
            typist.settle()
    return laps[WARM_UP:]


def type_in_turn(typists: Mapping[str, Typist]) -> dict[str, list[float]]:
    """The echo's times of a round; the order is another one with each turn."""
    laps: dict[str, list[float]] = {name: [] for name in typists}
    names = list(typists)
    for _ in range(KEYS // BLOCK):
        random.shuffle(names)
        for name in names:
            laps[name] += type_block(typists[name])
    return laps


def run(bench: Bench) -> list[Figure]:
    """Measure the percentiles of each round."""
    systems = all_systems(bench.lab)
    found: dict[str, dict[float, list[float]]] = {}
    with ExitStack() as stack:
        typists: dict[str, Typist] = {BARE: stack.enter_context(BarePty("cat"))}
        for name, system in systems.items():
            client = stack.enter_context(TerminalClient(system.new()))
            client.run("cat")
            typists[name] = client
        for number in range(bench.rounds):
            for name, its in type_in_turn(typists).items():
                for percent in PERCENTS:
                    found.setdefault(name, {}).setdefault(percent, []).append(percentile(its, percent))
            newest = ", ".join(f"{name} {found[name][50][-1]:.3f} / {found[name][99][-1]:.3f}" for name in typists)
            bench.say(f"round {number + 1}, p50 / p99 in ms: {newest}")
    return figures(found, without_ttyd(systems))


def figures(found: Mapping[str, Mapping[float, list[float]]], note: str) -> list[Figure]:
    """The rows: ours against all others, then the tails."""
    ours, theirs = found[OURS], found[STOCK]
    rows = [Figure("p50", "ms", ours[50], "stock", theirs[50], Bar("≤", 0.8, "ratio"), note)]
    if TTYD in found:
        rows.append(Figure("p50", "ms", ours[50], "ttyd", found[TTYD][50], Bar("≤", 1.5, "ratio")))
    rows += [
        Figure("p50", "ms", ours[50], BARE, found[BARE][50]),
        Figure("p99 beside stock's p50", "ms", ours[99], "stock's p50", theirs[50], Bar("≤", 2, "ratio")),
        *(Figure(f"p{percent:g}", "ms", ours[percent], "stock", theirs[percent]) for percent in (95.0, 99.0)),
        Figure("longest", "ms", ours[100], "stock", theirs[100]),
        Figure("p50 over our JSON", "ms", found[OURS_JSON][50], "stock", theirs[50]),
        Figure("p99 over our JSON", "ms", found[OURS_JSON][99], "stock", theirs[99]),
    ]
    if TTYD in found:
        rows.append(Figure("p99", "ms", ours[99], "ttyd", found[TTYD][99]))
    return rows
