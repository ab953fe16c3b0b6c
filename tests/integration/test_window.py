"""The send window: what a client has not acknowledged is bounded, and what it waits for comes all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from jupyter_ws_hub.protocol import messages as wire
from jupyter_ws_hub.protocol.codec import OUTBOUND_FRAME_BYTES
from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address, HubClient
from tests.support.honest import honest
from tests.support.server import RealServer
from tests.support.waits import FairClock

from .test_hostile import TEXT, everything_has_come, flood

WINDOW_BYTES = 64 * 1024
EVENTS = 60
"""Of 19 kB: more than 1 MB."""
ANSWER_S = 0.25


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file."""
    server = RealServer(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server
        assert "Traceback" not in server.log_text
    finally:
        server.stop()


async def test_who_never_acknowledges_gets_one_window_of_events_and_every_answer(server: RealServer) -> None:
    async with (
        HubClient(Address.of(server)) as writer,
        HubClient(Address.of(server), ack_at=None) as mute,
        honest(server, "beside"),
    ):
        await writer.request("chat.create", {"name": "mute"})
        await mute.subscribe("chat/mute")
        await flood(writer, "mute", EVENTS)
        clock = FairClock(server.pid)
        for n in range(20):
            started_s = clock.now_s()
            assert await mute.request("chat.rooms")
            assert clock.now_s() - started_s < ANSWER_S
            await mute.send(wire.Ping(n))
            await asyncio.sleep(0.02)
        await mute.wait_for(lambda: any(m.type == "pong" and m.t == 19 for m in mute.others), "the last pong")
        # One frame more: the window is looked at before a frame, not in its midst.
        assert 0 < len(mute.events) * len(TEXT) <= WINDOW_BYTES + OUTBOUND_FRAME_BYTES
        assert mute.close_code is None

        mute.ack_at = 0
        await mute.acknowledge()
        await everything_has_come(mute, "mute", EVENTS)


async def test_acknowledging_what_was_never_sent_breaks_the_protocol(server: RealServer) -> None:
    async with honest(server, "too-much"), HubClient(Address.of(server)) as client:
        await client.request("chat.rooms")
        await client.send(wire.Ack(frames=client.frames, done=1))
        await client.request("chat.rooms")
        await client.send(wire.Ack(frames=client.frames + 1000, done=2))
        assert await client.wait_closed() == Code.BAD_FRAME
