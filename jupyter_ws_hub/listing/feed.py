"""Which directories are followed, by topic, and what watches each: the helper process, or the manager's events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from pathlib import Path

from ..storage.filesystem import is_shared
from .elsewhere import ContentsEvent, EventWatch, Look
from .entry import Directory, DirectoryChanged
from .helper import ListingHelper, Watch

Publish = Callable[[str, DirectoryChanged], Awaitable[None]]
"""Publishes a change to a topic."""

MAX_QUEUED = 1000
"""Changes that wait to be published; beyond that the oldest are replaced by a reset of their directories."""


class Feed:
    """What is followed now."""

    def __init__(
        self,
        helper: ListingHelper,
        logger: Logger,
        listen: Callable[[Callable[[ContentsEvent], None]], Callable[[], None]],
        look: Look,
        publish: Publish,
    ) -> None:
        """`listen` begins to hand on the manager's events, and gives what ends it."""
        self._helper = helper
        self._logger = logger
        self._listen = listen
        self._look = look
        self._publish = publish
        self._watches: dict[str, Watch] = {}
        self._events: dict[str, EventWatch] = {}
        self._unlisten: Callable[[], None] | None = None
        self._queue: dict[str, list[DirectoryChanged]] = {}
        self._publishing: asyncio.Task[None] | None = None

    async def begin(self, topic: str, path: str, directory: Directory | None) -> None:
        """Follow a directory: on the disk, or by the manager's events where that is None.

        Raises:
            OSError: the directory is not there, or the system takes no more watches.
            HubError: `busy`.
            HelperDied: it cannot be watched.
        """

        def changed(change: DirectoryChanged) -> None:
            self._put(topic, change)

        if directory is not None:
            polling = await asyncio.to_thread(is_shared, Path(directory.os_path))
            self._watches[topic] = await self._helper.watch(directory, polling, changed)
            return
        self._events[topic] = EventWatch(path, self._look, changed)
        if self._unlisten is None:
            self._unlisten = self._listen(self._on_event)

    def end(self, topic: str) -> None:
        """Follow it no longer."""
        watch = self._watches.pop(topic, None)
        if watch is not None:
            watch.stop()
        events = self._events.pop(topic, None)
        if events is not None:
            events.stop()
        if not self._events and self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    async def stop(self) -> None:
        """Follow nothing any more."""
        for topic in (*self._watches, *self._events):
            self.end(topic)
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])

    def _on_event(self, event: ContentsEvent) -> None:
        for watch in self._events.values():
            watch.touch(event.path)
            if event.action == "rename":
                watch.touch(event.source_path)

    def _put(self, topic: str, change: DirectoryChanged) -> None:
        queued = self._queue.setdefault(topic, [])
        queued.append(change)
        if len(queued) > MAX_QUEUED:
            queued[:] = [DirectoryChanged(change.path, reset=True)]
        if self._publishing is None or self._publishing.done():
            self._publishing = asyncio.create_task(self._publish_all())

    async def _publish_all(self) -> None:
        while self._queue:
            topic = next(iter(self._queue))
            for change in self._queue.pop(topic):
                try:
                    await self._publish(topic, change)
                except Exception as error:
                    self._logger.error("A change of a directory could not be told", exc_info=error)
