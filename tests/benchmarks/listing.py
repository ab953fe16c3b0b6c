"""Listing large directories: the first page, all pages, and what the event loop does meanwhile; stock beside it."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

import msgspec

from tests.support.server import TOKEN

from .harness import Bar, Bench, Figure
from .plugin.service import Lag
from .wire import BlockingClient, Target

TITLE = "directories of 20,000 and 100,000 files, listed over /ws and by GET /api/contents of the same server"
SIZES = (20_000, 100_000)
STOCK_S = 600.0
FIRST_MS = {20_000: 50.0, 100_000: 150.0}
WHOLE_S = {20_000: 0.5}
TIMES = {20_000: 16.0}
FASTER = {size: Bar("≤", 1 / times, of="ratio") for size, times in TIMES.items()}


def fill(folder: Path, size: int) -> None:
    """Make so many small files."""
    folder.mkdir()
    for number in range(size):
        (folder / f"file{number}.txt").write_bytes(b"x")


def page_s(client: BlockingClient, ref: int, path: str) -> tuple[float, float, int]:
    """Seconds to the first page and to the last, and how many entries came."""
    params = msgspec.json.encode({"path": path})
    begun_s, first_s, entries = time.perf_counter(), 0.0, 0
    tail = b""
    for data in client.stream(ref, "files.list", params):
        first_s = first_s or time.perf_counter() - begun_s
        entries += (tail + data).count(b'"mtime_ms":') - tail.count(b'"mtime_ms":')
        tail = data[-20:]
    return first_s, time.perf_counter() - begun_s, entries


def contents_s(target: Target, path: str) -> float:
    """Seconds of GET /api/contents."""
    begun_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=STOCK_S)
    connection.request("GET", f"/api/contents/{path}?content=1", headers={"Authorization": f"token {TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    connection.close()
    return time.perf_counter() - begun_s


def ours(target: Target, path: str, size: int) -> tuple[float, float, Lag]:
    """Milliseconds to the first page, seconds to the last, and the loop's lag; on a connection of its own.

    While stock is asked, the loop stands still for longer than a connection lives without an answer.
    """
    with BlockingClient(target) as client:
        client.call(1, "files.page", msgspec.json.encode({"path": "", "first": 0, "limit": 1}))
        client.call(2, "bench.lag_start")
        first_s, whole_s, entries = page_s(client, 3, path)
        lag = msgspec.json.decode(client.call(4, "bench.lag_stop"), type=Lag)
    assert entries == size, entries
    return first_s * 1000, whole_s, lag


def run(bench: Bench) -> list[Figure]:
    """Measure each size: ours and stock in turn, the lag of the loop only while ours is at work."""
    target = bench.lab.hub()
    figures = []
    for size in SIZES:
        path = f"many{size}"
        fill(bench.lab.root / path, size)
        mine, stocks = [], []
        for number in range(bench.rounds):
            mine.append(ours(target, path, size))
            stocks.append(contents_s(target, path))
            bench.say(
                f"{size}, round {number + 1}: {mine[-1][0]:.1f} ms, {mine[-1][1]:.2f} s, stock {stocks[-1]:.1f} s"
            )
        firsts, wholes, lags = zip(*mine, strict=True)
        what, stock = f"{size:,} files", "GET /api/contents"
        whole_bar = Bar("≤", WHOLE_S[size]) if size in WHOLE_S else None
        figures += [
            Figure(f"{what}: first page by name", "ms", firsts, bar=Bar("≤", FIRST_MS[size])),
            Figure(f"{what}: all pages", "s", wholes, bar=whole_bar),
            Figure(f"{what}: all pages", "s", wholes, stock, stocks, bar=FASTER.get(size)),
            Figure(f"{what}: event loop's lag, p99", "ms", [lag.p99_ms for lag in lags]),
            Figure(f"{what}: event loop's lag, longest", "ms", [lag.max_ms for lag in lags], bar=Bar("≤", 10)),
        ]
    return figures
