"""The file-stream protocol without I/O: its text messages, and a machine for each direction.

Every place is an absolute byte offset, every acknowledgement and credit is cumulative: lost, repeated or late ones do
no harm, and any resume is "I have everything up to X". Data frames are in codec.py; disks and digests are not here.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Literal, TypeAlias

import msgspec

from .codec import Chunk
from .codes import Code
from .errors import ErrorInfo, HubError, LocalProtocolError, RemoteProtocolError

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""One digest is taken per block of this size; the root digest is the digest of the block digests."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""How far a sender may go beyond what the receiver has taken care of."""

ACK_EVERY_BYTES: Final = 1024 * 1024
ACK_EVERY_S: Final = 0.1

Direction: TypeAlias = Literal["upload", "download"]


# Client to server


class StreamHello(msgspec.Struct, tag="hello", frozen=True):
    """First message on a stream. A download goes on after the `have` bytes that the client has already."""

    have: int = 0


class Finish(msgspec.Struct, tag="finish", frozen=True):
    """All bytes of an upload are sent: how many, and the root digest in hex."""

    size: int
    root: str


# Both directions


class Credit(msgspec.Struct, tag="credit", frozen=True):
    """The sender of data may go up to this byte offset (exclusive). Never falls."""

    limit: int


# Server to client


class StreamWelcome(msgspec.Struct, tag="welcome", frozen=True):
    """The stream is open: go on at `byte_offset`, up to `limit`."""

    direction: Direction
    path: str
    byte_offset: int
    durable: int
    size: int
    limit: int
    block_bytes: int
    digest: str


class StreamAck(msgspec.Struct, tag="ack", frozen=True):
    """How far an upload has come: received by the server, written to the file, safe on the disk."""

    received: int
    written: int
    durable: int


class Done(msgspec.Struct, tag="done", frozen=True):
    """The end. For an upload: published under `path`. For a download: all bytes were sent; compare `root`."""

    path: str
    size: int
    root: str
    etag: str
    warning: str | None = None


class StreamError(msgspec.Struct, tag="error", frozen=True):
    """Why the stream ends, sent before the close frame."""

    error: ErrorInfo
    expected: int | None = None
    """The byte offset that would have been right, after `wrong_offset`."""


StreamClientMessage: TypeAlias = StreamHello | Finish | Credit
StreamServerMessage: TypeAlias = StreamWelcome | StreamAck | Credit | Done | StreamError

_client_message: msgspec.json.Decoder[StreamClientMessage] = msgspec.json.Decoder(StreamClientMessage)
_server_message: msgspec.json.Decoder[StreamServerMessage] = msgspec.json.Decoder(StreamServerMessage)
_encoder = msgspec.json.Encoder()
_CLIENT_TYPES: Final = frozenset(str(t.__struct_config__.tag) for t in StreamClientMessage.__args__)


class _Outline(msgspec.Struct):
    type: str


_outline = msgspec.json.Decoder(_Outline)


def encode_stream(message: StreamServerMessage | StreamClientMessage) -> str:
    """Encode a text message of the file stream; each is a frame of its own."""
    return _encoder.encode(message).decode()


def decode_stream_client(text: str) -> StreamClientMessage:
    """Decode a text message from a client.

    Raises:
        HubError: `unknown_type`; the stream goes on.
        RemoteProtocolError: it is no message of this protocol.
    """
    try:
        return _client_message.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        kind = _type_of(text)
        if kind is not None and kind not in _CLIENT_TYPES:
            raise HubError(Code.UNKNOWN_TYPE, f"This server knows no message of type {kind!r:.80}.") from error
        raise RemoteProtocolError(Code.BAD_FRAME, f"The message was not understood: {error}.") from error


def _type_of(text: str) -> str | None:
    try:
        return _outline.decode(text).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def decode_stream_server(text: str) -> StreamServerMessage:
    """Decode a text message from a server, for clients written in Python; raises as `decode_stream_client`."""
    try:
        return _server_message.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(Code.BAD_FRAME, f"The server's message was not understood: {error}.") from error


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

    def __init__(self, size: int, byte_offset: int, durable: int, *, window_bytes: int = WINDOW_BYTES) -> None:
        """Go on at `byte_offset` of a file of `size` bytes."""
        if not 0 <= durable <= byte_offset <= size:
            raise LocalProtocolError(Code.INTERNAL, "The upload's offsets contradict each other.")
        self.state = UploadState.RECEIVING
        self.size = size
        self.received = byte_offset
        self.written = byte_offset
        self.durable = durable
        self._window_bytes = window_bytes
        self.limit = min(size, byte_offset + window_bytes)
        self._acked = StreamAck(byte_offset, byte_offset, durable)
        self._acked_s = float("-inf")

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
        limit = min(self.size, self.written + self._window_bytes)
        if limit - self.limit >= self._window_bytes // 4 or (limit > self.limit and limit == self.size):
            self.limit = limit
            return Credit(limit)
        return None

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
