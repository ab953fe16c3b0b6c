"""Service `notifications`: short messages to one user or to everybody, kept for 30 days."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from ..notices.board import ALL, ME, RETENTION, Board, Notifications, Posted
from ..notices.notification import Dismissed, Notification, NotifyParams, ReadMarker
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..rates import KeyedRate, Rate
from .base import Service, Topic, method

READ = ("read", "notifications")
WRITE = ("write", "notifications")
MAX_PAGE: Final = 200
NOBODY: Final = (
    "Nobody would see this: the server's users have names, and it is not known which of them is meant. Set"
    " c.HubApp.owner = \"name\" in the server's configuration; or post with that user's own token (in an extension:"
    ' user="name"), or to all where you may.'
)
SWEEP_S: Final = 60.0
EVERYTHING_EVERY: Final = 60
"""Users who were not here since the start are seen to once an hour."""


class ListParams(msgspec.Struct, frozen=True):
    """How many of the newest notifications."""

    limit: int = 50


class NotificationsService(Service):
    """Post, list and read notifications."""

    name = "notifications"
    topics: ClassVar[Sequence[Topic]] = (
        Topic(ME, {"notification": Notification, "read": ReadMarker, "dismissed": Dismissed}, READ, RETENTION),
        Topic(ALL, {"notification": Notification}, READ, RETENTION),
    )
    _sweeper: asyncio.Task[None] | None = None
    _board: Board | None = None

    @property
    def board(self) -> Board:
        """Where they stand."""
        if self._board is None:
            self._board = Board(self.context.storage, self.context.publish, self.context.runtime)
            settings = self.context.notices
            rate = Rate(settings.per_s, settings.burst)
            self._rate = KeyedRate(rate, "notifications", self.context.runtime.monotonic)
        return self._board

    async def start(self) -> None:
        """Begin to remove what has expired."""
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Tell of what waits to be told."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await self.board.stop()

    async def _sweep(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(SWEEP_S)
            try:
                await self.board.sweep(everything=number % EVERYTHING_EVERY == 0)
            except HubError as error:
                self.context.runtime.logger.warning("Notifications cannot be tidied up: %s", error.message)

    @method("notifications.post", permission=WRITE)
    async def post(self, params: NotifyParams, peer: Peer) -> Posted:
        """Notify oneself, or everybody. With the `id` of one under way that is updated; the same at once counts once.

        Updates of one notification are told at most five times a second; the last one always is.
        """
        if params.to == "all":
            await peer.require("execute", "notifications", "notifications to everybody")
        elif not peer.principal:
            raise HubError(Code.NOT_FOUND, NOBODY)
        board = self.board
        self._rate.require(peer.principal)
        return await board.post(params, peer.principal, peer.username)

    @method("notifications.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: ListParams, peer: Peer) -> Notifications:
        """List the newest notifications of this user and of everybody: not what has expired or was dismissed."""
        if not 1 <= params.limit <= MAX_PAGE:
            raise HubError(Code.INVALID, f"limit goes from 1 to {MAX_PAGE}.")
        return await self.board.newest(peer.principal, params.limit)

    @method("notifications.read", permission=READ, idempotent=True, activity=False)
    async def read(self, params: ReadMarker, peer: Peer) -> ReadMarker:
        """Mark notifications up to these offsets as read; a marker never goes back, nor beyond what there is."""
        return await self.board.read(peer.principal, params)

    @method("notifications.dismiss", permission=READ, idempotent=True)
    async def dismiss(self, params: Dismissed, peer: Peer) -> Dismissed:
        """Show a notification to this user no more, in no window of theirs, until there is news under its `id`."""
        await self.board.dismiss(peer.principal, params.id, params.topic, params.offset)
        return params
