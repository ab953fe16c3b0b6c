"""Work that nobody waits for is done, and its failures are told, once."""

from __future__ import annotations

import asyncio

from jupyter_ws_hub.hub.chores import Chores

from ..support.fakes import turns


async def test_what_is_started_is_known_until_it_has_ended_and_only_failures_are_told() -> None:
    failures: list[BaseException] = []
    chores = Chores(failures.append)
    gate, error = asyncio.Event(), RuntimeError("boom")

    async def work(fails: bool) -> None:
        await gate.wait()
        if fails:
            raise error

    fine, broken, stopped = chores.start(work(False)), chores.start(work(True)), chores.start(work(True))
    assert chores.tasks == {fine, broken, stopped}
    stopped.cancel()
    await turns()
    assert chores.tasks == {fine, broken} and failures == []
    gate.set()
    await turns()
    assert chores.tasks == set() and failures == [error]
