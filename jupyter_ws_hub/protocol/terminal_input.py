"""A client's input on its way to a terminal: numbered, kept until it is acknowledged, held back at the limit.

No socket, no clock, no loop. PROTOCOL.md, section 3.1, "Input".
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .codes import Code
from .errors import RemoteProtocolError
from .terminal import MAX_DATA_BYTES

BOUND_BYTES: Final = 1024 * 1024
"""How much input a client keeps at most, sent or not; what asks for more has to wait."""

SIGNALS: Final = frozenset(b"\x03\x1a\x1c")
"""Ctrl-C, Ctrl-Z and Ctrl-\\: what a terminal usually turns into signals."""

RESERVE_BYTES: Final = 64
"""So much of the limit is left to signals: else no Ctrl-C could follow a paste that nobody reads."""


class InputQueue:
    """The bytes from `accepted` on; `sent` and `limit` are byte offsets, too.

    A byte has its number for good once it was sent; what was never sent may still be dropped.
    """

    def __init__(self, *, keys: bool = True, bound_bytes: int = BOUND_BYTES) -> None:
        """`keys`: the input is typed, and a lone signal character overtakes; else it is a file, and nothing does."""
        self.accepted = 0
        self.sent = 0
        """Sent on this connection."""
        self.highest = 0
        """Sent ever, and on any connection."""
        self.limit: int | None = None
        self._keys = keys
        self._bound = bound_bytes
        self._bytes = bytearray()
        self._lone: deque[int] = deque()

    @property
    def end(self) -> int:
        """The byte offset behind the last byte."""
        return self.accepted + len(self._bytes)

    @property
    def room(self) -> int:
        """How many bytes `feed` takes now."""
        return max(0, self._bound - self.unread)

    @property
    def unread(self) -> int:
        """How many bytes the terminal has not taken."""
        return len(self._bytes)

    def feed(self, data: bytes) -> int:
        """Take input and say how many bytes were taken: fewer than there are where the bound is reached.

        A signal character alone takes the place of all that the limit holds back.
        """
        if self._keys and len(data) == 1 and data[0] in SIGNALS:
            self._drop_held_back()
            if self.room:
                self._lone.append(self.end)
        taken = data[: self.room]
        self._bytes += taken
        return len(taken)

    def _drop_held_back(self) -> None:
        if self.limit is None:
            return
        keep = max(self.highest, self.limit - RESERVE_BYTES)
        if keep < self.end:
            del self._bytes[keep - self.accepted :]
            while self._lone and self._lone[-1] >= keep:
                self._lone.pop()

    def take(self) -> list[bytes]:
        """The payloads of the DATA frames that may be sent now; they count as sent."""
        payloads: list[bytes] = []
        limit = self.limit or 0
        while self.sent < self.end:
            following = next((at for at in self._lone if at >= self.sent), self.end)
            if following == self.sent and following < self.end:
                stop = min(self.sent + 1, limit)
            else:
                held = limit - RESERVE_BYTES if self._keys else limit
                stop = min(following, held, self.sent + MAX_DATA_BYTES)
            if stop <= self.sent:
                break
            payloads.append(bytes(self._bytes[self.sent - self.accepted : stop - self.accepted]))
            self.sent = stop
        self.highest = max(self.highest, self.sent)
        return payloads

    def acknowledge(self, accepted: int, limit: int) -> bool:
        """Forget what the terminal has taken; says whether that was anything. An old acknowledgement does no harm.

        Raises:
            RemoteProtocolError: more is acknowledged than was sent.
        """
        if accepted > self.sent:
            raise RemoteProtocolError(
                Code.BAD_FRAME, f"{accepted} bytes of input are acknowledged, {self.sent} were sent."
            )
        self.limit = max(limit, self.limit or 0)
        progress = accepted > self.accepted
        if progress:
            self._forget(accepted)
        return progress

    def _forget(self, accepted: int) -> None:
        del self._bytes[: accepted - self.accepted]
        self.accepted = accepted
        while self._lone and self._lone[0] < accepted:
            self._lone.popleft()

    def resume(self, accepted: int, limit: int, *, fresh: bool) -> int:
        """A new connection goes on with the byte at `accepted`.

        Returns how many bytes may be lost: where the server has forgotten the client (`fresh`), it counts from what
        the client said it had sent when it opened the connection, and what comes before is not sent again.

        Raises:
            RemoteProtocolError: `accepted` is a byte that was acknowledged earlier, or that was never sent.
        """
        lost = 0
        is_known = self.accepted <= accepted <= self.highest
        if fresh and is_known:
            lost = accepted - self.accepted
        elif fresh:
            lost = self.highest - self.accepted
            self._forget(self.highest)
            self._lone = deque(at - self.highest + accepted for at in self._lone)
            self.accepted = self.highest = accepted
        elif not is_known:
            reason = f"Input goes on at byte {accepted}, which is not in {self.accepted} to {self.highest}."
            raise RemoteProtocolError(Code.BAD_FRAME, reason)
        self._forget(accepted)
        self.sent = accepted
        self.limit = limit
        return lost
