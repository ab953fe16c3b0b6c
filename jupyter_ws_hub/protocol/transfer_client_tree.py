"""The client's side of a tree's file stream without I/O: entries beside the bytes. See transfer_client.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from .codec import Chunk
from .codes import Code
from .errors import LocalProtocolError, RemoteProtocolError
from .transfer import (
    ENTRIES_AHEAD,
    Done,
    Finish,
    Settled,
    StreamHello,
    StreamWelcome,
    TreeEntries,
    TreeEntry,
)
from .transfer_client import DownloadReceiver, UploadSender

MAX_ENTRIES: Final = 1_000_000
"""A tree with more is refused: they are kept in memory until their bytes have come."""


class TreeSender(UploadSender):
    """The sending side of a tree's upload: entries are announced before their bytes, and settled in order.

    The bytes announced so far bound what may be sent; `size` is known for good with the last entry.
    """

    kind = "tree"

    def __init__(self, entries: int) -> None:
        """A tree of so many entries, of which nothing was announced yet."""
        super().__init__(0)
        self.entries = entries
        self.announced = self.settled = 0
        self._begun = False

    def _go_on_at(self, welcome: StreamWelcome) -> None:
        most = self.announced if self._begun else self.entries
        if not self.settled <= welcome.entry <= most:
            what = f"The server goes on at entry {welcome.entry}, which is not in {self.settled} to {most}."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
        self._begun = True
        self.announced = self.settled = welcome.entry
        self.sent = self.size = welcome.byte_offset
        self.written, self.durable = welcome.byte_offset, welcome.durable
        self.limit = welcome.limit

    def _bounded(self, limit: int) -> int:
        return limit

    @property
    def room(self) -> int:
        """How many bytes may be sent now: as far as entries were announced."""
        return min(super().room, self.size - self.sent)

    @property
    def entries_room(self) -> int:
        """How many entries may be announced now."""
        return max(0, self.settled + ENTRIES_AHEAD - self.announced) if self.is_open and not self.is_finishing else 0

    def announce(self, entries: Sequence[TreeEntry]) -> TreeEntries:
        """The message that tells of the next entries, at most `entries_room`; their bytes may follow."""
        if len(entries) > self.entries_room:
            raise LocalProtocolError(Code.INTERNAL, f"{len(entries)} entries; {self.entries_room} may be announced.")
        first = self.announced
        self.announced += len(entries)
        self.size += sum(entry.size for entry in entries)
        return TreeEntries(first, list(entries))

    def _settle(self, message: Settled) -> Settled:
        if message.entry > self.announced or any(not 0 <= r.entry < self.announced for r in message.results):
            raise RemoteProtocolError(Code.BAD_FRAME, f"Entry {message.entry} of {self.announced} is settled.")
        self.settled = max(self.settled, message.entry)
        return message

    def finish(self, root: str = "") -> Finish:
        """All entries were announced, and all bytes are sent."""
        return msgspec.structs.replace(super().finish(""), entries=self.announced)

    def _end(self, done: Done) -> None:
        if not self.is_open:
            self.done = done  # it was over before this stream: what it held is not known any more
            return
        super()._end(done)
        if done.entries != self.announced:
            raise RemoteProtocolError(Code.BAD_FRAME, f"{done.entries} entries were put; {self.announced} were sent.")


class Part(msgspec.Struct, frozen=True, gc=False):
    """A piece of an entry of a download: where in the entry it belongs, and whether the entry is whole with it."""

    number: int
    entry: TreeEntry
    byte_offset: int
    payload: memoryview
    is_last: bool


class TreeReceiver(DownloadReceiver):
    """The receiving side of a tree's download: cuts the bytes into entries."""

    kind = "tree"

    def __init__(self, size: int, entries: int, have: int = 0, have_entries: int = 0, inside: int = 0) -> None:
        """A tree of so many bytes and entries; `inside`, counted in `have`, are those of the one that is not whole."""
        super().__init__(size, have)
        if not 0 <= have_entries <= entries <= MAX_ENTRIES:
            raise RemoteProtocolError(Code.TOO_BIG, f"A tree of {entries} entries is not taken; {MAX_ENTRIES} are.")
        self.entries = entries
        self.whole = have_entries
        """How many entries are whole."""
        self._inside = inside
        self._ahead: deque[TreeEntry] = deque()
        self._begun: TreeEntry | None = None
        """The entry that is not whole, from a break on until it is announced again."""

    def hello(self, now_s: float) -> StreamHello:
        """The first message of a new stream; all that was received has been written."""
        if self.written != self.received:
            raise LocalProtocolError(Code.INTERNAL, "A tree's parts were received and not written.")
        if not self._inside:
            self._begun = None
        elif self._ahead:
            self._begun = self._ahead[0]
        self._ahead.clear()
        return msgspec.structs.replace(super().hello(now_s), entries=self.whole)

    def _announced(self, message: TreeEntries) -> None:
        known = self.whole + len(self._ahead)
        if message.first != known or known + len(message.entries) > self.entries:
            what = f"Entries from {message.first} on came, {len(message.entries)}; {known} of {self.entries} are known."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
        for entry in message.entries:
            if entry.size < 0 or (entry.type == "directory" and entry.size):
                raise RemoteProtocolError(Code.BAD_FRAME, f"{entry.path!r:.200} cannot have {entry.size} bytes.")
            if self._begun is not None and not self._ahead:
                if (entry.path, entry.size) != (self._begun.path, self._begun.size):
                    raise RemoteProtocolError(Code.SOURCE_CHANGED, f"{entry.path!r:.200} is not what was begun.")
                self._begun = None
            self._ahead.append(entry)

    def parts(self, chunk: Chunk | None, now_s: float) -> list[Part]:
        """Take data, or None after entries were told: what of which entry it is, the empty ones too.

        Raises:
            RemoteProtocolError: as `data`, or no entry was told for it.
        """
        payload = memoryview(b"")
        if chunk is not None:
            self.data(chunk, now_s)
            payload = chunk.payload
        parts = []
        while self._ahead:
            entry = self._ahead[0]
            piece = payload[: entry.size - self._inside]
            is_last = self._inside + len(piece) == entry.size
            if not piece and not is_last:
                break
            parts.append(Part(self.whole, entry, self._inside, piece, is_last))
            payload = payload[len(piece) :]
            self._inside = 0 if is_last else self._inside + len(piece)
            if is_last:
                self._ahead.popleft()
                self.whole += 1
        if payload:
            raise RemoteProtocolError(Code.BAD_FRAME, "Bytes came for which no entry was told.")
        return parts

    def _end(self, done: Done) -> None:
        super()._end(done)
        if self.whole != self.entries:
            what = f"The download ended with {self.whole} of {self.entries} entries."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
