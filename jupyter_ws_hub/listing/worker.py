"""The helper process: reads orders from its standard input, writes pages and changes to its standard output.

It ends when its input does, so it never outlives its server. It does one small thing at a time: a page of a listing,
or a look at what has changed; new orders come before both.
"""

from __future__ import annotations

import gc
import os
import select
import signal
from collections import deque
from typing import Final

import msgspec

from .entry import DirectoryChanged
from .jobs import Cache, Listing
from .messages import FailedBody, Frame, Kind, ListBody, Unpacker, WatchBody, pack
from .mime import MimeTables
from .notify import POLL_S, Notifier

READ_BYTES: Final = 256 * 1024
NICE: Final = 5
"""The server's loop goes first where processors are few: somebody types in a terminal there."""


class Worker:
    """Everything that is under way here."""

    def __init__(self, source: int, sink: int) -> None:
        """Read orders from one descriptor, write to the other."""
        self._source = source
        self._sink = sink
        self._unpacker = Unpacker()
        self._mime = MimeTables()
        self._cache = Cache()
        self._listings: dict[int, Listing] = {}
        self._ready: deque[Listing] = deque()
        self._notifier = Notifier(self._changed)

    def run(self) -> None:
        """Work until the input ends."""
        while True:
            timeout_s = 0.0 if self._ready else (POLL_S if self._notifier else None)
            readable, _, _ = select.select([self._source], [], [], timeout_s)
            if readable:
                data = os.read(self._source, READ_BYTES)
                if not data:
                    return
                for frame in self._unpacker.feed(data):
                    self._take(frame)
                continue
            if self._ready:
                self._step(self._ready.popleft())
            if self._notifier:
                self._notifier.poll()

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.LIST:
                body = msgspec.json.decode(frame.body, type=ListBody)
                listing = self._listings[frame.id] = Listing(frame.id, body, self._mime, self._cache)
                self._ready.appendleft(listing)  # somebody waits for its first page
            case Kind.MORE if frame.id in self._listings:
                listing = self._listings[frame.id]
                listing.credit += 1
                if listing.credit == 1:
                    self._ready.append(listing)
            case Kind.DROP:
                self._drop(frame.id)
            case Kind.WATCH:
                self._watch(frame)
            case Kind.MIME:
                self._mime = msgspec.json.decode(frame.body, type=MimeTables)

    def _drop(self, id: int) -> None:
        listing = self._listings.pop(id, None)
        if listing is not None:
            listing.close()
            if listing in self._ready:
                self._ready.remove(listing)
        self._notifier.remove(id)

    def _watch(self, frame: Frame) -> None:
        body = msgspec.json.decode(frame.body, type=WatchBody)
        try:
            self._notifier.add(frame.id, body, self._mime)
        except OSError as error:
            self._write(pack(Kind.FAILED, frame.id, FailedBody(error.errno or 0)))
        else:
            self._write(pack(Kind.WATCHING, frame.id))

    def _step(self, listing: Listing) -> None:
        """One page."""
        try:
            page = listing.step()
        except OSError as error:
            self._drop(listing.id)
            self._write(pack(Kind.FAILED, listing.id, FailedBody(error.errno or 0)))
            return
        listing.credit -= 1
        self._write(pack(Kind.PAGE, listing.id, page))
        if listing.is_over:
            self._drop(listing.id)
            self._write(pack(Kind.END, listing.id))
        elif listing.credit > 0:
            self._ready.append(listing)

    def _changed(self, id: int, change: DirectoryChanged) -> None:
        self._write(pack(Kind.CHANGED, id, change))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._sink, view) :]


def main() -> None:
    """Serve the process that has started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C in a terminal is for the server, which ends this one
    os.nice(NICE)
    gc.disable()  # nothing here refers to itself; looking through 100,000 names again and again takes long
    try:
        Worker(0, 1).run()
    except BrokenPipeError:
        pass  # the server is gone
