"""Long random walks of uploads: `make soak`."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ..integration.test_upload_storm import walk
from ..support.server import RealServer
from ..support.tree_storm import TreeStep
from ..support.upload_storm import FileEnd

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

ENDS: list[FileEnd] = ["finish", "finish", "kill", "kill", "cancel", "late cancel", "wrong", "rival"]
STEPS: list[TreeStep] = ["cut", "cut", "kill", "kill", "two", "pause"]


@pytest.mark.parametrize("seed", range(5))
async def test_no_sequence_of_troubles_leaves_a_part_of_a_file(
    start_server: Callable[..., RealServer], seed: int
) -> None:
    chance = random.Random(seed)
    files = [chance.choice(ENDS) for _ in range(40)]
    trees = [[chance.choice(STEPS) for _ in range(4)] for _ in range(10)]
    storm = await walk(start_server(), seed, files, trees)
    assert storm.done["kill"] >= 10
