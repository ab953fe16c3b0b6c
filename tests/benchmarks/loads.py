"""A load on a server, in a process of its own with lowered priority: `python -m tests.benchmarks.loads`.

Reads an `Order` from standard input, prepares, prints "ready", waits for a line, works, and prints a `Done`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

import msgspec

from tests.support.address import NET_ERRORS, Address
from tests.support.file_client import FileClient
from tests.support.server import TOKEN

from . import receivers
from .plugin.service import Load as Burst
from .terminal_loads import LOWERED, Exits, Flood, Load, Order, Paste
from .terminal_systems import ask
from .wire import BlockingClient, Target, hub_frame, request

BIG: Final = "big.bin"
BIG_BYTES: Final = 1 << 30
MANY: Final = "many"
MANY_FILES: Final = 100_000
PIECE_BYTES: Final = 1 << 20
"""What JupyterLab sends in one request of an upload."""
CLIENTS: Final = 200
RATE: Final = 1000
OVERTIME_S: Final = 15.0


class Done(msgspec.Struct, frozen=True):
    """What a load has done."""

    amount: float
    unit: str
    failure: str = ""


class HubTransfer:
    """A large file, up or down over file streams, again and again."""

    def __init__(self, order: Order) -> None:
        """Have what is to be sent."""
        self.amount = 0.0
        self._up = order.kind == "upload"
        self.unit = "MB up" if self._up else "MB down"
        self._port = order.system.port
        self._client = BlockingClient(Target(self._port))
        self._ref = 0
        self._data = bytes(BIG_BYTES) if self._up else b""

    def run(self, until_s: float) -> None:
        """Move files."""
        asyncio.run(self._run(until_s))

    def _create(self) -> str:
        self._ref += 1
        up = {"direction": "upload", "path": "up.bin", "size": BIG_BYTES, "if_exists": "overwrite"}
        params = up if self._up else {"direction": "download", "path": BIG}
        found = re.search(
            rb'"op":"([^"]+)"', self._client.call(self._ref, "transfers.create", json.dumps(params).encode())
        )
        assert found is not None
        return found[1].decode()

    async def _run(self, until_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until_s - time.monotonic()):
                while True:
                    client = FileClient(Address(self._port), self._create())
                    try:
                        await (client.upload(self._data) if self._up else client.download())
                    finally:
                        self.amount += (client.sent_bytes + len(client.data)) / 1e6


class StockUpload:
    """A large file, up in pieces as JupyterLab sends them."""

    unit = "MB up"

    def __init__(self, order: Order) -> None:
        """Have a piece."""
        self.amount = 0.0
        self._port = order.system.port
        self._content = base64.b64encode(bytes(PIECE_BYTES)).decode()

    def run(self, until_s: float) -> None:
        """Send pieces."""
        number = 1
        while time.monotonic() < until_s:
            last = number == BIG_BYTES // PIECE_BYTES
            body = {"type": "file", "format": "base64", "content": self._content, "chunk": -1 if last else number}
            ask(self._port, "PUT", "api/contents/up.bin", body)
            number = 1 if last else number + 1
            self.amount += PIECE_BYTES / 1e6


class StockDownload:
    """A large file, down by a plain request."""

    unit = "MB down"

    def __init__(self, order: Order) -> None:
        """Nothing has come."""
        self.amount = 0.0
        self._port = order.system.port

    def run(self, until_s: float) -> None:
        """Take the file, again and again."""
        while time.monotonic() < until_s:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=OVERTIME_S)
            connection.request("GET", f"/files/{BIG}", headers={"Authorization": f"token {TOKEN}"})
            answer = connection.getresponse()
            while time.monotonic() < until_s and (piece := answer.read(PIECE_BYTES)):
                self.amount += len(piece) / 1e6
            connection.close()


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
    "upload": HubTransfer,
    "download": HubTransfer,
    "listing": Listings,
    "events": Events,
    "paste": Paste,
    "exits": Exits,
}
STOCK: Final[Mapping[str, Callable[[Order], Load]]] = {
    "flood": Flood,
    "upload": StockUpload,
    "download": StockDownload,
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
