"""The long run: `make soak`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..integration.test_reconnect import CONFIG
from ..support.server import RealServer
from .storm import storm

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

CUTS = 500
KILLS = 10


async def test_500_cuts_and_10_kills_lose_nothing_and_repeat_nothing(start_server: Callable[..., RealServer]) -> None:
    server = start_server(config=CONFIG)
    async with storm(server, seed=1) as its:
        report = await its.run(CUTS, KILLS, pause_s=0.2)
    print(f"\n{report.cuts}, {report.kills} kills, {report.connections} connections, {len(report.published)} messages")
    assert report.cuts.total() == CUTS and report.kills == KILLS
    assert report.connections > CUTS
    assert "Traceback" not in server.log_text
