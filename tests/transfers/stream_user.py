"""A client of a transfer's stream on a fake wire: what those of uploads and downloads have in common."""

from __future__ import annotations

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.errors import ErrorInfo
from jupyter_ws_hub.protocol.transfer import Done, StreamError
from jupyter_ws_hub.transfers.operation import Operation
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.streams import stream_of
from tests.support.fakes import fake_peer

from .test_store import FakeWire


class StreamUser:
    """A client and the stream that serves it."""

    def __init__(
        self, store: TransferStore, op: Operation, wire: FakeWire | None = None, peer: Peer | None = None
    ) -> None:
        """Open a stream on an operation, without hello; a user who may do everything unless one is given."""
        self.wire = wire or FakeWire()
        self.op = op
        self.stream = stream_of(op, store, self.wire, peer or fake_peer(op.principal))

    async def take(self, frame: str | bytes) -> None:
        """Let a frame come, and what it begins be done."""
        self.stream.receive(frame)
        await self.stream.idle()

    @property
    def last(self) -> Done | StreamError:
        """The server's last message, after which the socket is closed."""
        assert self.wire.closed is not None
        last = self.wire.texts[-1]
        assert isinstance(last, (Done, StreamError))
        return last

    @property
    def error(self) -> ErrorInfo:
        """What the server told before it closed."""
        assert isinstance(self.last, StreamError)
        return self.last.error
