"""Drives the streams of one download: what comes is written in a thread, and as much is asked for as was written."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..protocol.codec import decode_chunk
from ..protocol.transfer import Done, StreamServerMessage, TreeEntries, encode_stream
from ..protocol.transfer_client import DownloadReceiver
from ..protocol.transfer_client_tree import Part, TreeReceiver
from .sockets import drop
from .transfer_link import LocalError, TransferLink, attend
from .upload_stream import in_thread

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)


class Sink(Protocol[P_contra]):
    """Where pieces go."""

    @property
    def thread(self) -> ThreadPoolExecutor:
        """The thread in which `write` runs."""

    def write(self, pieces: Sequence[P_contra], /) -> int:
        """Take the pieces that follow; says up to where all was taken."""


class _Download(Generic[P]):
    """What files and trees have in common. What is on its way to the disk is bounded by the credit."""

    def __init__(
        self, machine: DownloadReceiver, sink: Sink[P], link: TransferLink, on_progress: Callable[[int], None]
    ) -> None:
        self._machine = machine
        self._sink = sink
        self._link = link
        self._on_progress = on_progress
        self._pieces: list[P] = []
        self._writer: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def drive(self, socket: ClientConnection) -> Done:
        """See `TransferLink.run`; all that came is written on return.

        Raises:
            LocalError: it cannot be written.
        """
        hello = self._machine.hello(asyncio.get_running_loop().time())
        try:
            return await attend(socket, self._machine, hello, lambda frame: self._take(socket, frame))
        except ConnectionClosed:
            if self._error is not None:
                raise self._error from None
            raise
        finally:
            if self._writer is not None:
                await asyncio.wait([self._writer])
            if self._error is not None:
                raise self._error

    def _take(self, socket: ClientConnection, frame: StreamServerMessage | bytes) -> Done | None:
        now_s = asyncio.get_running_loop().time()
        if isinstance(frame, bytes):
            self._add(socket, self._data(frame, now_s))
            return None
        news = self._machine.receive(frame, now_s)
        if isinstance(news, TreeEntries):
            self._add(socket, self._entries(now_s))
        return news if isinstance(news, Done) else None

    def _data(self, frame: bytes, now_s: float) -> list[P]:
        raise NotImplementedError

    def _entries(self, now_s: float) -> list[P]:
        return []

    def _add(self, socket: ClientConnection, pieces: list[P]) -> None:
        self._pieces += pieces
        if pieces and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write(socket))

    async def _write(self, socket: ClientConnection) -> None:
        """Until all is written; never cancelled, as a thread cannot be."""
        try:
            while self._pieces and self._error is None:
                pieces, self._pieces = self._pieces, []
                until = await in_thread(self._sink.thread, functools.partial(self._sink.write, pieces))
                credit = self._machine.wrote(until)
                self._link.progress()
                self._on_progress(until)
                if credit is not None:
                    await socket.send(encode_stream(credit))
        except ConnectionClosed:
            await self._write(socket)
        except LocalError as error:
            self._error = error
            drop(socket)


class FileDownload(_Download[memoryview]):
    """One file."""

    def _data(self, frame: bytes, now_s: float) -> list[memoryview]:
        chunk = decode_chunk(frame)
        self._machine.data(chunk, now_s)
        return [chunk.payload]


class TreeDownload(_Download[Part]):
    """A directory."""

    def __init__(
        self, machine: TreeReceiver, sink: Sink[Part], link: TransferLink, on_progress: Callable[[int], None]
    ) -> None:
        """`on_progress` gets how many bytes are written."""
        super().__init__(machine, sink, link, on_progress)
        self._tree = machine

    def _data(self, frame: bytes, now_s: float) -> list[Part]:
        return self._tree.parts(decode_chunk(frame), now_s)

    def _entries(self, now_s: float) -> list[Part]:
        return self._tree.parts(None, now_s)
