"""Drives the streams of one upload: what a source has read goes out as far as the server lets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from websockets.asyncio.client import ClientConnection

from ..protocol.codec import CHUNK_HEADER
from ..protocol.codes import Code
from ..protocol.errors import RemoteProtocolError
from ..protocol.transfer import BLOCK_BYTES, Done, Settled, StreamServerMessage, StreamWelcome, encode_stream
from ..protocol.transfer_client import UploadSender
from ..protocol.transfer_client_tree import TreeSender
from .file_source import FileSource, split
from .transfer_link import MESSAGE_BYTES, LocalError, TransferLink, attend
from .tree_source import Batch, TreeSource

HEADER_BYTES: Final = CHUNK_HEADER.size
DIGEST_CHARACTERS: Final = 2 * 32 + len('"",')
"""What the longest digest takes in a welcome."""
T = TypeVar("T")


def message_bytes(size: int) -> int:
    """What the largest message of the server may have in the upload of such a file: a welcome with all its digests."""
    return MESSAGE_BYTES + size // BLOCK_BYTES * DIGEST_CHARACTERS


class PrefixDiffers(Exception):
    """What the server has of a file is not what this file begins with."""


async def in_thread(thread: Executor, call: Callable[[], T]) -> T:
    """Run in a thread; what goes wrong with a local file is a LocalError."""
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, call)
    except OSError as error:
        raise LocalError(f"{error.filename or 'The file'}: {error.strerror or error}") from error


def _leave(ahead: asyncio.Future[Any]) -> None:
    """What was read ahead is not needed; if it went wrong, it does so again."""
    ahead.cancel()
    ahead.add_done_callback(lambda left: left.cancelled() or left.exception())


class _Upload:
    """What files and trees have in common."""

    def __init__(self, machine: UploadSender, link: TransferLink, on_progress: Callable[[int], None]) -> None:
        self._machine = machine
        self._link = link
        self._on_progress = on_progress
        self._woken = asyncio.Event()
        self._welcome: StreamWelcome | None = None
        self._is_proved = True
        """Whether all that the server has was sent, or found to be the same, by this command."""
        self.began_at: int | None = None
        """The byte at which the first stream went on: what lies before was there already."""

    async def drive(self, socket: ClientConnection) -> Done:
        """See `TransferLink.run`."""
        self._welcome = None
        hello = self._machine.hello(asyncio.get_running_loop().time(), digests=not self._is_proved)

        async def write() -> None:
            await self._until(lambda: self._welcome is not None)
            assert self._welcome is not None
            await self._send_all(socket, self._welcome)

        return await attend(socket, self._machine, hello, self._take, write)

    def _take(self, message: StreamServerMessage | bytes) -> Done | None:
        if isinstance(message, bytes):
            raise RemoteProtocolError(Code.BAD_FRAME, "Data came on an upload.")
        before = self._machine.written
        news = self._machine.receive(message, asyncio.get_running_loop().time())
        if isinstance(news, StreamWelcome):
            self._welcome = news
            self.began_at = news.byte_offset if self.began_at is None else self.began_at
        elif isinstance(news, Settled):
            self._settled(news)
        if self._machine.written != before:
            self._link.progress()
        self._on_progress(self._machine.written)
        self._woken.set()
        return news if isinstance(news, Done) else None

    def _settled(self, news: Settled) -> None:
        pass

    async def _send_all(self, socket: ClientConnection, welcome: StreamWelcome) -> None:
        raise NotImplementedError

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._woken.clear()
            await self._woken.wait()

    async def _send(self, socket: ClientConnection, frame: bytearray) -> None:
        """A data frame, in parts where the server's limit lies within it."""
        machine = self._machine
        while len(frame) - HEADER_BYTES > machine.room:
            if machine.room:
                part, frame = split(frame, machine.room)
                machine.take(len(part) - HEADER_BYTES)
                await socket.send(part)
            else:
                await self._until(lambda: machine.room > 0)
        machine.take(len(frame) - HEADER_BYTES)
        await socket.send(frame)


class FileUpload(_Upload):
    """One file."""

    def __init__(
        self, source: FileSource, link: TransferLink, on_progress: Callable[[int], None], *, is_new: bool
    ) -> None:
        """`on_progress` gets how many bytes the server has written. `is_new`: nobody has sent anything yet."""
        super().__init__(UploadSender(source.size), link, on_progress)
        self._source = source
        self._is_proved = is_new

    async def _send_all(self, socket: ClientConnection, welcome: StreamWelcome) -> None:
        source, thread = self._source, self._source.thread
        if not await in_thread(thread, lambda: source.go_to(welcome.byte_offset, welcome.digests)):
            raise PrefixDiffers
        self._is_proved = True
        ahead = asyncio.ensure_future(in_thread(thread, source.read))
        try:
            while frames := await ahead:
                ahead = asyncio.ensure_future(in_thread(thread, source.read))
                for frame in frames:
                    await self._send(socket, frame)
        finally:
            _leave(ahead)
        root = await in_thread(thread, source.root)
        await socket.send(encode_stream(self._machine.finish(root)))


class TreeUpload(_Upload):
    """Many small files and directories."""

    def __init__(
        self,
        source: TreeSource,
        link: TransferLink,
        on_progress: Callable[[int], None],
        on_settled: Callable[[Settled], None],
    ) -> None:
        """`on_settled` gets what has become of the entries."""
        super().__init__(tree := TreeSender(len(source.entries)), link, on_progress)
        self._tree = tree
        self._source = source
        self._on_settled = on_settled

    def _settled(self, news: Settled) -> None:
        self._on_settled(news)

    async def _send_all(self, socket: ClientConnection, welcome: StreamWelcome) -> None:
        source, thread = self._source, self._source.thread
        await in_thread(thread, lambda: source.go_to(welcome.entry, welcome.byte_offset))
        ahead = asyncio.ensure_future(in_thread(thread, source.read))
        try:
            while (batch := await ahead).entries:
                ahead = asyncio.ensure_future(in_thread(thread, source.read))
                await self._send_batch(socket, batch)
        finally:
            _leave(ahead)
        await socket.send(encode_stream(self._machine.finish("")))

    async def _send_batch(self, socket: ClientConnection, batch: Batch) -> None:
        await self._until(lambda: self._tree.entries_room >= len(batch.entries))
        await socket.send(encode_stream(self._tree.announce(batch.entries)))
        for frame in batch.frames:
            await self._send(socket, frame)
