"""A server whose database fails while it runs: it says so, goes on in memory, and comes back with all it has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.client import Address, HubClient, Message
from tests.support.server import RealServer
from tests.support.small_disk import small_disk

Start = Callable[..., RealServer]
TOPIC = "chat/general"
DISK_BYTES = 4 * 1024 * 1024
RETRY_S = 0.3
TEXT = "x" * 4000


def config(database: Path) -> str:
    """Keep messages there, and try soon again when that fails."""
    return f"c.HubApp.database = {str(database)!r}\nc.HubApp.database_retry_s = {RETRY_S}\n"


async def services(client: HubClient) -> dict[str, tuple[str, str | None]]:
    """State and reason of each service."""
    return {one["id"]: (one["state"], one["reason"]) for one in (await client.request("status.get"))["services"]}


async def wait_for_state(client: HubClient, state: str) -> str:
    """Until all services are so; the first one's reason."""
    async with asyncio.timeout(15):
        while True:
            found = await services(client)
            if {its for its, _ in found.values()} == {state}:
                return found["chat"][1] or ""
            await asyncio.sleep(0.02)


class Room:
    """A poster and a reader, both subscribed, and what was said."""

    def __init__(self, poster: HubClient, reader: HubClient) -> None:
        """Nothing was said yet."""
        self.poster = poster
        self.reader = reader
        self.said: list[str] = []

    async def say(self, number: int, text: str = TEXT) -> list[str]:
        """Post so many messages, one after the other; their ids."""
        ids = [f"m{len(self.said) + n}" for n in range(number)]
        for id in ids:
            await self.poster.request("chat.post", {"room": "general", "text": text, "id": id})
            self.said.append(id)
        return ids

    async def heard(self, ids: list[str]) -> None:
        """Both have got these as events or in the snapshot of a reset."""
        for client in (self.poster, self.reader):
            await client.wait_for(partial(knows, client, ids), f"all of {ids}")

    async def history(self) -> list[str]:
        """All that the room has, oldest first."""
        pages: list[str] = []
        before: int | None = None
        while True:
            page = await self.reader.request("chat.history", {"room": "general", "limit": 200, "before": before})
            pages = [message["id"] for message in page["messages"]] + pages
            if not page["more"]:
                return pages
            before = page["messages"][0]["seq"]


def resets(client: HubClient) -> list[Message]:
    """How often a client was told that its topic has another log now."""
    return [message for message in client.subscribed if message.status == "reset"]


def known(client: HubClient) -> set[str]:
    """The ids of the messages that a client has."""
    snapshots: list[Any] = [reset.snapshot["messages"] for reset in resets(client)]
    return {event.id for event in client.events} | {message["id"] for page in snapshots for message in page}


def knows(client: HubClient, ids: list[str]) -> bool:
    """Whether a client has all of these."""
    return set(ids) <= known(client)


def was_reset_often(client: HubClient, number: int) -> bool:
    """Whether a client was told of so many resets."""
    return len(resets(client)) >= number


@asynccontextmanager
async def a_room(server: RealServer) -> AsyncIterator[Room]:
    """Two clients in the room."""
    async with HubClient(Address.of(server)) as poster, HubClient(Address.of(server)) as reader:
        await wait_for_state(reader, "ok")
        for client in (poster, reader):
            await client.subscribe(TOPIC)
        yield Room(poster, reader)
        assert poster.close_code is None and reader.close_code is None


async def was_reset(room: Room, number: int) -> None:
    """Both have been told so many times that the log is another one."""
    for client in (room.poster, room.reader):
        await client.wait_for(partial(was_reset_often, client, number), f"reset {number}")
        assert {reset.reason for reset in resets(client)} == {"epoch"}


async def test_a_disk_that_is_full_for_a_while(start_server: Start, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        server = await asyncio.to_thread(start_server, config=config(disk.path / "hub.sqlite"))
        async with a_room(server) as room:
            await room.heard(await room.say(20))

            await asyncio.to_thread(disk.fill)
            meanwhile: list[str] = []
            while (await services(room.reader))["chat"][0] == "ok":
                meanwhile += await room.say(20)
                assert len(meanwhile) < 5000, "the disk is not full"
            reason = await wait_for_state(room.reader, "degraded")
            assert "full" in reason and "memory" in reason
            await was_reset(room, 1)
            meanwhile += await room.say(20)
            await room.heard(meanwhile[-20:])

            await asyncio.to_thread(disk.free)
            await wait_for_state(room.reader, "ok")
            await was_reset(room, 2)
            await room.heard(await room.say(20))
            assert await room.history() == room.said

        await asyncio.to_thread(server.restart)
        async with a_room(server) as again:
            assert await again.history() == room.said
        assert "Traceback" not in server.log_text
        await asyncio.to_thread(server.stop)


async def test_a_file_that_is_overwritten_with_garbage(start_server: Start, tmp_path: Path) -> None:
    database = tmp_path / "disk" / "hub.sqlite"
    database.parent.mkdir()
    server = await asyncio.to_thread(start_server, config=config(database))
    async with a_room(server) as room:
        await room.heard(await room.say(50))

        await asyncio.to_thread(overwrite, database)
        async with asyncio.timeout(20):
            while not resets(room.reader):
                await room.say(1)
        await was_reset(room, 1)
        during = await room.say(20)
        await room.heard(during)
        await wait_for_state(room.reader, "ok")
        await was_reset(room, 2)
        after = await room.say(20)
        await room.heard(after)
        kept = await room.history()
        print(f"{len(kept)} of {len(room.said)} kept")
        assert kept[-len(during + after) :] == during + after
        assert len(kept) == len(set(kept))

    await asyncio.to_thread(server.restart)
    async with a_room(server) as again:
        assert await again.history() == kept
    assert [file.name for file in database.parent.iterdir() if ".corrupt-" in file.name]
    assert "Traceback" not in server.log_text


def overwrite(database: Path) -> None:
    """Write nonsense over all that the database and its log have; their sizes stay."""
    for file in (database, database.with_name(database.name + "-wal")):
        if file.exists():
            with file.open("r+b") as opened:
                opened.write(os.urandom(file.stat().st_size))
