"""The server's event loop is never late by much while every service is under load at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count

import msgspec
import pytest

from tests.support.client import Address, FileClient, HubClient, until
from tests.support.gauge import GaugeService, Lag
from tests.support.plugin import installed
from tests.support.server import RealServer

from .test_plain_server import make_terminal

MB = 1 << 20
TRANSFER_BYTES = 100 * MB
FILES = 200
LOAD_S = 5.0
LAG_MS = 10.0
ROUNDS = 3
NO_LIMITS = "c.HubApp.reads_per_s = c.HubApp.writes_per_s = c.HubApp.others_per_s = 0\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with the gauge, a directory of files, and something to download."""
    folder = tmp_path_factory.mktemp("server")
    with installed(folder / "plugin", GaugeService):
        server = RealServer(folder, config=NO_LIMITS)
        (server.root / "many").mkdir()
        for number in range(FILES):
            (server.root / "many" / f"file{number}.txt").write_text("x" * 1000)
        (server.root / "large.bin").write_bytes(os.urandom(MB) * (TRANSFER_BYTES // MB))
        try:
            server.start()
            yield server
            assert "Traceback" not in server.log_text
        finally:
            server.stop()


Step = Callable[[int], Awaitable[object]]


class Crowd:
    """One client for each kind of load; what each has done."""

    def __init__(self, server: RealServer) -> None:
        """Nothing is connected yet."""
        self.address = Address.of(server)
        self.done: dict[str, int] = {}

    def has_done(self, kinds: int) -> bool:
        """Whether something was done of so many kinds."""
        return len(self.done) >= kinds

    async def repeat(self, name: str, steps: Callable[[HubClient], list[Step]]) -> None:
        """Take all steps, again and again, on a connection of its own, until it is cancelled."""
        async with HubClient(self.address) as client:
            todo = steps(client)
            for number in count():
                for step in todo:
                    await step(number)
                    client.events.clear()
                    client.others.clear()
                    self.done[name] = self.done.get(name, 0) + 1

    def chat(self, client: HubClient) -> list[Step]:
        """Post and read."""
        return [
            lambda n: client.request("chat.post", {"room": "general", "text": "x" * 200, "id": f"{id(client)}-{n}"}),
            lambda n: client.request("chat.history", {"room": "general", "limit": 50}),
        ]

    def files(self, client: HubClient) -> list[Step]:
        """Everything one does with files, in a directory that has many."""

        def name(new: str) -> str:
            return f"many/{id(client)}-{new}.txt"

        return [
            lambda n: client.list_files("many"),
            lambda n: client.request("files.page", {"path": "many", "first": 50, "limit": 100, "sort": "modified"}),
            lambda n: client.request("files.get", {"path": "many/file7.txt"}),
            lambda n: client.request("files.create", {"path": name(f"new{n}")}),
            lambda n: client.request("files.save", {"path": name(f"new{n}"), "content": "y" * 5000}),
            lambda n: client.request("files.rename", {"path": name(f"new{n}"), "to": name(f"old{n}")}),
            lambda n: client.request("files.delete", {"path": name(f"old{n}")}),
        ]

    def notifications(self, client: HubClient) -> list[Step]:
        """Post and list."""
        return [
            lambda n: client.request("notifications.post", {"title": f"{n}"}),
            lambda n: client.request("notifications.list"),
        ]

    def status(self, client: HubClient) -> list[Step]:
        """Look."""
        return [lambda n: client.request("status.get"), lambda n: client.request("chat.rooms")]

    async def transfer(self, direction: str, path: str, data: bytes) -> None:
        """Move one large file after the other."""
        async with HubClient(self.address) as client:
            await client.subscribe("transfers/me")
            while True:
                params = {"direction": direction, "path": path, "if_exists": "overwrite"}
                created = await client.request("transfers.create", params | ({"size": len(data)} if data else {}))
                stream = FileClient(self.address, created["op"])
                done = await (stream.upload(data) if data else stream.download())
                assert done is not None and done.size == TRANSFER_BYTES
                self.done[direction] = self.done.get(direction, 0) + 1


@asynccontextmanager
async def load(server: RealServer, *kinds: str) -> AsyncIterator[Crowd]:
    """All of them at work, while the block runs."""
    crowd = Crowd(server)
    wanted = kinds or ("chat", "files", "notifications", "status", "upload", "download")
    work = [crowd.repeat(kind, getattr(crowd, kind)) for kind in wanted if hasattr(crowd, kind)]
    if "upload" in wanted:
        work.append(crowd.transfer("upload", "copy.bin", os.urandom(MB) * (TRANSFER_BYTES // MB)))
    if "download" in wanted:
        work.append(crowd.transfer("download", "large.bin", b""))
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield crowd
        assert not [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def measure(client: HubClient, seconds: float) -> Lag:
    """How late the server's loop is in the next seconds."""
    await client.request("gauge.begin")
    await asyncio.sleep(seconds)
    return msgspec.convert(await client.request("gauge.read"), Lag)


def told(name: str, lag: Lag) -> str:
    """A measurement, for a person."""
    lines = [
        f"{name}: {lag.samples} samples, p50 {lag.p50_ms:.1f} ms, p99 {lag.p99_ms:.1f} ms, max {lag.max_ms:.1f} ms"
    ]
    lines += [f"  {lag.stalls} stalls; garbage collection took {lag.gc_max_ms:.1f} ms at most; longest: {lag.longest}"]
    return "\n".join([*lines, *(f"  {number} x {culprit}" for culprit, number in lag.culprits.items())])


@pytest.mark.timeout(180)
async def test_the_loop_is_hardly_late_under_every_load_at_once(server: RealServer) -> None:
    """The best of some rounds counts.

    A busy neighbour on the machine makes a round worse and none better: the loop's thread then waits for a processor.
    What the server itself does to its loop is the same in each round.
    """
    terminals = [await asyncio.to_thread(make_terminal, server) for _ in range(2)]
    report: list[str] = []
    best_ms = float("inf")
    async with HubClient(Address.of(server)) as client:
        report.append(told("without load", await measure(client, 1.0)))
        for _ in range(ROUNDS):
            async with load(server) as crowd:
                await until(partial(crowd.has_done, 4), "some work")
                lag = await measure(client, LOAD_S)
                await until(partial(crowd.has_done, 6), f"all kinds of work, of {crowd.done}", 20)
            report.append(told(f"under load {crowd.done}", lag))
            best_ms = min(best_ms, lag.p99_ms)
            if best_ms < LAG_MS:
                break
        assert len((await client.request("status.get"))["terminals"]) >= len(terminals)
    print("\n".join(report))
    assert best_ms < LAG_MS, "\n".join(report)


async def test_a_full_garbage_collection_is_short(server: RealServer) -> None:
    async with HubClient(Address.of(server)) as client:
        took_ms = min([await client.request("gauge.collect") for _ in range(3)])
    print(f"{took_ms:.1f} ms")
    assert took_ms < 2 * LAG_MS
