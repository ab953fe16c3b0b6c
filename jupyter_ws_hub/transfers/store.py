"""The operations of one server: made, listed, cancelled, forgotten; and the threads in which they touch the disk."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Direction
from .disk import SourceFile, Validator
from .operation import ENDED, DownloadPlan, Occupied, Operation, Stream, UploadPlan
from .ports import LocalFiles

P = ParamSpec("P")
R = TypeVar("R")


class TransferSettings(msgspec.Struct, frozen=True):
    """Limits of transfers."""

    max_upload_bytes: int = 0
    """0: no limit."""
    max_active: int = 16
    """Operations under way per principal."""
    keep_idle_s: float = 24 * 3600
    keep_ended_s: float = 600
    threads: int = 4
    progress_interval_s: float = 0.2


class TransferStore:
    """All operations of one server, in this process."""

    def __init__(self, files: LocalFiles, runtime: Runtime, settings: TransferSettings) -> None:
        """`files` knows where paths lie; nothing is touched before an operation is made."""
        self.files = files
        self.runtime = runtime
        self.settings = settings
        self.on_change: Callable[[Operation], Awaitable[None]] | None = None
        self.on_forget: Callable[[Operation], Awaitable[None]] | None = None
        self._operations: dict[str, Operation] = {}
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="jupyter-ws-hub-transfer")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what touches the disk in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *args, **kwargs))

    async def create_upload(self, peer: Peer, path: str, size: int, plan: UploadPlan) -> Operation:
        """Prepare an upload of `size` bytes to an API path.

        Raises:
            HubError: `invalid`, `too_big`, `busy`, or what `LocalFiles.target` raises.
        """
        limit = self.settings.max_upload_bytes
        if size < 0:
            raise HubError(Code.INVALID, "A file cannot have less than 0 bytes.")
        if limit and size > limit:
            raise HubError(Code.TOO_BIG, f"{path!r} has {size} bytes; this server takes at most {limit}.")
        target = await self.files.target(path)
        if plan.if_exists == "fail" and plan.expect_etag is None and await self.run(target.exists):
            raise HubError(Code.EXISTS, f"{path!r} exists already.")
        await self.files.before_save(path, size)
        return await self._add("upload", peer, path, size, plan)

    async def create_download(self, peer: Peer, path: str, plan: DownloadPlan) -> Operation:
        """Prepare a download.

        Raises:
            HubError: `source_changed` if it has another etag than expected, or what `LocalFiles.source` raises.
        """
        if plan.kind != "file" or plan.digest != "xxh3-128":
            raise HubError(Code.UNSUPPORTED, f"This server gives no {plan.kind} with {plan.digest} yet.")
        source = await self.files.source(path)

        def look() -> Validator:
            file = SourceFile(source, path)
            file.close()
            return file.validator

        validator = await self.run(look)
        if plan.expect_etag not in (None, validator.etag):
            raise HubError(Code.SOURCE_CHANGED, f"{path!r} is not the same file any more; download it anew.")
        operation = await self._add("download", peer, path, validator.size, UploadPlan())
        operation.validator, operation.etag = validator, validator.etag
        return operation

    async def _add(self, direction: Direction, peer: Peer, path: str, size: int, plan: UploadPlan) -> Operation:
        active = [op for op in self.list(peer.principal) if op.state not in ENDED]
        if len(active) >= self.settings.max_active:
            raise HubError(Code.BUSY, f"{len(active)} transfers are under way; wait for one to end.")
        now_s = self.runtime.monotonic()
        path = path.strip("/")
        operation = Operation(self.runtime.new_id(), direction, peer, path, size, plan, now_s)
        operation.name, operation.created_s = path.rpartition("/")[2], self.runtime.clock()
        self._operations[operation.id] = operation
        await self.changed(operation, force=True)
        return operation

    def list(self, principal: str) -> list[Operation]:
        """A principal's operations, oldest first."""
        return [op for op in self._operations.values() if op.principal == principal]

    def running(self) -> int:
        """How many operations move bytes now, of all principals."""
        return sum(op.stream is not None and op.state not in ENDED for op in self._operations.values())

    async def existing(self, directory: str, names: Sequence[str]) -> Sequence[Occupied]:
        """Which of the names in a directory are taken: name, type, size, mtime in ms, etag."""
        return []

    def get(self, id: str, principal: str) -> Operation:
        """An operation of this principal.

        Raises:
            HubError: `not_found`; the same for another's operation.
        """
        operation = self._operations.get(id)
        if operation is None or operation.principal != principal:
            raise HubError(Code.NOT_FOUND, "There is no such transfer (any more).")
        return operation

    async def find(self, id: str, principal: str) -> Operation:
        """As `get`, but also where another server, or one before this, has made the operation."""
        return self.get(id, principal)

    async def claim(self, operation: Operation, stream: Stream) -> None:
        """Make `stream` the operation's owner; the one before is closed, and has written all it will, on return."""
        before, operation.stream = operation.stream, stream
        if before is not None and before is not stream:
            await before.give_up(HubError(Code.SUPERSEDED, "A newer stream goes on with this transfer."))

    async def pause(self, operation: Operation) -> None:
        """Stop moving bytes until `resume`. What has ended stays as it is."""
        if operation.state in ENDED or operation.state == "committing":
            return
        error = HubError(Code.PAUSED, f"The transfer of {operation.path!r} was paused.")
        stream, operation.stream = operation.stream, None
        if stream is not None:
            await stream.give_up(error)
        operation.state, operation.error = "paused", error
        await self.changed(operation, force=True)

    async def resume(self, operation: Operation) -> None:
        """Let a paused operation go on when its stream is opened."""
        if operation.state == "paused":
            operation.state, operation.error = "waiting", None
            await self.changed(operation, force=True)

    async def forget(self, operation: Operation) -> None:
        """Take an operation that has ended out of the list.

        Raises:
            HubError: `conflict` if it has not ended.
        """
        if operation.state not in ENDED:
            raise HubError(Code.CONFLICT, f"The transfer of {operation.path!r} has not ended; cancel it first.")
        self._operations.pop(operation.id, None)
        if self.on_forget is not None:
            await self.on_forget(operation)

    async def cancel(self, operation: Operation) -> None:
        """End an operation, remove its partial file. What is done or failed stays as it is.

        Raises:
            HubError: `conflict` if the file is being published just now.
        """
        if operation.state in ENDED:
            return
        if operation.state == "committing":
            raise HubError(Code.CONFLICT, f"{operation.path!r} is being published; it is too late to cancel.")
        operation.state = "cancelled"
        await self._give_up(operation, HubError(Code.CANCELLED, f"The transfer of {operation.path!r} was cancelled."))
        await self.changed(operation, force=True)

    async def fail(self, operation: Operation, error: HubError) -> None:
        """End an operation that cannot succeed any more."""
        operation.state, operation.error = "failed", error
        await self._discard(operation)
        await self.changed(operation, force=True)

    async def _give_up(self, operation: Operation, error: HubError) -> None:
        stream, operation.stream = operation.stream, None
        if stream is not None:
            await stream.give_up(error)
        await self._discard(operation)

    async def _discard(self, operation: Operation) -> None:
        file, operation.file = operation.file, None
        if file is not None:
            left = await self.run(file.discard)
            if left is not None:
                self.runtime.logger.warning("The partial file of %s cannot be removed: %s", operation.path, left)

    async def changed(self, operation: Operation, *, force: bool = False) -> None:
        """Tell of an operation's progress, not too often unless forced."""
        now_s = self.runtime.monotonic()
        operation.touched_s = now_s
        if not force and now_s - operation.told_s < self.settings.progress_interval_s:
            return
        operation.told_s = now_s
        if operation.state == "running":
            self.runtime.active()
        if self.on_change is not None:
            await self.on_change(operation)

    async def sweep(self) -> None:
        """Forget what ended long ago, end what nobody has touched for very long; to be called now and then."""
        now_s = self.runtime.monotonic()
        for operation in list(self._operations.values()):
            idle_s = now_s - operation.touched_s
            if operation.state in ENDED:
                if idle_s > self.settings.keep_ended_s:
                    del self._operations[operation.id]
                    if self.on_forget is not None:
                        await self.on_forget(operation)
            elif operation.stream is None and idle_s > self.settings.keep_idle_s:
                await self.fail(operation, HubError(Code.NOT_FOUND, "The transfer was left alone for too long."))

    async def stop(self) -> None:
        """End all operations, remove the partial files, end the threads."""
        stopping = HubError(Code.SHUTTING_DOWN, "The server is stopping.")
        for operation in list(self._operations.values()):
            if operation.state not in ENDED and operation.state != "committing":
                await self._give_up(operation, stopping)
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
