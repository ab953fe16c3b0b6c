"""The server's side of a file stream without I/O: what may come on an upload, what may go on a download.

Every place is an absolute byte offset, every acknowledgement and credit is cumulative: lost, repeated or late ones do
no harm, and any resume is "I have everything up to X". Disks and digests are not here.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from .codec import Chunk
from .codes import Code
from .errors import HubError, LocalProtocolError, RemoteProtocolError
from .transfer import ACK_EVERY_BYTES, ACK_EVERY_S, WINDOW_BYTES, Credit, Finish, StreamAck

GROW_WITHIN_S: Final = 0.25
"""A window that is written faster than this may be too short for its path."""


class UploadState(Enum):
    """Where an upload's receiver is."""

    RECEIVING = auto()
    FINISHING = auto()
    DONE = auto()


class UploadReceiver:
    """The receiving side of one upload stream: which bytes may come, and what the sender is told.

    `received`, `written` and `durable` are byte offsets from the file's start: taken from the socket, written to the
    file, known to be on the disk; always `durable <= written <= received <= size`.
    """

    _window_begun_s: float | None

    def __init__(self, size: int, byte_offset: int, durable: int, *, window_bytes: int = WINDOW_BYTES) -> None:
        """Go on at `byte_offset` of a file of `size` bytes."""
        if not 0 <= durable <= byte_offset <= size:
            raise LocalProtocolError(Code.INTERNAL, "The upload's offsets contradict each other.")
        self.state = UploadState.RECEIVING
        self.size = size
        self.received = byte_offset
        self.written = byte_offset
        self.durable = durable
        self.window_bytes = window_bytes
        self.limit = min(size, byte_offset + window_bytes)
        self._acked = StreamAck(byte_offset, byte_offset, durable)
        self._acked_s = float("-inf")
        self._window_begun, self._window_begun_s = byte_offset, None

    def receive(self, chunk: Chunk) -> None:
        """Take a chunk that continues exactly where the last one ended.

        Raises:
            HubError: `wrong_offset` (nothing was taken; details name the expected offset) or `too_big`.
            RemoteProtocolError: it comes after `finish`, or goes beyond the credit.
        """
        if self.state is not UploadState.RECEIVING:
            raise RemoteProtocolError(Code.BAD_FRAME, "Data came after finish.")
        end = chunk.byte_offset + len(chunk.payload)
        if chunk.byte_offset != self.received or chunk.file_index != 0:
            raise HubError(
                Code.WRONG_OFFSET,
                f"The data must continue at byte {self.received}, not at {chunk.byte_offset}.",
                details={"expected": self.received, "provided": chunk.byte_offset},
            )
        if end > self.size:
            raise HubError(Code.TOO_BIG, f"The file was announced with {self.size} bytes; this goes to {end}.")
        if end > self.limit:
            raise RemoteProtocolError(Code.BAD_FRAME, f"The credit ends at byte {self.limit}; this goes to {end}.")
        self.received = end

    def wrote(self, byte_offset: int) -> Credit | None:
        """Everything before `byte_offset` is in the file; give new credit where the window has moved enough."""
        if not self.written <= byte_offset <= self.received:
            raise LocalProtocolError(Code.INTERNAL, "The upload wrote what it had not received.")
        self.written = byte_offset
        limit = min(self.size, self.written + self.window_bytes)
        if limit - self.limit >= self.window_bytes // 4 or (limit > self.limit and limit == self.size):
            self.limit = limit
            return Credit(limit)
        return None

    def has_outgrown(self, now_s: float) -> bool:
        """Whether a whole window was written in a short time, and little waits for the disk: then it may be too short.

        To be asked after `wrote`.
        """
        if self._window_begun_s is None or self.written - self._window_begun >= self.window_bytes:
            begun_s, self._window_begun_s, self._window_begun = self._window_begun_s, now_s, self.written
            is_fast = begun_s is not None and now_s - begun_s < GROW_WITHIN_S
            return is_fast and self.limit < self.size and self.received - self.written < self.window_bytes // 2
        return False

    def widen(self, more_bytes: int) -> None:
        """The sender may go further beyond what is written from now on."""
        self.window_bytes += more_bytes

    def synced(self, byte_offset: int) -> None:
        """Everything before `byte_offset` has reached the disk."""
        if not self.durable <= byte_offset <= self.written:
            raise LocalProtocolError(Code.INTERNAL, "The upload synced what it had not written.")
        self.durable = byte_offset

    def ack_due(self, now_s: float, *, idle: bool = False) -> StreamAck | None:
        """An acknowledgement, if there is something new and 1 MiB or 100 ms have gone by, or nothing else is to do."""
        ack = StreamAck(self.received, self.written, self.durable)
        if ack == self._acked:
            return None
        moved = ack.written - self._acked.written
        if not idle and moved < ACK_EVERY_BYTES and now_s - self._acked_s < ACK_EVERY_S:
            return None
        self._acked, self._acked_s = ack, now_s
        return ack

    def finish(self, message: Finish) -> None:
        """The sender says that it is done.

        Raises:
            HubError: `conflict` if the sizes differ, `wrong_offset` if bytes are missing.
        """
        if message.size != self.size:
            raise HubError(
                Code.CONFLICT, f"The file was announced with {self.size} bytes and ended with {message.size}."
            )
        if self.received != self.size:
            raise HubError(
                Code.WRONG_OFFSET,
                f"The file is not whole: it has {self.received} of {self.size} bytes.",
                details={"expected": self.received, "provided": self.size},
            )
        if self.state is UploadState.RECEIVING:
            self.state = UploadState.FINISHING

    def finished(self) -> None:
        """The file is published."""
        if self.state is not UploadState.FINISHING or self.written != self.size:
            raise LocalProtocolError(Code.INTERNAL, "An upload was published before it was whole.")
        self.state = UploadState.DONE


class DownloadSender:
    """The sending side of one download stream: which bytes may go now."""

    def __init__(self, size: int, have: int, *, window_bytes: int = WINDOW_BYTES) -> None:
        """Go on after the `have` bytes that the client has; it grants the first window by asking.

        Raises:
            HubError: `wrong_offset` if the client claims more than the file has.
        """
        if not 0 <= have <= size:
            raise HubError(
                Code.WRONG_OFFSET,
                f"The file has {size} bytes; byte {have} cannot be had already.",
                details={"expected": size, "provided": have},
            )
        self.size = size
        self.sent = have
        self.limit = min(size, have + window_bytes)

    def credit(self, message: Credit) -> None:
        """The client takes data up to a new limit; a lower one than before changes nothing.

        Raises:
            RemoteProtocolError: the limit is negative.
        """
        if message.limit < 0:
            raise RemoteProtocolError(Code.BAD_FRAME, "A credit cannot be negative.")
        self.limit = max(self.limit, min(message.limit, self.size))

    def take(self, max_bytes: int) -> int:
        """How many bytes may be sent from `sent` on now, at most `max_bytes`; they count as sent."""
        count = max(0, min(max_bytes, self.limit - self.sent))
        self.sent += count
        return count

    @property
    def complete(self) -> bool:
        """Whether all bytes were sent."""
        return self.sent == self.size
