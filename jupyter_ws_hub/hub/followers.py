"""Tells services which of their topics somebody follows, so that they need not do work for nobody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from logging import Logger

from .chores import Chores
from .declare import Topic


@dataclass
class _Followed:
    """Who follows a topic, and whether its service was told so."""

    members: set[object] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    told: bool = False


class Followers:
    """Who follows the topics whose declaration asks for it by `watched`."""

    def __init__(self, logger: Logger) -> None:
        """Nobody follows anything."""
        self._logger = logger
        self._topics: dict[str, _Followed] = {}
        self._chores = Chores(self._failed)

    async def enter(self, spec: Topic, topic: str, who: object) -> None:
        """Somebody begins to follow a topic; done when its service knows. Raises what the service does."""
        if spec.watched is None:
            return
        followed = self._topics.setdefault(topic, _Followed())
        followed.members.add(who)
        try:
            await self._settle(spec, topic, followed)
        except BaseException:
            self.leave(spec, topic, who)
            raise

    def leave(self, spec: Topic, topic: str, who: object) -> None:
        """They follow it no longer. Idempotent."""
        followed = self._topics.get(topic)
        if followed is None or who not in followed.members:
            return
        followed.members.discard(who)
        if not followed.members:
            self._chores.start(self._settle(spec, topic, followed))

    async def _settle(self, spec: Topic, topic: str, followed: _Followed) -> None:
        """Let the service know how it is now."""
        async with followed.lock:
            wanted = bool(followed.members)
            if wanted is not followed.told:
                assert spec.watched is not None
                await spec.watched(topic, wanted)
                followed.told = wanted
            if not followed.members and not followed.told:
                self._topics.pop(topic, None)

    def _failed(self, error: BaseException) -> None:
        self._logger.error("A service failed when a topic was followed no longer", exc_info=error)

    async def stop(self) -> None:
        """End what is under way."""
        tasks = self._chores.tasks
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
