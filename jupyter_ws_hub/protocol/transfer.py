"""The messages of the file-stream protocol and its numbers; data frames are in codec.py, the machines beside this.

Every place is an absolute byte offset, every acknowledgement and credit is cumulative: lost, repeated or late ones do
no harm, and any resume is "I have everything up to X".
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from .codes import Code
from .errors import ErrorInfo, HubError, RemoteProtocolError

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""One digest is taken per block of this size; the root digest is the digest of the block digests."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""How far a sender may go beyond what the receiver has taken care of, at first."""

MAX_WINDOW_BYTES: Final = 32 * 1024 * 1024
"""The same where the path is long and fast."""

ACK_EVERY_BYTES: Final = 1024 * 1024
ACK_EVERY_S: Final = 0.1

TREE_FILE_BYTES: Final = 1024 * 1024
"""The largest file that goes with others in one upload of a tree; larger ones are uploads of their own."""

ENTRIES_AHEAD: Final = 1024
"""How many entries of a tree may be announced beyond those that are settled."""

PING_S: Final = 20.0
"""A client that has nothing else to say says `ping` so often."""

SILENCE_S: Final = 60.0
"""A client that has said nothing for so long is gone."""

Direction: TypeAlias = Literal["upload", "download"]
Kind: TypeAlias = Literal["file", "tree", "zip"]
"""One file; a directory's files one behind the other; a directory as one archive (downloads only)."""
DigestName: TypeAlias = Literal["xxh3-128", "sha256"]
IfExists: TypeAlias = Literal["fail", "overwrite", "rename", "skip"]
ABSENT: Final = "absent"
"""What stands for the etag of a file that is not there."""


class TreeEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file or directory of a tree. `path` is relative to the operation's, with `/`.

    `root` is a file's root digest: uploads only. `missing`: the client could not read it, nothing of it comes.
    `if_exists` and `expect` overrule the operation's.
    """

    path: str
    size: int = 0
    type: Literal["file", "directory"] = "file"
    mtime_ms: int | None = None
    root: str | None = None
    if_exists: IfExists | None = None
    expect: str | None = None
    missing: bool = False


class EntryResult(msgspec.Struct, frozen=True):
    """What became of an entry that was not simply put where it should go: it has another `path`, or an `error`."""

    entry: int
    state: Literal["renamed", "skipped", "failed"]
    path: str | None = None
    error: ErrorInfo | None = None


# Client to server


class StreamHello(msgspec.Struct, tag="hello", frozen=True):
    """First message on a stream.

    A download goes on after the `have` bytes, and after the first `entries` of a tree, that the client has already.
    With `digests` an upload's welcome brings the digests of the blocks that the server has.
    """

    have: int = 0
    entries: int = 0
    digests: bool = False


class Finish(msgspec.Struct, tag="finish", frozen=True):
    """All bytes of an upload are sent: how many, and the root digest in hex. A tree has `entries` and no root."""

    size: int
    root: str = ""
    entries: int = 0


class StreamPing(msgspec.Struct, tag="ping", frozen=True):
    """The client is there, and asks whether the server is."""


# Both directions


class Credit(msgspec.Struct, tag="credit", frozen=True):
    """The sender of data may go up to this byte offset (exclusive). Never falls."""

    limit: int


class TreeEntries(msgspec.Struct, tag="entries", frozen=True):
    """Entries of a tree from number `first` on, told before their bytes."""

    first: int
    entries: list[TreeEntry]


# Server to client


class StreamWelcome(msgspec.Struct, tag="welcome", frozen=True):
    """The stream is open: go on at `byte_offset`, up to `limit`; with a tree, at the entry number `entry`."""

    direction: Direction
    path: str
    byte_offset: int
    durable: int
    size: int
    limit: int
    block_bytes: int
    digest: DigestName
    kind: Kind = "file"
    frame_bytes: int = 0
    entry: int = 0
    digests: list[str] | None = None


class StreamAck(msgspec.Struct, tag="ack", frozen=True):
    """How far an upload has come: received by the server, written to the file, safe on the disk."""

    received: int
    written: int
    durable: int


class Settled(msgspec.Struct, tag="settled", frozen=True):
    """All entries of an uploaded tree before number `entry` are done with; what was special about some."""

    entry: int
    results: list[EntryResult]


class Done(msgspec.Struct, tag="done", frozen=True):
    """The end. For an upload: published under `path`. For a download: all bytes were sent; compare `root`."""

    path: str
    size: int
    root: str
    etag: str
    warning: str | None = None
    entries: int = 0
    failed: int = 0


class StreamPong(msgspec.Struct, tag="pong", frozen=True):
    """The answer to `ping`."""


class StreamError(msgspec.Struct, tag="error", frozen=True):
    """Why the stream ends, sent before the close frame."""

    error: ErrorInfo
    expected: int | None = None
    """The byte offset that would have been right, after `wrong_offset`."""


StreamClientMessage: TypeAlias = StreamHello | Finish | Credit | TreeEntries | StreamPing
StreamServerMessage: TypeAlias = (
    StreamWelcome | StreamAck | Credit | TreeEntries | Settled | Done | StreamPong | StreamError
)

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
