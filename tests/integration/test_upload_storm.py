"""Random walks of uploads over a bad network to a server that dies; the long ones are in tests/soak."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.address import until
from tests.support.proxy import FaultProxy
from tests.support.server import RealServer
from tests.support.tree_storm import TreeStep, TreeWalk
from tests.support.upload_storm import LEFT_OPEN, FileEnd, FileWalk, Storm

FILES: list[FileEnd] = ["finish", "cancel", "wrong", "rival", "kill", "late cancel", "wrong", "finish", "rival", "kill"]
ACTIONS = 3
TREES: list[Sequence[TreeStep]] = [["cut", "two"], ["pause", "cut"], ["cut", "kill"]]


async def walk(server: RealServer, seed: int, files: Sequence[FileEnd], trees: Sequence[Sequence[TreeStep]]) -> Storm:
    """Walks one after the other; at the end nothing is left but files."""
    async with FaultProxy(server.port) as proxy:
        storm = Storm(server, proxy, seed)
        for number, end in enumerate(files):
            await FileWalk(storm, number).run(ACTIONS, end)
        for number, steps in enumerate(trees):
            await TreeWalk(storm, number).run(steps)
    await until(lambda: server.descriptors <= storm.descriptors + LEFT_OPEN, "descriptors to be closed")
    storm.check_end()
    print(f"\nseed {seed}: {dict(storm.done)}")
    return storm


async def test_files_are_whole_or_untouched_and_those_of_trees_whole_or_absent(
    start_server: Callable[..., RealServer],
) -> None:
    storm = await walk(start_server(), 1, FILES, TREES)
    wanted = ("done", "cancelled", "failed", "tree done", "kill", "die", "rival", "two", "cut", "pause")
    assert min(storm.done[name] for name in wanted) > 0, storm.done
