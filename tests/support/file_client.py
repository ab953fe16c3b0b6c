"""A client of one file stream that stops at a given byte and goes on after a lost connection."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, transfer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, decode_chunk, encode_chunk
from jupyter_ws_hub.transfers.digest import BlockDigest

from .address import WAIT_S, Address, to_hub_error


def root_of(data: bytes) -> str:
    """The root digest of a whole file."""
    digest = BlockDigest()
    digest.update(data)
    return digest.root()


class FileClient:
    """The stream of one operation. A lost connection raises one of NET_ERRORS, a refusal the HubError."""

    def __init__(self, address: Address, op: str) -> None:
        """Nothing happens before `upload` or `download`."""
        self.address = address
        self.op = op
        self.data = bytearray()
        """What a download has got so far; a new `download` goes on behind it."""
        self.sent_bytes = 0
        """How much all uploads have sent."""
        self.welcomes: list[transfer.StreamWelcome] = []
        self._socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        """The socket of the newest stream."""
        assert self._socket is not None
        return self._socket

    async def open(self) -> transfer.StreamWelcome:
        """Open the stream and say hello."""
        self._socket = await self.address.open(f"ws/file-stream/{self.op}", FILE_STREAM_SUBPROTOCOL)
        await self.socket.send(transfer.encode_stream(transfer.StreamHello(len(self.data))))
        message = await self.receive()
        if isinstance(message, transfer.Done):
            raise AlreadyDone(message)
        assert isinstance(message, transfer.StreamWelcome)
        self.welcomes.append(message)
        return message

    async def receive(self) -> transfer.StreamServerMessage | bytes:
        """The next message; raises the HubError that it tells of."""
        async with asyncio.timeout(WAIT_S):
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            return frame
        message = transfer.decode_stream_server(frame)
        if isinstance(message, transfer.StreamError):
            raise to_hub_error(message.error)
        return message

    async def _send(self, frame: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):  # what the server said before it closed is still to be received
            await self.socket.send(frame)

    async def close(self) -> None:
        """Cut the connection."""
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()

    async def upload(self, data: bytes, *, stop_at: int | None = None) -> transfer.Done | None:
        """Send what the server has not got; None if the connection was cut by this client at byte `stop_at`."""
        try:
            welcome = await self.open()
            at, limit = welcome.byte_offset, welcome.limit
            end = len(data) if stop_at is None else min(stop_at, len(data))
            while at < end:
                if at == limit:
                    message = await self.receive()
                    limit = message.limit if isinstance(message, transfer.Credit) else limit
                    continue
                piece = data[at : min(at + MAX_CHUNK_PAYLOAD_BYTES, limit, end)]
                await self._send(encode_chunk(at, piece))
                at += len(piece)
                self.sent_bytes += len(piece)
            if stop_at is not None:
                return None
            await self._send(transfer.encode_stream(transfer.Finish(len(data), root_of(data))))
            while not isinstance(answer := await self.receive(), transfer.Done):
                pass
            return answer
        except AlreadyDone as already:
            return already.done
        finally:
            await self.close()

    async def download(self, *, stop_at: int | None = None, window: int = 4 * 1024 * 1024) -> transfer.Done | None:
        """Get what is not in `data` yet; None if the connection was cut by this client at byte `stop_at`."""
        try:
            await self.open()
            while True:
                message = await self.receive()
                if isinstance(message, transfer.Done):
                    return message
                if isinstance(message, bytes):
                    chunk = decode_chunk(message)
                    assert chunk.byte_offset == len(self.data)
                    self.data += chunk.payload
                    if stop_at is not None and len(self.data) >= stop_at:
                        del self.data[stop_at:]
                        return None
                    await self._send(transfer.encode_stream(transfer.Credit(len(self.data) + window)))
        finally:
            await self.close()


class AlreadyDone(Exception):
    """The stream was opened on an operation that is over; `done` is its end."""

    def __init__(self, done: transfer.Done) -> None:
        """Carry the end."""
        super().__init__(done.path)
        self.done = done
