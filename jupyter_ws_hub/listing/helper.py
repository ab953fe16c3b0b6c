"""The server's end of the helper process: starts it, asks it, hands on what it says, starts it anew when it dies.

The event loop only passes on what is encoded already, a page at a time. What waits is bounded: a listing has at most
`CREDIT` pages on their way, and how many are worked on and kept is limited (see admission); others wait, up to a limit.
"""

from __future__ import annotations

import asyncio
import itertools
import mimetypes
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from logging import Logger
from math import inf
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..system import can_start_processes, has_descriptors
from .admission import RETRY_MS, Admission
from .entry import Directory, DirectoryChanged, Order
from .messages import HEAD, FailedBody, Frame, Kind, ListBody, WatchBody, pack
from .mime import MimeTables

CREDIT: Final = 4
START: Final = "import sys; sys.path[:] = sys.argv[1:]; from jupyter_ws_hub.listing.worker import main; main()"
"""Without `site`, which takes as long as all the rest: the server's own search path is handed over."""

Changed = Callable[[DirectoryChanged], None]


class ListingSettings(msgspec.Struct, frozen=True):
    """Limits."""

    max_listings: int = 32
    max_watches: int = 64


class HelperDied(Exception):
    """The helper process has ended, or cannot be started."""


class _Process:
    """One life of the helper process."""

    def __init__(self, process: asyncio.subprocess.Process, on_end: Callable[[], None]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._on_end = on_end
        self.inboxes: dict[int, Callable[[Frame | None], None]] = {}
        """Who is to be handed the frames with an id; None if the process has died."""
        self.is_dead = False
        self._reader = asyncio.create_task(self._read())

    def send(self, data: bytes) -> None:
        """Write a frame."""
        if not self.is_dead:
            self._stdin.write(data)

    async def drain(self) -> None:
        """Wait until it has read most of what was written."""
        with suppress(ConnectionError):
            await self._stdin.drain()

    async def _read(self) -> None:
        try:
            while True:
                size, kind, id = HEAD.unpack(await self._stdout.readexactly(HEAD.size))
                body = await self._stdout.readexactly(size + 4 - HEAD.size)
                inbox = self.inboxes.get(id)
                if inbox is not None:
                    inbox(Frame(Kind(kind), id, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._end()

    def _end(self) -> None:
        self.is_dead = True
        self._stdin.close()
        inboxes, self.inboxes = self.inboxes, {}
        for inbox in inboxes.values():
            inbox(None)
        self._on_end()

    async def stop(self) -> None:
        """End it, at once: it has nothing to lose, and servers have little time to stop."""
        self._stdin.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await asyncio.wait([self._reader])


class Watch:
    """A directory that is watched until `stop`."""

    def __init__(self, helper: ListingHelper, directory: Directory, polling: bool, on_change: Changed) -> None:
        """`on_change` is told what has changed."""
        self._helper = helper
        self._body = WatchBody(directory, polling)
        self._on_change = on_change
        self._process: _Process | None = None
        self._id = 0

    async def begin(self) -> None:
        """Watch; when this returns, all that happens from now on is told.

        Raises:
            OSError: the directory is not there, or the system takes no more watches.
            HelperDied: it cannot be watched.
        """
        self._process = await self._helper.process()
        self._id = self._helper.next_id()
        answer: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()

        def take(frame: Frame | None) -> None:
            if not answer.done():
                answer.set_result(frame)
            elif frame is None or frame.kind is Kind.CHANGED:
                self._take(frame)

        self._process.inboxes[self._id] = take
        self._process.send(pack(Kind.WATCH, self._id, self._body))
        try:
            frame = await answer
        except asyncio.CancelledError:
            self.stop()
            raise
        if frame is None:
            raise HelperDied
        if frame.kind is Kind.FAILED:
            self.stop()
            error = msgspec.json.decode(frame.body, type=FailedBody).errno
            raise OSError(error, "the directory cannot be watched")

    def _take(self, frame: Frame | None) -> None:
        if frame is None:
            self._helper.lost(self)
        else:
            self._on_change(msgspec.json.decode(frame.body, type=DirectoryChanged))

    async def again(self) -> None:
        """Watch in a new helper process; what was missed is told as a reset."""
        path = self._body.directory.path
        try:
            await self.begin()
        except (OSError, HelperDied):
            self._on_change(DirectoryChanged(path, gone=True))
        else:
            self._on_change(DirectoryChanged(path, reset=True))

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        if self._process is not None and self._process.inboxes.pop(self._id, None) is not None:
            self._process.send(pack(Kind.DROP, self._id))
        self._process = None
        self._helper.watches.discard(self)


class _Listing:
    """A listing that the helper has been asked for; see admission.Listed."""

    def __init__(self, body: ListBody, who: str, admission: Admission) -> None:
        self.who = who
        self.idle_since_s = inf
        self._process: _Process | None = None
        self._id = 0
        self._body = body
        self._owed = body.credit
        """Pages that the helper may make yet."""
        self._admission = admission
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()  # bounded by the credit
        self._evicted = False

    async def begin(self, process: _Process, id: int) -> None:
        """Ask for it."""
        self._process, self._id = process, id
        process.inboxes[id] = self._take
        process.send(pack(Kind.LIST, id, self._body))
        await process.drain()

    def _take(self, frame: Frame | None) -> None:
        self._frames.put_nowait(frame)
        if frame is None or frame.kind is not Kind.PAGE:
            self._forget()  # that was all
            return
        self._owed -= 1
        if not self._owed:
            self.idle_since_s = asyncio.get_running_loop().time()
            self._admission.changed()

    def _forget(self) -> bool:
        """Await no more frames; whether any were to come."""
        return self._process is not None and self._process.inboxes.pop(self._id, None) is not None

    async def frame(self) -> Frame:
        """The next one. Raises `HelperDied`, and `busy` if it was ended for others."""
        if self._evicted:
            raise HubError(Code.BUSY, "Nothing was taken of the listing, and others waited.", retry_after_ms=RETRY_MS)
        frame = await self._frames.get()
        if frame is None:
            raise HelperDied
        return frame

    def more(self) -> None:
        """One page was taken: another one may be made."""
        self._owed += 1
        self.idle_since_s = inf
        if self._process is not None:
            self._process.send(pack(Kind.MORE, self._id))

    def evict(self) -> None:
        """See admission.Listed."""
        self._evicted = True
        self.close()
        self._frames = asyncio.Queue()  # whoever has waited for a page that has come gets it

    def close(self) -> None:
        """Let go of it, and the helper too. Idempotent."""
        if self._forget() and self._process is not None:
            self._process.send(pack(Kind.DROP, self._id))
        self._admission.leave(self)


class ListingHelper:
    """The helper process of one server; it is started when it is needed, and anew when it has died."""

    def __init__(self, logger: Logger, settings: ListingSettings) -> None:
        """Nothing runs before `start`, or the first listing."""
        self._logger = logger
        self.settings = settings
        self._process: _Process | None = None
        self._starting = asyncio.Lock()
        self._admission = Admission(settings.max_listings)
        self._ids = itertools.count(1)
        self._stopped = False
        self._renewals: set[asyncio.Task[None]] = set()
        self.watches: set[Watch] = set()

    @property
    def pid(self) -> int | None:
        """The helper's process id, None if it does not run."""
        return None if self._process is None or self._process.is_dead else self._process.process.pid

    @property
    def under_way(self) -> int:
        """Listings and watches that the helper works on, or that wait for it."""
        return self._admission.waiting + (0 if self._process is None else len(self._process.inboxes))

    def next_id(self) -> int:
        """A number for a listing or watch."""
        return next(self._ids) & 0xFFFFFFFF

    async def start(self) -> None:
        """Start the process now, so that the first listing need not wait; a failure is logged, and tried again.

        Where the system lacks what it rests on, nobody is to ask it, and nothing is started.
        """
        if has_descriptors() and can_start_processes():
            with suppress(HelperDied):
                await self.process()

    async def stop(self) -> None:
        """End the process."""
        self._stopped = True
        for task in tuple(self._renewals):
            task.cancel()
        self.watches.clear()
        async with self._starting:
            if self._process is not None:
                await self._process.stop()

    async def process(self) -> _Process:
        """The process that runs.

        Raises:
            HelperDied: there is none, and none can be started.
        """
        async with self._starting:
            if self._stopped:
                raise HelperDied
            if self._process is None or self._process.is_dead:
                self._process = await self._launch()
            return self._process

    async def _launch(self) -> _Process:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", START, *filter(None, sys.path), stdin=pipe, stdout=pipe
            )
        except OSError as error:
            self._logger.error("The helper process for listings cannot be started.", exc_info=error)
            raise HelperDied from error
        helper = _Process(process, self._ended)
        if not mimetypes.inited:
            mimetypes.init()
        tables = MimeTables(mimetypes.types_map, mimetypes.suffix_map, mimetypes.encodings_map)
        helper.send(pack(Kind.MIME, 0, tables))
        return helper

    def _ended(self) -> None:
        if not self._stopped:
            self._logger.warning("The helper process for listings has ended; it is started again when it is needed.")

    def lost(self, watch: Watch) -> None:
        """A watch was lost with the process: it begins anew."""
        if watch in self.watches and not self._stopped:
            task = asyncio.create_task(watch.again())
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)

    async def pages(
        self, directory: Directory, order: Order, page_entries: int = 0, who: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """List a directory for somebody: encoded pages, at least one.

        Raises:
            OSError: it cannot be read.
            HubError: `busy`, also in the midst if no page was taken for some time.
            HelperDied: nothing, or nothing more, can be listed.
        """
        async with aclosing(self._list(ListBody(directory, order, page_entries, CREDIT), who)) as pages:
            async for page in pages:
                yield page

    async def window(self, directory: Directory, order: Order, first: int, limit: int, who: str = "") -> bytes:
        """A stretch of a listing, as an encoded page. Raises as `pages`."""
        async with aclosing(self._list(ListBody(directory, order, limit, 1, first, limit), who)) as pages:
            return await anext(pages)

    async def _list(self, body: ListBody, who: str) -> AsyncGenerator[bytes, None]:
        listing = _Listing(body, who, self._admission)
        await self._admission.admit(listing)
        try:
            await listing.begin(await self.process(), self.next_id())
            while (frame := await listing.frame()).kind is not Kind.END:
                if frame.kind is Kind.FAILED:
                    raise OSError(msgspec.json.decode(frame.body, type=FailedBody).errno, "it cannot be read")
                yield frame.body
                listing.more()
        finally:
            listing.close()

    async def watch(self, directory: Directory, polling: bool, on_change: Changed) -> Watch:
        """Watch a directory; until `Watch.stop`.

        Raises:
            OSError: it is not there, or the system takes no more watches.
            HubError: `busy` if there are too many.
            HelperDied: it cannot be watched.
        """
        if len(self.watches) >= self.settings.max_watches:
            raise HubError(Code.BUSY, f"This server watches at most {self.settings.max_watches} directories.")
        watch = Watch(self, directory, polling, on_change)
        self.watches.add(watch)
        try:
            await watch.begin()
        except BaseException:
            watch.stop()
            raise
        return watch
