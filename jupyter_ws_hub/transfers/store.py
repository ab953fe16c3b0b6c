"""The operations of one server: made, listed, paused, cancelled, forgotten; and the threads that touch the disk.

What must outlive the server is in the journal: what is here is a copy, and whoever changes an operation owns it. Of
what waits there is no copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..system import STREAMS_LACK, has_descriptors
from .budget import Pace, WindowBudget
from .downloads import prepare
from .journal import Journal, Ownership
from .known import Known
from .ledger import Ledger
from .operation import ENDED, DownloadPlan, Occupied, Operation, Stream, UploadPlan
from .partial import discard
from .places import check_space, occupied
from .ports import LocalFiles
from .settings import TransferSettings
from .strays import Strays
from .threads import Threads
from .tree_writer import discard as discard_entries

TIDY_INTERVAL_S: Final = 3600.0


class TransferStore:
    """All operations of one server root, as far as this process knows them."""

    def __init__(self, files: LocalFiles, runtime: Runtime, settings: TransferSettings, journal: Journal) -> None:
        """`files` knows where paths lie; nothing is touched before an operation is made."""
        self.files = files
        self.runtime = runtime
        self.settings = settings
        self.journal = journal
        self.lacks = "" if has_descriptors() else STREAMS_LACK
        """Why this system can move no file over a stream; then nothing is made, and no record looked at."""
        self.windows = WindowBudget(settings.windows_bytes)
        self.pace = Pace(settings.bytes_per_s, runtime.monotonic)
        self.on_change: Callable[[Operation], Awaitable[None]] | None = None
        self.on_forget: Callable[[Operation], Awaitable[None]] | None = None
        """Told of what is not there any more; of what another server has removed there may be only its id."""
        self._tidy_s = 0.0
        self._threads = Threads(settings.threads)
        self.run = self._threads.run
        """Run what touches the disk in a thread."""
        self.ledger = Ledger(journal, self._threads, runtime)
        self._known = Known(self.ledger, self._forgotten)
        self._strays = Strays(journal, self._threads, runtime, settings.keep_idle_s)
        self.save = self.ledger.save
        self.noter = self.ledger.noter

    # Making

    async def create_upload(self, peer: Peer, path: str, size: int, plan: UploadPlan) -> Operation:
        """Prepare an upload of `size` bytes to an API path; of a tree into a directory.

        Raises:
            HubError: `unsupported`, `invalid`, `too_big`, `no_space`, `exists`, `conflict`, `busy`, or as `LocalFiles`.
        """
        self._require_streams()
        limit = self.settings.max_upload_bytes
        if size < 0 or plan.entries < 0:
            raise HubError(Code.INVALID, "A file cannot have less than 0 bytes.")
        if plan.kind == "zip":
            raise HubError(Code.INVALID, "An archive is uploaded as the file that it is.")
        if limit and size > limit:
            raise HubError(Code.TOO_BIG, f"{path!r} has {size} bytes; this server takes at most {limit}.")
        remote = self.files.remote
        if plan.kind == "tree":
            directory = await (self.files.directory(path) if remote is None else remote.directory(path))
        else:
            target = await self.files.target(path)
            directory = target.parent
            if plan.if_exists in ("fail", "skip") and plan.expect_etag is None:
                if remote is not None:
                    await remote.check(path.strip("/"), plan.if_exists, None)
                elif await self.run(target.exists):
                    raise HubError(Code.EXISTS, f"{path!r} exists already.")
            await self.files.before_save(path, size)
        await self.run(check_space, directory, path, size, self.settings.min_free_bytes)
        operation = Operation(self.runtime.new_id(), "upload", peer.principal, path.strip("/"), size, plan)
        operation.kind, operation.entries = plan.kind, plan.entries
        self._strays.look(directory)
        return await self._add(operation)

    async def create_download(self, peer: Peer, path: str, plan: DownloadPlan) -> Operation:
        """Prepare a download.

        Raises:
            HubError: `unsupported`; `source_changed` if it has another etag than expected, or what opening it raises.
        """
        self._require_streams()
        operation = await prepare(self.files, self.run, path, plan, self.settings.max_entries)
        operation.id, operation.principal = self.runtime.new_id(), peer.principal
        return await self._add(operation)

    def _require_streams(self) -> None:
        if self.lacks:
            raise HubError(Code.UNSUPPORTED, self.lacks)

    async def _add(self, operation: Operation) -> Operation:
        limit = self.settings.max_operations
        if self._known.unended(operation.principal) >= limit:
            raise HubError(Code.BUSY, "Too many transfers were begun; let some end, or cancel some.")
        ended = self._known.ended(operation.principal)
        if len(ended) >= limit:
            await self.forget(ended[0])
        operation.name = operation.name or operation.path.rpartition("/")[2]
        operation.created_s = operation.touched_s = self.runtime.clock()
        await self.ledger.add(operation)
        self._known.put(operation)
        await self.changed(operation, force=True)
        return operation

    async def existing(self, directory: str, names: Sequence[str]) -> Sequence[Occupied]:
        """Which of the names in a directory are taken. Raises `unsupported`, or as `LocalFiles.directory`."""
        self._require_streams()
        if (remote := self.files.remote) is not None:
            return await remote.occupied(directory, names, self.files.allows)
        return await self.run(occupied, await self.files.directory(directory), names, self.files.allows)

    # Finding

    async def news(self) -> AsyncIterator[Operation]:
        """Look into the journal for what other servers have made, gone on with and ended; give what there is."""
        async for operation, is_news in self._each():
            if is_news:
                yield operation

    async def each(self, principal: str) -> AsyncIterator[Operation]:
        """A principal's operations; what other servers have made of any is told. Keep none of them."""
        async for operation, is_news in self._each():
            if is_news and self.on_change is not None:
                await self.on_change(operation)
            if operation.principal == principal:
                yield operation

    async def _each(self) -> AsyncIterator[tuple[Operation, bool]]:
        if not self.lacks:
            async for found in self._known.each():
                yield found

    async def _forgotten(self, operation: Operation) -> None:
        if self.on_forget is not None:
            await self.on_forget(operation)

    def whole(self) -> Sequence[Operation]:
        """What moves here and what has ended, of all principals."""
        return self._known.whole()

    @property
    def waiting(self) -> int:
        """How many operations wait, of all principals."""
        return self._known.waiting

    def running(self) -> int:
        """How many operations move bytes now, of all principals."""
        return len(self._known.running())

    async def find(self, id: str, principal: str) -> Operation:
        """An operation of this principal, also where another server, or one before this, has made or changed it.

        Raises:
            HubError: `not_found`; the same for another's operation. `unsupported`, or what the disk says.
        """
        self._require_streams()
        operation = await self._known.find(id)
        if operation is None or operation.principal != principal:
            raise HubError(Code.NOT_FOUND, "There is no such transfer (any more).")
        return operation

    # Owning

    async def claim(self, operation: Operation, stream: Stream) -> None:
        """Make `stream` the operation's owner; the one before is closed, and has written all it will, on return.

        Raises:
            HubError: `busy` if the user has too many streams open.
        """
        mine = [op for op in self._known.running(operation.principal) if op is not operation]
        if len(mine) >= self.settings.max_active:
            raise HubError(
                Code.BUSY, f"{len(mine)} transfers are under way; this one waits for one to end.", retry_after_ms=1000
            )
        before, operation.stream = operation.stream, stream
        self._known.update(operation)
        if before is not None and before is not stream:
            await before.give_up(HubError(Code.SUPERSEDED, "A newer stream goes on with this transfer."))

    async def own(self, operation: Operation) -> Ownership:
        """Take an operation over from whatever server has had it, and learn how far it has come.

        Raises:
            HubError: `not_found` if it was cancelled or has expired meanwhile, or what the disk says.
        """
        try:
            return await self.ledger.own(operation)
        except HubError as error:
            if error.code is Code.NOT_FOUND:
                await self._known.gone(operation.id)
            raise

    async def _edit(self, operation: Operation, change: Callable[[], None]) -> None:
        """Own an operation without a stream for a moment, change it, and write it down."""
        ownership = await self.own(operation)
        try:
            change()
            await self.save(operation, ownership)
        finally:
            ownership.close()

    async def released(self, operation: Operation, stream: Stream) -> None:
        """A stream has ended, and writes nothing more."""
        if operation.stream is not stream:
            return
        operation.stream = None
        if operation.state == "running":
            operation.state = "paused"
        await self.changed(operation, force=True)

    # Steering

    async def pause(self, operation: Operation) -> None:
        """Stop moving bytes until `resume`. What has ended, or is being published, stays as it is."""
        if operation.state in ENDED or operation.state == "committing":
            return
        error = HubError(Code.PAUSED, f"The transfer of {operation.path!r} was paused.")
        await self._take_away(operation, error)

        def change() -> None:
            if operation.state not in ENDED:
                operation.state, operation.error, operation.held = "paused", error, True

        async with operation.lock:  # no stream begins meanwhile
            await self._edit(operation, change)
        await self._take_away(operation, error)  # one that has begun just before
        await self.changed(operation, force=True)

    async def resume(self, operation: Operation) -> None:
        """Let a paused operation go on when its stream is opened."""

        def change() -> None:
            if operation.held:
                operation.state, operation.error, operation.held = "waiting", None, False

        if operation.held:
            async with operation.lock:
                await self._edit(operation, change)
            await self.changed(operation, force=True)

    async def cancel(self, operation: Operation) -> None:
        """End an operation, remove its partial file. What is done or failed stays as it is.

        Raises:
            HubError: `conflict` if the file is being published just now.
        """
        if operation.state in ENDED:
            return
        if operation.state == "committing" and operation.stream is not None:
            raise HubError(Code.CONFLICT, f"{operation.path!r} is being published; it is too late to cancel.")
        error = HubError(Code.CANCELLED, f"The transfer of {operation.path!r} was cancelled.")
        await self._take_away(operation, error)
        try:
            async with operation.lock:  # no stream begins meanwhile
                await self._remove(operation)
        except HubError as gone:
            if gone.code is not Code.NOT_FOUND:
                raise
            operation.state = "cancelled"  # by another server; that it is gone was told
        else:
            await self._take_away(operation, error)
            await self.changed(operation, force=True)

    async def _remove(self, operation: Operation) -> None:
        """End an operation as cancelled, if it has not ended, for this server and all others."""
        ownership = await self.own(operation)
        try:
            if operation.state not in ENDED:
                await self.ledger.remove(operation, ownership)
                operation.state = "cancelled"
                await self.discard(operation)
        finally:
            ownership.close()

    async def fail(self, operation: Operation, error: HubError, ownership: Ownership | None = None) -> None:
        """End an operation that cannot succeed any more; its record says why."""

        def change() -> None:
            operation.state, operation.error = "failed", error

        if ownership is None:
            await self._edit(operation, change)
        else:
            change()
            try:
                await self.save(operation, ownership)
            except HubError as unsaved:
                if unsaved.code is Code.SUPERSEDED:
                    operation.state = "paused"  # here; what is now of it is the other's
                    raise
                self.runtime.logger.warning("That %s failed cannot be kept: %s", operation.path, unsaved)
        await self.discard(operation)
        await self.changed(operation, force=True)

    async def forget(self, operation: Operation) -> None:
        """Take an operation that has ended out of the list.

        Raises:
            HubError: `conflict` if it has not ended.
        """
        if operation.state not in ENDED:
            raise HubError(Code.CONFLICT, f"The transfer of {operation.path!r} has not ended; cancel it first.")
        await self.ledger.remove(operation)
        await self._release(operation)
        await self._known.gone(operation.id)

    async def _release(self, operation: Operation) -> None:
        """What was spooled for a download can go, unless another one of the same file needs it."""
        if operation.direction == "download" and not self._known.needs(operation.path, operation.id):
            await self.files.release(operation.path)

    async def _take_away(self, operation: Operation, error: HubError) -> None:
        stream, operation.stream = operation.stream, None
        if stream is not None:
            self._known.update(operation)
            await stream.give_up(error)

    async def discard(self, operation: Operation) -> None:
        """Remove an operation's partial file, or what was spooled for it."""
        await self._release(operation)
        if operation.putting and operation.target is not None:
            await self.run(discard_entries, Path(operation.target), operation.id, operation.putting)
            operation.putting = ()
        partial, operation.partial = operation.partial, None
        if partial is not None and (left := await self.run(discard, Path(partial))) is not None:
            self.runtime.logger.warning("The partial file of %s cannot be removed: %s", operation.path, left)

    async def changed(self, operation: Operation, *, force: bool = False) -> None:
        """Tell of an operation's progress, not too often unless forced."""
        if force and not self._known.update(operation):
            return  # that it is gone was told
        now_s = self.runtime.monotonic()
        if not force and now_s - operation.told_s < self.settings.progress_interval_s:
            return
        operation.told_s = now_s
        if operation.state == "running":
            self.runtime.active()
        if self.on_change is not None:
            await self.on_change(operation)

    async def sweep(self) -> None:
        """Forget what ended long ago, end what nobody has touched for very long; to be called now and then."""
        now_s, settings = self.runtime.clock(), self.settings
        for operation in self._known.whole():
            idle_s = now_s - operation.touched_s
            if operation.state in ENDED:
                if idle_s > settings.keep_ended_s:
                    await self.forget(operation)
            elif operation.stream is not None and idle_s > settings.touch_interval_s:
                await self._touch(operation, operation.stream)
        for id in self._known.overdue(now_s - settings.keep_idle_s):
            await self._expire(id, now_s)
        if now_s >= self._tidy_s and not self.lacks:
            self._tidy_s = now_s + TIDY_INTERVAL_S
            await self.ledger.tidy(now_s - settings.keep_idle_s)

    async def _expire(self, id: str, now_s: float) -> None:
        """End what nobody goes on with, unless another server does."""
        try:
            operation = await self._known.find(id)
            if operation is None or operation.stream is not None or operation.state in ENDED:
                return
            if now_s - operation.touched_s > self.settings.keep_idle_s:
                error = HubError(Code.NOT_FOUND, "The transfer was left alone for too long.")
                async with operation.lock:
                    await self.fail(operation, error)
        except HubError as error:
            self.runtime.logger.warning("A transfer that was left alone has not been ended: %s", error)

    async def _touch(self, operation: Operation, stream: Stream) -> None:
        try:
            await stream.touch()
        except HubError as error:
            self.runtime.logger.warning("That %s is alive could not be written down: %s", operation.path, error)

    async def stop(self) -> None:
        """End all streams, keep what has arrived, end the threads."""
        stopping = HubError(Code.SHUTTING_DOWN, "The server is stopping.")
        await asyncio.gather(*(self._take_away(operation, stopping) for operation in self._known.whole()))
        await self._threads.stop()
