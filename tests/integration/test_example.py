"""The service of another package, installed by pip: a plain server finds it, and it has all that our own have."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.client import REPOSITORY, Address, HubClient
from tests.support.example import EXAMPLE, install
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer

from .test_reconnect import insist

MANY = 5000
CUT_AFTER_BYTES = 100_000
"""Enough for the handshake and many items, not for all of them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A plain server beside which the example is installed."""
    folder = tmp_path_factory.mktemp("example")
    server = RealServer(folder / "server", environment=install(folder, browser_half=False))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def items(client: HubClient) -> list[tuple[int | None, Any]]:
    """The items that have come: their places, and the numbers in them."""
    return [(message.n, message.data["number"]) for message in client.others if message.type == "item"]


def counted(to: int) -> list[tuple[int, int]]:
    return [(n, n + 1) for n in range(to)]


async def test_a_request_is_answered_and_what_breaks_a_bound_is_refused(server: RealServer) -> None:
    async with HubClient(Address.of(server)) as client:
        assert await client.request("example.greet", {"name": "world"}) == {"text": "Hello world!"}
        with pytest.raises(HubError, match="length") as caught:
            await client.request("example.greet", {"name": ""})
        assert caught.value.code is Code.INVALID


async def test_a_streamed_request_gives_its_items_in_order_and_then_ends(server: RealServer) -> None:
    async with HubClient(Address.of(server)) as client:
        assert await client.request("example.count", {"to": MANY}) is None
        assert items(client) == counted(MANY)


async def test_a_streamed_request_that_is_cut_starts_again_and_comes_to_its_end(server: RealServer) -> None:
    def fault(number: int) -> Fault:
        return Fault(down=Way(cut_after=CUT_AFTER_BYTES)) if number == 0 else Fault()

    async with FaultProxy(server.port, fault) as proxy:
        client = HubClient(Address.of(server, proxy.port))
        assert await insist(client, "example.count", {"to": MANY}) is None
        await client.drop()
        assert len(proxy.links) == 2
    before, again = items(client)[:-MANY], items(client)[-MANY:]
    assert 0 < len(before) < MANY
    assert before == counted(len(before))
    assert again == counted(MANY)


async def test_who_was_away_gets_the_ticks_that_came_meanwhile(server: RealServer) -> None:
    async with HubClient(Address.of(server)) as reader, HubClient(Address.of(server)) as writer:
        assert (await reader.subscribe("example/ticks")).status == "ok"
        await writer.request("example.tick", {"note": "one"})
        (first,) = await reader.next_events(1)
        await reader.drop()
        for note in ("two", "three"):
            await writer.request("example.tick", {"note": note})
        assert (await reader.reconnect()).resumed
        await writer.request("example.tick")
        events = [first, *await reader.next_events(3)]
        assert [(event.kind, event.data["note"]) for event in events] == [
            *(("tick", note) for note in ("one", "two", "three", "")),
        ]
        assert [event.offset for event in events] == [1, 2, 3, 4]
        assert reader.events == []


def test_the_guide_shows_only_what_is_tested() -> None:
    """Each block of code stands in a file of the example, as it is or indented."""
    text = (REPOSITORY / "docs" / "extensions.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert {kind for kind, _ in blocks} == {"python", "toml", "ts", "json"}
    assert text.count("```") == 2 * len(blocks)
    files = [path.read_text() for path in Path(EXAMPLE).rglob("*") if path.suffix in {".py", ".toml", ".ts", ".json"}]
    for kind, block in blocks:
        indented = [textwrap.indent(block, " " * width) for width in range(0, 13, 2)]
        assert any(one in file for one in indented for file in files), f"not in the example:\n{kind}\n{block}"
