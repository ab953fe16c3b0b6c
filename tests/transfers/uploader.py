"""A client of an upload's stream on a fake wire, for the tests of streams of files and trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from jupyter_ws_hub.protocol.transfer import Credit, Done, StreamError
from jupyter_ws_hub.transfers.operation import UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import root_of, until
from tests.support.fakes import fake_peer

from .stream_user import StreamUser

DATA = b"0123456789"


class Uploader(StreamUser):
    """A client that uploads, and the stream that serves it."""

    async def hello(self) -> Self:
        """Say hello."""
        await self.take(transfer.encode_stream(transfer.StreamHello()))
        return self

    async def send(self, data: bytes, at: int = 0) -> Self:
        """Send data in chunks, with a pause for the writer where the credit is used up."""
        for start in range(0, len(data), MAX_CHUNK_PAYLOAD_BYTES):
            end = at + min(len(data), start + MAX_CHUNK_PAYLOAD_BYTES)
            await until(lambda end=end: self.limit >= end or self.wire.closed, "credit")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            await self.take(encode_chunk(at + start, data[start : start + MAX_CHUNK_PAYLOAD_BYTES]))
        return self

    async def finish(self, data: bytes, root: str | None = None) -> None:
        """Say that all is sent."""
        await self.take(transfer.encode_stream(transfer.Finish(len(data), root or root_of(data))))

    async def whole(self, data: bytes) -> Done | StreamError:
        """Everything; the last message that came back."""
        await self.hello()
        if self.wire.closed is None:
            await self.send(data[self.welcome.byte_offset :], self.welcome.byte_offset)
            await self.finish(data)
        return self.last

    @property
    def partial(self) -> bytes:
        """What has arrived."""
        return Path(self.op.partial or "").read_bytes()

    @property
    def welcome(self) -> transfer.StreamWelcome:
        """The server's first message."""
        first = self.wire.texts[0]
        assert isinstance(first, transfer.StreamWelcome)
        return first

    @property
    def limit(self) -> int:
        """Up to where the credit goes."""
        return max([self.welcome.limit, *(m.limit for m in self.wire.texts if isinstance(m, Credit))])


async def upload(store: TransferStore, plan: UploadPlan | None = None, size: int = 10, peer: Peer | None = None) -> Any:
    peer = peer or fake_peer()
    return Uploader(store, await store.create_upload(peer, "a.bin", size, plan or UploadPlan()), peer=peer)


async def begun(
    store: TransferStore, data: bytes, plan: UploadPlan | None = None, size: int = 10, peer: Peer | None = None
) -> Any:
    """An upload whose first bytes are sent."""
    client = await upload(store, plan, size, peer)
    return await (await client.hello()).send(data)
