"""The long run of terminals: `make soak`."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from ..support.server import RealServer
from .terminal_storm import terminal_storm

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

CUTS = int(os.environ.get("TERMINAL_CUTS", "1000"))
LINES = 2_000_000


async def test_1000_cuts_lose_no_byte_and_double_none(start_server: Callable[..., RealServer]) -> None:
    server = start_server()
    async with terminal_storm(server, seed=1) as its:
        report = await its.run(CUTS, LINES, pause_s=0.06)
    print(f"\n{report}\n{report.digests}")
    assert report.cuts.total() == CUTS and report.connections > CUTS and (report.ended_early, report.gaps) == (0, 0)
    assert report.digests["on the screen"] == report.digests["printed"]
    assert report.digests["in the file"] == report.digests["typed"]
    assert "Traceback" not in server.log_text
