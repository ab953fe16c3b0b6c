"""A short storm (tests/soak has the long one): publishers and subscribers lose nothing to cuts and a kill."""

from __future__ import annotations

from collections.abc import Callable

from ..soak.storm import storm
from ..support.server import RealServer
from .test_reconnect import CONFIG


async def test_30_cuts_and_a_kill_lose_nothing_and_repeat_nothing(start_server: Callable[..., RealServer]) -> None:
    server = start_server(config=CONFIG)
    async with storm(server, seed=2) as its:
        report = await its.run(cuts=30, kills=1, pause_s=0.1)
    assert report.cuts.total() == 30 and report.kills == 1
    assert len(report.published) > 100, "too little was published to show anything"
    assert "Traceback" not in server.log_text
