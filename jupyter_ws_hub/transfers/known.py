"""Which operations a server knows: what moves and what has ended as a whole, of what waits no more than a line.

What waits is in the journal, and read from there for whoever asks; a server's memory does not grow with it. As long as
somebody holds such an operation, everybody gets that same object: its lock and its stream are those of all.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from ..protocol.transfer import Direction
from .journal import Record
from .ledger import Ledger
from .operation import ENDED, Operation
from .records import adopt, apply

PAGE: Final = 50
"""So many records are read and looked at in one go: about 0.3 ms of the event loop."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """What is in memory of an operation that waits."""

    principal: str
    touched_s: float
    source: str | None
    """What a download is of, as a path of the API."""


class Known:
    """All operations that this process knows."""

    def __init__(self, ledger: Ledger, on_gone: Callable[[Operation], Awaitable[None]]) -> None:
        """None is known yet. `on_gone` is told of what is known no longer.

        Of what another server has removed it may be told no more than the id.
        """
        self._ledger = ledger
        self._whole: dict[str, Operation] = {}
        self._held: WeakValueDictionary[str, Operation] = WeakValueDictionary()
        self._waiting: dict[str, Line] = {}
        self._on_gone = on_gone

    # In memory

    def put(self, operation: Operation) -> None:
        """Know an operation as it is now; what waits must have been written down."""
        id = operation.id
        self._held[id] = operation
        if operation.stream is not None or operation.state in ENDED:
            self._whole[id] = operation
            self._waiting.pop(id, None)
            return
        self._whole.pop(id, None)
        if operation.error is not None:
            operation.error.__traceback__ = None  # it would keep the stream, and so all that the stream has
        source = operation.path if operation.direction == "download" else None
        self._waiting[id] = Line(sys.intern(operation.principal), operation.touched_s, source)

    def update(self, operation: Operation) -> bool:
        """The same for one that is known; False if it is gone."""
        if self._held.get(operation.id) is not operation:
            return False
        self.put(operation)
        return True

    def whole(self) -> list[Operation]:
        """What moves here, and what has ended."""
        return list(self._whole.values())

    @property
    def waiting(self) -> int:
        """How many wait: nobody moves their bytes."""
        return len(self._waiting)

    def running(self, principal: str | None = None) -> list[Operation]:
        """What has a stream here, of one principal or all."""
        return [
            op
            for op in self._whole.values()
            if op.stream is not None and op.state not in ENDED and principal in (None, op.principal)
        ]

    def ended(self, principal: str) -> list[Operation]:
        """What has ended, oldest first."""
        ended = (op for op in self._whole.values() if op.principal == principal and op.state in ENDED)
        return sorted(ended, key=lambda op: op.created_s)

    def unended(self, principal: str) -> int:
        """How many have not ended."""
        whole = sum(op.principal == principal and op.state not in ENDED for op in self._whole.values())
        return whole + sum(line.principal == principal for line in self._waiting.values())

    def overdue(self, before_s: float) -> list[str]:
        """The ids of what waits and was not touched since then, as far as is known here."""
        return [id for id, line in self._waiting.items() if line.touched_s < before_s]

    def needs(self, source: str, id: str) -> bool:
        """Whether a download besides this one is of the same source."""
        whole = (op for op in self._whole.values() if op.direction == "download" and op.path == source)
        return any(op.id != id for op in whole) or any(
            line.source == source and other != id for other, line in self._waiting.items()
        )

    # In the journal

    async def find(self, id: str) -> Operation | None:
        """An operation as it is here or, where nobody moves it, as the journal has it; raises what the disk says."""
        if (operation := self._ours(id)) is not None:
            return operation
        record = await self._ledger.record(id)
        if record is not None:
            return self._learned(record, is_news=True)
        if self._ours(id) is None and id in self._waiting:
            await self.gone(id)
        return self._ours(id)

    def _ours(self, id: str) -> Operation | None:
        """One of which the journal has no news: it moves here, or ends just now, or has ended."""
        operation = self._held.get(id)
        is_ours = operation is not None and (operation.stream is not None or operation.state in ENDED)
        return operation if is_ours else None

    async def each(self) -> AsyncIterator[tuple[Operation, bool]]:
        """All operations, and whether another server has brought news of this one; raises what the disk says.

        It says also of those that are gone. What is made or ends meanwhile may be missed, or come as it was.
        """
        whole, waiting = self.whole(), set(self._waiting)
        ids = iter(await self._ledger.others(set(self._whole)))
        while page := list(islice(ids, PAGE)):
            for record in await self._ledger.records(page):
                waiting.discard(record.id)
                is_news = self._is_news(record)
                yield self._learned(record, is_news), is_news
        for id in waiting:
            if await self._ledger.record(id) is None and self._ours(id) is None and id in self._waiting:
                await self.gone(id)
        for operation in whole:
            if self._held.get(operation.id) is operation:
                yield operation, False

    def _is_news(self, record: Record) -> bool:
        line = self._waiting.get(record.id)
        return self._ours(record.id) is None and (line is None or record.touched_s > line.touched_s)

    def _learned(self, record: Record, is_news: bool) -> Operation:
        """The operation of a record that was read just now."""
        if (operation := self._ours(record.id)) is not None:
            return operation
        operation = self._held.get(record.id)
        if operation is None:
            operation = adopt(record)
        elif is_news:
            apply(record, operation)
        self.put(operation)
        return operation

    async def gone(self, id: str) -> None:
        """Know an operation no longer, and tell of that."""
        operation = self._whole.pop(id, None) or self._held.get(id)
        line = self._waiting.pop(id, None)
        self._held.pop(id, None)
        if operation is None and line is not None:
            direction: Direction = "upload" if line.source is None else "download"
            operation = Operation(id, direction, line.principal, line.source or "", 0, state="cancelled")
        if operation is not None:
            await self._on_gone(operation)
