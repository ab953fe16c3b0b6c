"""The upload of a tree: files of one directory one behind the other, each published as soon as it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done, Finish, Settled, StreamAck, StreamClientMessage, TreeEntries
from ..protocol.transfer_server import UploadReceiver
from .disk import disk_error
from .operation import Putting
from .tree import Arrived, TreeSplitter
from .tree_writer import Group, Note, Outcome, TreeWriter
from .upload import UploadStream

_UNKNOWN_SIZE: Final = 2**62
"""The size of a tree is known when all its entries are announced."""

_GROUP: Final = 128
"""Files that are brought to the disk together."""

_SYNCS: Final = 4
"""Threads that wait for the disk at the same time: it does much of it in one go."""

_EVENTS_AT_A_TIME: Final = 4


class TreeUpload(UploadStream):
    """The stream of one tree."""

    _writer_of_tree: TreeWriter | None = None
    _splitter: TreeSplitter
    _base: Path

    async def _prepare(self) -> None:
        op, store = self._op, self._store
        try:
            self._base = await store.files.directory(op.path)
            make = (self._base, op.id, op.plan.if_exists, op.digest, store.files.allows)
            self._writer_of_tree = writer = await store.run(TreeWriter, *make)
            op.putting = await store.run(self._recover, writer)
        except OSError as error:
            raise disk_error(error, op.path) from error
        except HubError as error:
            if not error.code.retryable and error.code is not Code.SUPERSEDED:
                await store.fail(op, error, self.owned)
            raise
        op.target = str(self._base)
        self._splitter = TreeSplitter(op.settled, op.byte_offset)

    def _recover(self, writer: TreeWriter) -> tuple[Putting, ...]:
        with self.owned.hold():
            return writer.recover(self._base, self._op.putting)

    def _receiver(self) -> UploadReceiver:
        offset = self._op.byte_offset
        return UploadReceiver(_UNKNOWN_SIZE, offset, offset)

    @property
    def _has_work(self) -> bool:
        return bool(self._chunks) or self._splitter.has_whole

    def _check(self, machine: UploadReceiver) -> None:
        self._splitter.check_data(machine.received)

    def _take_message(self, message: StreamClientMessage) -> None:
        if not isinstance(message, TreeEntries) or self._machine is None:
            super()._take_message(message)
            return
        self._splitter.announce(message)
        limit = self._store.settings.max_upload_bytes
        if limit and self._splitter.announced_bytes > limit:
            raise HubError(Code.TOO_BIG, f"{self._op.path!r} gets more than the {limit} bytes that this server takes.")
        if self._splitter.has_whole:
            self._wake()

    async def _put(self, chunks: Sequence[memoryview]) -> int:
        whole = self._splitter.take(chunks)
        for first in range(0, len(whole), _GROUP):
            await self._put_group(whole[first : first + _GROUP])
        return self._op.byte_offset

    async def _put_group(self, group: Sequence[Arrived]) -> None:
        op = self._op
        await self._peer.require("write", "contents", f"the upload to {op.path!r}")
        await self._check_place()
        together = Group(group)
        for arrived in group:
            if (error := await self._refusal(arrived)) is not None:
                together.outcomes[arrived.number] = Outcome(arrived.number, arrived.entry, error=error)
        await self._put_entries(together)
        await self._settled([together.outcomes[arrived.number] for arrived in group], group[-1].end)

    async def _check_place(self) -> None:
        op, store, writer = self._op, self._store, self._writer_of_tree
        assert writer is not None
        if not await store.run(self._is_at, writer, await store.files.directory(op.path)):
            raise HubError(Code.NOT_FOUND, f"The directory {op.path!r} is not the one any more that it was.")

    async def _put_entries(self, group: Group) -> None:
        """Settle the entries that have no outcome yet."""
        store, writer, owned = self._store, self._writer_of_tree, self.owned
        note = store.noter(self._op)
        assert writer is not None

        def held(work: Callable[[Group, Note], None]) -> None:
            with owned.hold():
                work(group, note)

        try:
            await store.run(held, writer.write)
            await self._synced(group)
            await store.run(held, writer.publish)
        finally:
            await store.run(writer.clean, group)

    async def _synced(self, group: Group) -> None:
        """Return when all threads are done with the files, also if one of them has failed."""
        parts = (self._store.run(group.sync, part, _SYNCS) for part in range(_SYNCS))
        for error in await asyncio.gather(*parts, return_exceptions=True):
            if error is not None:
                raise error

    def _is_at(self, writer: TreeWriter, base: Path) -> bool:
        try:
            return writer.is_at(base)
        except OSError as error:
            raise disk_error(error, self._op.path) from error

    async def _refusal(self, arrived: Arrived) -> HubError | None:
        """What the pre-save hooks say."""
        entry = arrived.entry
        if entry.type != "file" or entry.missing:
            return None
        try:
            await self._store.files.before_save(self._api_path(entry.path), entry.size)
        except HubError as error:
            return error
        return None

    def _api_path(self, path: str) -> str:
        return f"{self._op.path}/{path}".strip("/")

    async def _settled(self, outcomes: Sequence[Outcome], end: int) -> None:
        op = self._op
        results = [result for outcome in outcomes if (result := outcome.result()) is not None]
        op.settled, op.byte_offset = outcomes[-1].number + 1, end
        op.putting = tuple(one for one in op.putting if one.entry >= op.settled)
        op.entries, op.size = max(op.entries, op.settled), max(op.size, end)
        op.failed += sum(result.state == "failed" for result in results)
        self._splitter.settled(op.settled)
        for number, outcome in enumerate(outcomes):
            if outcome.path is not None:
                await self._tell(outcome, outcome.path)
            if number % _EVENTS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # hooks and events are the server's own, on the loop
        if not self._ended:
            await self._send(Settled(op.settled, results))

    async def _tell(self, outcome: Outcome, path: str) -> None:
        store, api_path = self._store, self._api_path(path)
        if outcome.entry.type != "file":
            return
        try:
            warning = await store.files.after_save(api_path, self._base / path)
        except Exception as error:
            store.runtime.logger.error("After the upload to %s something failed", api_path, exc_info=error)
        else:
            if warning is not None:
                store.runtime.logger.warning("After the upload to %s a hook failed: %s", api_path, warning)

    async def _sync(self) -> int:
        return self._op.byte_offset

    async def _finish(self, machine: UploadReceiver, message: Finish) -> None:
        splitter = self._splitter
        if message.entries != splitter.announced:
            raise HubError(
                Code.CONFLICT, f"{splitter.announced} entries were announced, and it ended with {message.entries}."
            )
        machine.size = splitter.announced_bytes
        await super()._finish(machine, message)

    async def _complete(self, machine: UploadReceiver, message: Finish) -> None:
        op, store = self._op, self._store
        await self._finish_writing()
        machine.finished()
        op.entries = op.settled
        op.done = Done(op.path, machine.size, "", "", entries=op.settled, failed=op.failed)
        op.state, op.error, op.size = "done", None, machine.size
        await store.save(op, self.owned)
        await self._send(StreamAck(machine.size, machine.size, machine.size))
        await self._finish_with(op.done)
        await store.changed(op, force=True)

    async def _finish_writing(self) -> None:
        assert self._writer_of_tree is not None
        await self._store.run(self._writer_of_tree.finish)

    async def _let_go(self) -> None:
        writer, self._writer_of_tree = self._writer_of_tree, None
        if writer is not None:
            await self._store.run(writer.close)
