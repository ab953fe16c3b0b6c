"""What the benchmarks of chats share: rooms in which something was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from tests.support.client import Address, HubClient

from .plugin.service import Said
from .wire import Target

FILL_S: Final = 600.0
FIRST_ROOM: Final = "general"
"""It is there from the beginning."""


async def say(target: Target, rooms: Sequence[str], count: int, *, told: bool = False) -> None:
    """Make rooms and put so many messages into each; `told`: into the logs of their topics, too."""
    async with HubClient(Address(target.port)) as client:
        for room in rooms:
            if room != FIRST_ROOM:
                await client.request("chat.create", {"name": room})
            said = msgspec.to_builtins(Said(room, count, told))
            await client.request("bench.say", said, timeout_s=FILL_S)
