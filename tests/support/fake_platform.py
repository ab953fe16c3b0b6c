"""What runs on a server and what it uses, as tests want it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jupyter_ws_hub.services.ports import Running, SocketCounts, Usage


class FakeGauge:
    """What the server uses: figures to be changed, and an error to be raised."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.usage = Usage(0.25, 100_000_000, 0.5, 2, 8_000_000_000, 4_000_000_000, 1.5)
        self.error: Exception | None = None
        self.on_read: Callable[[], None] = lambda: None
        self.running = 0
        self.readings = 0

    async def start(self) -> None:
        """See Gauge."""
        self.running += 1

    async def read(self) -> Usage:
        """See Gauge."""
        self.readings += 1
        self.on_read()
        if self.error is not None:
            raise self.error
        return self.usage

    def stop(self) -> None:
        """See Gauge."""
        self.running -= 1


class FakePlatform:
    """What runs: two lists to be changed, and an error to be raised; the open sockets, and what is used."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.running_kernels: list[Running] = []
        self.running_terminals: list[Running] = []
        self.error: Exception | None = None
        self.looks = 0
        self.sockets = SocketCounts()
        self.gauge = FakeGauge()

    async def kernels(self) -> Sequence[Running]:
        """See Platform."""
        self.looks += 1
        if self.error is not None:
            raise self.error
        return list(self.running_kernels)

    async def terminals(self) -> Sequence[Running]:
        """See Platform."""
        return list(self.running_terminals)
