"""A client of the stream of a tree that goes on after a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import MAX_CHUNK_PAYLOAD_BYTES, encode_chunk
from jupyter_ws_hub.transfers.digest import file_root

from .address import Address
from .file_client import AlreadyDone, FileClient

ENTRIES_AT_A_TIME = 200


class TreeClient(FileClient):
    """The stream of one tree of files, given as their paths and contents; None as a content makes a directory."""

    def __init__(self, address: Address, op: str, entries: Sequence[tuple[str, bytes | None]]) -> None:
        """Nothing happens before `upload_tree`."""
        super().__init__(address, op)
        self.results: dict[int, transfer.EntryResult] = {}
        self._entries = [self._entry(path, data) for path, data in entries]
        self._contents = [data or b"" for _, data in entries]
        self._at = self._limit = self._settled = 0
        self._news = asyncio.Event()

    def _entry(self, path: str, data: bytes | None) -> transfer.TreeEntry:
        if data is None:
            return transfer.TreeEntry(path, type="directory")
        return transfer.TreeEntry(path, len(data), root=file_root(data, "xxh3-128"))

    async def upload_tree(self) -> transfer.Done:
        """Send what the server has not got."""
        try:
            welcome = await self.open()
            self._at, self._limit, self._settled = welcome.byte_offset, welcome.limit, welcome.entry
            receiving = asyncio.create_task(self._receive_all())
            sending = asyncio.create_task(self._send_all(welcome.entry))
            try:
                await asyncio.wait([receiving, sending], return_when=asyncio.FIRST_EXCEPTION)
                if sending.done():
                    sending.result()
                return receiving.result()
            finally:
                for task in (receiving, sending):
                    task.cancel()
                await asyncio.wait([receiving, sending])
        except AlreadyDone as already:
            return already.done
        finally:
            await self.close()

    async def _receive_all(self) -> transfer.Done:
        while True:
            message = await self.receive()
            if isinstance(message, transfer.Done):
                return message
            if isinstance(message, transfer.Credit):
                self._limit = message.limit
            elif isinstance(message, transfer.Settled):
                self._settled = message.entry
                self.results |= {result.entry: result for result in message.results}
            self._news.set()

    async def _until_more(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _send_all(self, first: int) -> None:
        size = sum(map(len, self._contents))
        while first < len(self._entries):
            part = self._entries[first : first + ENTRIES_AT_A_TIME]
            while first + len(part) > self._settled + transfer.ENTRIES_AHEAD:
                await self._until_more()
            await self._send(transfer.encode_stream(transfer.TreeEntries(first, part)))
            await self._send_data(memoryview(b"".join(self._contents[first : first + len(part)])))
            first += len(part)
        await self._send(transfer.encode_stream(transfer.Finish(size, entries=len(self._entries))))

    async def _send_data(self, data: memoryview) -> None:
        while data:
            while self._at == self._limit:
                await self._until_more()
            piece = data[: min(MAX_CHUNK_PAYLOAD_BYTES, self._limit - self._at)]
            await self._send(encode_chunk(self._at, bytes(piece)))
            self._at += len(piece)
            self.sent_bytes += len(piece)
            data = data[len(piece) :]
