"""The lanes (G4) through a line of 1 MB/s: what a person waits for does not stand behind megabytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.client import ACK_AT_CHARACTERS, Address, HubClient
from tests.support.plugin import installed
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer
from tests.support.trouble import ITEM_BYTES, TroubleService
from tests.support.waits import Waits, waiting

LINE_BYTES_PER_S = 1_000_000
ITEMS = 90
"""Of 32 KiB: 3 MB of bulk."""
EVENTS = 300
EVENT_BYTES = 5000
"""1.5 MB of events. Normal has four times the weight of bulk, so they take about 1.9 s of the line."""
MEDIAN_S = 0.25
LONGEST_S = 0.6
"""The window lets 100 ms of data queue, and one frame of 64 KiB more; megabytes would take seconds."""
BULK_BYTES_PER_S = 500_000
LEAST_BULK_BYTES_PER_S = 100_000
"""While the events come: a fifth of the line is bulk's share, half of that is asked for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file."""
    folder = tmp_path_factory.mktemp("server")
    with (
        installed(folder / "plugin", TroubleService),
        RealServer(folder).running(silent=True) as server,
    ):
        yield server


class Load:
    """A bulk stream and a burst of events on one connection, and when they came."""

    def __init__(self, client: HubClient) -> None:
        """Nothing has begun."""
        self.client = client
        self.bulk_s = self.events_s = 0.0
        self.bulk_bytes_by_then = 0

    @property
    def items(self) -> list[int]:
        """The numbers of the bulk items that have come."""
        return [message.data["n"] for message in self.client.others if message.type == "item"]

    async def run(self) -> None:
        """Until all has come."""
        began_s = time.monotonic()

        async def events() -> None:
            await self.client.request("trouble.publish", {"count": EVENTS, "size": EVENT_BYTES}, timeout_s=30)
            await self.client.wait_for(lambda: len(self.client.events) >= EVENTS, "all events", 30)
            self.events_s = time.monotonic() - began_s
            self.bulk_bytes_by_then = len(self.items) * ITEM_BYTES

        async def bulk() -> None:
            await self.client.request("trouble.stream", {"count": ITEMS}, timeout_s=30)
            self.bulk_s = time.monotonic() - began_s

        await asyncio.gather(events(), bulk())


def check_waits(waits: Waits) -> None:
    """What was asked for was answered soon, on the whole and each time but one: the machine may be shared."""
    assert waits.median_s < MEDIAN_S, waits
    assert waits.longest_but_one_s < LONGEST_S, waits


@pytest.mark.parametrize("delay_s", [0.0, 0.03])
async def test_a_slow_line_full_of_data_leaves_requests_quick(server: RealServer, delay_s: float) -> None:
    fault = Fault(up=Way(delay_s=delay_s), down=Way(bytes_per_s=LINE_BYTES_PER_S, delay_s=delay_s, piece_bytes=16384))
    async with (
        FaultProxy(server.port, fault) as proxy,
        HubClient(Address.of(server, proxy.port), ack_at=ACK_AT_CHARACTERS) as client,
    ):
        await client.subscribe("trouble/log")
        load = Load(client)
        async with waiting(client, "trouble.echo", {"text": "x"}) as waits:
            await load.run()
        print(waits, f"events {load.events_s:.2f} s, bulk {load.bulk_s:.2f} s, {load.bulk_bytes_by_then} by then")

        check_waits(waits)
        assert load.items == list(range(ITEMS))
        assert ITEMS * ITEM_BYTES / load.bulk_s >= BULK_BYTES_PER_S
        assert load.bulk_bytes_by_then / load.events_s >= LEAST_BULK_BYTES_PER_S
        assert [event.data["n"] for event in client.events] == list(range(EVENTS))
        first = client.events[0].offset
        assert first is not None
        assert [event.offset for event in client.events] == list(range(first, first + EVENTS))
        # The line was full all the time: otherwise nothing was proved.
        assert ITEMS * ITEM_BYTES + EVENTS * EVENT_BYTES > 0.6 * LINE_BYTES_PER_S * max(load.bulk_s, load.events_s)


async def test_a_stream_takes_its_share_of_a_slow_line_and_leaves_events_theirs(server: RealServer) -> None:
    fault = Fault(down=Way(bytes_per_s=LINE_BYTES_PER_S, piece_bytes=16384))
    async with FaultProxy(server.port, fault) as proxy, HubClient(Address.of(server, proxy.port)) as client:
        await client.subscribe("trouble/log")
        load = Load(client)
        await load.run()
        assert load.bulk_bytes_by_then < EVENTS * EVENT_BYTES, (
            "bulk has more than normal, which weighs four times as much"
        )
