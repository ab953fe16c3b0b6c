"""A load on a server, in a process of its own with lowered priority: `python -m tests.benchmarks.loads`.

Reads an `Order` from standard input, prepares, prints "ready", waits for a line, works, and prints a `Done`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

import msgspec

from tests.support.address import NET_ERRORS

from . import receivers
from .file_downloads import download
from .file_systems import Dialect, FileSystem
from .file_uploads import upload
from .file_wire import PERIOD_BYTES
from .plugin.service import Load as Burst
from .terminal_loads import LOWERED, Exits, Flood, Load, Order, Paste
from .terminal_systems import ask
from .wire import BlockingClient, Target, hub_frame, request

BIG: Final = "big.bin"
BIG_BYTES: Final = 1 << 30
MANY: Final = "many"
MANY_FILES: Final = 100_000
TWIN: Final = "download over HTTP"
"""Of ours."""
CLIENTS: Final = 200
RATE: Final = 1000
OVERTIME_S: Final = 15.0


class Done(msgspec.Struct, frozen=True):
    """What a load has done."""

    amount: float
    unit: str
    failure: str = ""


class Transfers:
    """A large file, up or down, again and again."""

    def __init__(self, order: Order) -> None:
        """Prepare it."""
        dialect: Dialect = "stock" if not order.system.hub else "twin" if order.kind == TWIN else "hub"
        system = FileSystem(order.system.port, order.system.pid, dialect, "")
        self._up = upload(system, "up.bin", BIG_BYTES) if order.kind == "upload" else None
        self._down = None if self._up else download(system, BIG, BIG_BYTES, bytes(PERIOD_BYTES))
        self.unit = "MB up" if self._up else "MB down"
        self.amount = 0.0

    def run(self, until_s: float) -> None:
        """Move files."""
        try:
            while time.monotonic() < until_s:
                if self._up is not None:
                    self._up.run(until_s)
                if self._down is not None:
                    self._down.run(until_s)
        finally:
            up = self._up.sent_bytes if self._up is not None else 0
            down = self._down.received_bytes if self._down is not None else 0
            self.amount = (up + down) / 1e6


class Listings:
    """A directory of many files, listed again and again."""

    unit = "listings"

    def __init__(self, order: Order) -> None:
        """Nothing was listed."""
        self.amount = 0.0
        self._port = order.system.port
        self._client = BlockingClient(Target(self._port)) if order.system.hub else None

    def run(self, until_s: float) -> None:
        """List."""
        while time.monotonic() < until_s:
            if self._client is None:
                ask(self._port, "GET", f"api/contents/{MANY}?content=1")
            else:
                for _ in self._client.stream(int(self.amount) + 1, "files.list", b'{"path":"%s"}' % MANY.encode()):
                    pass
            self.amount += 1


class Events:
    """Many clients of one topic that gets many events."""

    unit = "events delivered"

    def __init__(self, order: Order) -> None:
        """Nothing was published."""
        self.amount = 0.0
        self._port = order.system.port

    def run(self, until_s: float) -> None:
        """Publish and receive."""
        asyncio.run(self._run(until_s))

    async def _run(self, until_s: float) -> None:
        left_s = until_s - time.monotonic()
        topic, events = f"bench/matrix{os.getpid()}", int(RATE * left_s)
        crowd = receivers.Crowd(receivers.Order(self._port, "/ws", True, CLIENTS, topic=topic, events_each=events))
        await crowd.connect()
        with BlockingClient(Target(self._port)) as trigger:
            burst = msgspec.json.encode(Burst(topic, events, rate=RATE))
            trigger.send(hub_frame([request(1, "bench.burst", burst)]))
            crowd.nap()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until_s - time.monotonic()):
                    await crowd.done.wait()
        self.amount = crowd.total


HUB: Final[Mapping[str, Callable[[Order], Load]]] = {
    "flood": Flood,
    "upload": Transfers,
    "download": Transfers,
    TWIN: Transfers,
    "listing": Listings,
    "events": Events,
    "paste": Paste,
    "exits": Exits,
}
STOCK: Final[Mapping[str, Callable[[Order], Load]]] = {
    "flood": Flood,
    "upload": Transfers,
    "download": Transfers,
    "listing": Listings,
    "paste": Paste,
    "exits": Exits,
}


def _overtime(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("what was begun was not finished in time")


def main() -> None:
    """Do what was ordered."""
    os.nice(LOWERED)
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    load = (HUB if order.system.hub else STOCK)[order.kind](order)
    print("ready", flush=True)
    sys.stdin.readline()
    signal.signal(signal.SIGALRM, _overtime)
    signal.setitimer(signal.ITIMER_REAL, order.seconds + OVERTIME_S)
    failure = ""
    try:
        load.run(time.monotonic() + order.seconds)
    except (*NET_ERRORS, RuntimeError, http.client.HTTPException) as error:
        failure = f"{type(error).__name__}: {error}"[:100]
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(msgspec.json.encode(Done(load.amount, load.unit, failure)).decode(), flush=True)


if __name__ == "__main__":
    main()
