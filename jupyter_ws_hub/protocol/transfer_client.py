"""The client's side of a file stream without I/O: what may be sent of an upload, what may come of a download.

Each machine lives as long as its operation, over all its streams: `hello` begins a new one, on which messages and data
of an older one must not be handed in. Times are seconds of any steady clock. Files, digests and sockets are not here.
PROTOCOL.md, section 4, has the rules; trees are in transfer_client_tree.py.
"""

from __future__ import annotations

from typing import Final

from .codec import Chunk
from .codes import Code
from .errors import ErrorInfo, HubError, LocalProtocolError, RemoteProtocolError
from .transfer import (
    MAX_WINDOW_BYTES,
    WINDOW_BYTES,
    Credit,
    Direction,
    Done,
    Finish,
    Kind,
    Settled,
    StreamAck,
    StreamError,
    StreamHello,
    StreamPing,
    StreamPong,
    StreamServerMessage,
    StreamWelcome,
    TreeEntries,
)

ASK_S: Final = 5.0
"""After so much silence of the server a client asks whether it is there: sooner than it would have to."""

DEAD_S: Final = 20.0
"""After so much of it the stream is dead."""


def to_hub_error(info: ErrorInfo) -> HubError:
    """The error that a server has told of; a code that this client does not know is an internal one."""
    code = next((code for code in Code if code.wire_name == info.code), Code.INTERNAL)
    return HubError(code, info.message, retry_after_ms=info.retry_after_ms, details=info.details)


class Stream:
    """What all machines have in common: the first message, errors, and signs of life."""

    direction: Direction
    kind: Kind = "file"

    def __init__(self, size: int) -> None:
        """`size` is that of all bytes."""
        self.size = size
        self.is_open = False
        """Whether the current stream has had its welcome."""
        self.done: Done | None = None
        self._heard_s = self._asked_s = 0.0

    def _begin(self, now_s: float) -> None:
        self.is_open = False
        self._heard_s = self._asked_s = now_s

    def heard(self, now_s: float) -> None:
        """Something has come from the server."""
        self._heard_s = now_s

    def ping(self, now_s: float) -> StreamPing | None:
        """The question to ask now, if the server has been silent for so long."""
        if now_s - max(self._heard_s, self._asked_s) < ASK_S:
            return None
        self._asked_s = now_s
        return StreamPing()

    def is_dead(self, now_s: float) -> bool:
        """Whether the server has been silent for too long."""
        return now_s - self._heard_s >= DEAD_S

    def _open(self, welcome: StreamWelcome) -> None:
        if self.is_open:
            raise RemoteProtocolError(Code.BAD_FRAME, "A stream has one welcome.")
        if (welcome.direction, welcome.kind) != (self.direction, self.kind):
            what = f"The {welcome.direction} of a {welcome.kind} was opened, not the {self.direction} of a {self.kind}."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
        if not 0 <= welcome.byte_offset <= welcome.limit:
            raise RemoteProtocolError(Code.BAD_FRAME, "The welcome's offsets contradict each other.")
        self.is_open = True

    def _common(self, message: StreamServerMessage) -> bool:
        """Whether the message is dealt with; raises what it tells of."""
        if isinstance(message, StreamError):
            raise to_hub_error(message.error)
        if isinstance(message, StreamWelcome):
            self._open(message)
        elif not self.is_open and not isinstance(message, Done):
            raise RemoteProtocolError(Code.BAD_FRAME, "The first message of a stream has to be welcome.")
        return isinstance(message, StreamPong)


class UploadSender(Stream):
    """The sending side of an upload.

    `sent`, `limit`, `written` and `durable` are byte offsets from the beginning: sent on this stream, allowed on it,
    and what the server has said of any.
    """

    direction = "upload"

    def __init__(self, size: int) -> None:
        """Nothing was sent yet."""
        super().__init__(size)
        self.sent = self.limit = self.written = self.durable = 0
        self.is_finishing = False

    def hello(self, now_s: float, *, digests: bool = False) -> StreamHello:
        """The first message of a new stream; `digests`: the server is to prove what it has."""
        self._begin(now_s)
        self.is_finishing = False
        return StreamHello(digests=digests)

    def receive(self, message: StreamServerMessage, now_s: float) -> StreamWelcome | Settled | Done | None:
        """Take a message; what is news for the driver comes back.

        Raises:
            HubError: the server has told of an error, and the stream is over.
            RemoteProtocolError: the message may not come now.
        """
        self.heard(now_s)
        if self._common(message):
            return None
        match message:
            case StreamWelcome():
                self._go_on_at(message)
                return message
            case Credit(limit):
                self.limit = max(self.limit, self._bounded(limit))
            case StreamAck(received, written, durable):
                if not durable <= written <= received <= self.sent:
                    raise RemoteProtocolError(Code.BAD_FRAME, f"Byte {received} of {self.sent} is acknowledged.")
                self.written, self.durable = max(self.written, written), max(self.durable, durable)
            case Done():
                self._end(message)
                return message
            case Settled():
                return self._settle(message)
            case _:
                raise RemoteProtocolError(Code.BAD_FRAME, "This may not come on an upload.")
        return None

    def _bounded(self, limit: int) -> int:
        return min(limit, self.size)

    def _go_on_at(self, welcome: StreamWelcome) -> None:
        if welcome.byte_offset > self.size or welcome.size != self.size:
            what = f"The server takes a file of {welcome.size} bytes at byte {welcome.byte_offset}; it has {self.size}."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
        self.sent = welcome.byte_offset
        self.written, self.durable = welcome.byte_offset, welcome.durable
        self.limit = self._bounded(welcome.limit)

    def _settle(self, message: Settled) -> Settled:
        raise RemoteProtocolError(Code.BAD_FRAME, "A file has no entries.")

    def _end(self, done: Done) -> None:
        if self.is_open and not self.is_finishing:
            raise RemoteProtocolError(Code.BAD_FRAME, "The upload was ended before all was sent.")
        if done.size != self.size:
            raise RemoteProtocolError(Code.BAD_FRAME, f"{done.size} bytes were published, not {self.size}.")
        self.done = done

    @property
    def room(self) -> int:
        """How many bytes may be sent now."""
        return max(0, self.limit - self.sent) if self.is_open and not self.is_finishing else 0

    def take(self, count: int) -> None:
        """Bytes are sent, at most `room` of them."""
        if not 0 <= count <= self.room:
            raise LocalProtocolError(Code.INTERNAL, f"{count} bytes were sent; {self.room} may be.")
        self.sent += count

    def finish(self, root: str) -> Finish:
        """All bytes are sent; `root` is their digest in hex."""
        if not self.is_open or self.sent != self.size:
            raise LocalProtocolError(Code.INTERNAL, f"{self.sent} of {self.size} bytes were sent.")
        self.is_finishing = True
        return Finish(self.size, root)


class DownloadReceiver(Stream):
    """The receiving side of a download. `received`, `written` and `limit` are byte offsets from the beginning."""

    direction = "download"

    def __init__(self, size: int, have: int = 0, *, window_bytes: int = WINDOW_BYTES) -> None:
        """`have` bytes are here already; the window is that of the protocol but in tests."""
        super().__init__(size)
        if not 0 <= have <= size:
            raise LocalProtocolError(Code.INTERNAL, f"{have} of {size} bytes cannot be here.")
        self.received = self.written = have
        self.limit = 0
        self._first_window = window_bytes
        self._start = have

    def hello(self, now_s: float) -> StreamHello:
        """The first message of a new stream; all that was received has been written, or is dropped."""
        self._begin(now_s)
        self.received = self.written
        self._start = self.written
        self.limit = min(self.size, self.written + self._first_window)
        return StreamHello(have=self.written)

    def receive(self, message: StreamServerMessage, now_s: float) -> StreamWelcome | TreeEntries | Done | None:
        """Take a message; what is news for the driver comes back. Raises as `UploadSender.receive`."""
        self.heard(now_s)
        if self._common(message):
            return None
        match message:
            case StreamWelcome():
                if (message.byte_offset, message.size) != (self.received, self.size):
                    what = f"The download goes on at byte {message.byte_offset} of {message.size},"
                    raise RemoteProtocolError(Code.BAD_FRAME, f"{what} not at {self.received} of {self.size}.")
                return message
            case TreeEntries():
                self._announced(message)
                return message
            case Done():
                self._end(message)
                return message
        raise RemoteProtocolError(Code.BAD_FRAME, "This may not come on a download.")

    def _announced(self, message: TreeEntries) -> None:
        raise RemoteProtocolError(Code.BAD_FRAME, "A file has no entries.")

    def _end(self, done: Done) -> None:
        if self.received != self.size or done.size != self.size:
            what = f"The download ended at byte {self.received} of {self.size}; the server says {done.size}."
            raise RemoteProtocolError(Code.BAD_FRAME, what)
        self.done = done

    def data(self, chunk: Chunk, now_s: float) -> None:
        """Take data.

        Raises:
            RemoteProtocolError: it does not continue where the last one ended, or goes beyond the credit.
        """
        self.heard(now_s)
        end = chunk.byte_offset + len(chunk.payload)
        if not self.is_open or chunk.byte_offset != self.received or chunk.file_index != 0:
            raise RemoteProtocolError(Code.BAD_FRAME, f"Byte {chunk.byte_offset} came instead of {self.received}.")
        if end > self.limit:
            raise RemoteProtocolError(Code.BAD_FRAME, f"The credit ends at byte {self.limit}; data goes to {end}.")
        self.received = end

    def wrote(self, byte_offset: int) -> Credit | None:
        """Everything before `byte_offset` is in the file; gives new credit where enough of it was used.

        The window grows with what this stream has brought: at first nobody knows how long the path is.
        """
        if not self.written <= byte_offset <= self.received:
            raise LocalProtocolError(Code.INTERNAL, "The download wrote what it had not received.")
        self.written = byte_offset
        window = max(self._first_window, min(self.written - self._start, MAX_WINDOW_BYTES))
        limit = min(self.size, self.written + window)
        if limit - self.limit >= window // 4 or (limit > self.limit and limit == self.size):
            self.limit = limit
            return Credit(limit)
        return None
