"""What the tests of conversations begin ends with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_goes_on(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """End what sweeps and keeps by itself, as a process that ends does: it would be destroyed in another test."""
    yield
    tasks = asyncio.all_tasks(jp_asyncio_loop)
    for task in tasks:
        task.cancel()
    if tasks:
        jp_asyncio_loop.run_until_complete(asyncio.wait(tasks))
