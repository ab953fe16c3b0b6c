"""Which listings may begin: the helper works on few at a time, and keeps few for clients that take nothing just now.

A listing costs the helper a descriptor and a directory's names for as long as it lives, work only while its client
wants pages. So a client that takes nothing holds up nobody: where there is no room, it is its listing that has to go.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Final, Protocol

from ..protocol.codes import Code
from ..protocol.errors import HubError

MAX_WAITING: Final = 256
"""Listings that wait until they may begin; half of them of one user."""

RETRY_MS: Final = 1000
SPARED_S: Final = 2.0
"""Before others of its user have to wait longer than this a listing that nobody takes has to go."""


class Listed(Protocol):
    """A listing."""

    who: str
    """Whose it is."""

    idle_since_s: float
    """Since when its client has all the pages that it wanted and takes none, by the loop's time; infinite: it does."""

    def evict(self) -> None:
        """End it; its client is told when it comes for the next page."""
        ...


class Admission:
    """Lets listings begin."""

    def __init__(self, max_working: int) -> None:
        """The helper works on `max_working` at a time; twice as many live, three quarters of these of one user."""
        self._max_working = max_working
        self._max_living = 2 * max_working
        self._max_of_one = max(max_working, self._max_living * 3 // 4)
        self._living: dict[Listed, None] = {}
        self._change: asyncio.Event | None = None
        self._waiting: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting.total()

    @contextmanager
    def _waits(self, who: str) -> Iterator[None]:
        if self.waiting >= MAX_WAITING or self._waiting[who] >= MAX_WAITING // 2:
            raise HubError(Code.BUSY, "Too many directories are being listed.", retry_after_ms=RETRY_MS)
        self._waiting[who] += 1
        try:
            yield
        finally:
            self._waiting[who] -= 1
            self._waiting += Counter()  # forgets who has none

    async def admit(self, listing: Listed) -> None:
        """Return when a listing may begin; it lives until `leave`.

        Raises:
            HubError: `busy`, too many wait.
        """
        with self._waits(listing.who):
            while (wait_s := self._make_room(listing.who)) > 0:
                await self._changed(wait_s)
        self._living[listing] = None

    def leave(self, listing: Listed) -> None:
        """It has ended. Idempotent."""
        if listing in self._living:
            del self._living[listing]
            self.changed()

    def changed(self) -> None:
        """To be called when the helper has made all pages of a listing that it may make."""
        if self._change is not None:
            self._change.set()
            self._change = None

    async def _changed(self, wait_s: float) -> None:
        if self._change is None:
            self._change = asyncio.Event()
        try:
            async with asyncio.timeout(None if wait_s == inf else wait_s):
                await self._change.wait()
        except TimeoutError:
            pass

    def _make_room(self, who: str) -> float:
        """How long to wait at most before the next try; 0: there is room now, perhaps because one had to go."""
        if sum(listing.idle_since_s == inf for listing in self._living) >= self._max_working:
            return inf
        numbers = Counter(listing.who for listing in self._living)
        if numbers[who] >= self._max_of_one:
            return self._evict(who, SPARED_S)
        if len(self._living) < self._max_living:
            return 0
        greediest, most = numbers.most_common(1)[0]
        return self._evict(greediest, 0 if most > numbers[who] + 1 else SPARED_S)

    def _evict(self, who: str, spared_s: float) -> float:
        """End the listing of this user that has been idle longest, if it was that for `spared_s`; else how long yet."""
        longest = min((one for one in self._living if one.who == who), key=lambda one: one.idle_since_s)
        wait_s = longest.idle_since_s + spared_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            return wait_s
        longest.evict()
        self.leave(longest)
        return 0
