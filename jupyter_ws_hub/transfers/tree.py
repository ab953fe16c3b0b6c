"""The bytes of a tree, cut into its files: pure, without a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from ..protocol.transfer import ENTRIES_AHEAD, TREE_FILE_BYTES, TreeEntries, TreeEntry


@dataclass
class Arrived:
    """An entry all of whose bytes have come; `end` is the byte offset behind them."""

    number: int
    entry: TreeEntry
    end: int
    parts: list[memoryview] = field(default_factory=list)


class TreeSplitter:
    """Takes what the client announces and sends, in order; gives the entries that are whole, in order."""

    def __init__(self, entry: int, byte_offset: int) -> None:
        """Go on with the entry number `entry`, whose first byte is at `byte_offset`."""
        self.announced = entry
        """Entries before this number are announced."""
        self.announced_bytes = byte_offset
        self._settled = entry
        self._pending: deque[Arrived] = deque()
        self._needed = 0
        """Bytes that the first pending entry still needs."""

    def announce(self, message: TreeEntries) -> None:
        """Take entries that the client will send.

        Raises:
            RemoteProtocolError: they are not the next ones, too many at a time, or have sizes that cannot be.
        """
        if message.first != self.announced:
            raise RemoteProtocolError(
                Code.BAD_FRAME, f"The next entry is number {self.announced}, not {message.first}."
            )
        if self.announced + len(message.entries) > self._settled + ENTRIES_AHEAD:
            raise RemoteProtocolError(Code.BAD_FRAME, f"At most {ENTRIES_AHEAD} entries may be announced ahead.")
        for entry in message.entries:
            if not 0 <= entry.size <= TREE_FILE_BYTES or (entry.size and (entry.type != "file" or entry.missing)):
                raise RemoteProtocolError(Code.BAD_FRAME, f"{entry.path[:200]!r} cannot have {entry.size} bytes here.")
            self.announced_bytes += entry.size
            if not self._pending:
                self._needed = entry.size
            self._pending.append(Arrived(self.announced, entry, self.announced_bytes))
            self.announced += 1

    def check_data(self, end: int) -> None:
        """Raise unless bytes up to `end` were announced."""
        if end > self.announced_bytes:
            raise HubError(
                Code.TOO_BIG, f"The entries announced end at byte {self.announced_bytes}; this goes to {end}."
            )

    @property
    def has_whole(self) -> bool:
        """Whether the next entry needs no more bytes."""
        return bool(self._pending) and self._needed == 0

    def take(self, chunks: Iterable[memoryview]) -> list[Arrived]:
        """Take the bytes that follow; give what is whole by that."""
        whole = self._pop_whole()
        for chunk in chunks:
            rest = chunk
            while rest:
                part = rest[: self._needed]
                self._pending[0].parts.append(part)
                self._needed -= len(part)
                rest = rest[len(part) :]
                whole += self._pop_whole()
        return whole

    def _pop_whole(self) -> list[Arrived]:
        whole = []
        while self._pending and self._needed == 0:
            whole.append(self._pending.popleft())
            self._needed = self._pending[0].entry.size if self._pending else 0
        return whole

    def settled(self, entry: int) -> None:
        """The entries before this number are done with."""
        self._settled = entry
