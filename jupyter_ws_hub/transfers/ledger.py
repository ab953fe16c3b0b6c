"""The journal from the event loop: its calls run in threads, its errors are those of the table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from ..ports import Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from . import abandoned
from .disk import disk_error
from .journal import Journal, Ownership, Record
from .operation import Operation, Putting
from .records import apply, record_of
from .threads import Threads


class Ledger:
    """What is written down of operations, and who owns them."""

    def __init__(self, journal: Journal, threads: Threads, runtime: Runtime) -> None:
        """Nothing is touched yet."""
        self._journal = journal
        self._run = threads.run
        self._runtime = runtime

    async def add(self, operation: Operation) -> None:
        """Write down a new operation; raises what the disk says."""
        operation.boot = self._journal.boot
        try:
            await self._run(self._journal.save, record_of(operation, self._journal))
        except OSError as error:
            raise disk_error(error, operation.path) from error

    async def record(self, id: str) -> Record | None:
        """What is written of an operation, if there is one; raises what the disk says."""
        try:
            return await self._run(self._journal.load, id)
        except OSError as error:
            raise disk_error(error, "a transfer's record") from error

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """The ids of what may be written of operations that are not known; raises what the disk says."""
        try:
            return await self._run(self._journal.others, known)
        except OSError as error:
            raise disk_error(error, "the list of transfers") from error

    async def records(self, ids: Sequence[str]) -> Sequence[Record]:
        """What is written of these, as far as it can be read."""
        return await self._run(self._journal.several, ids)

    async def blocks(self, operation: Operation) -> bytes:
        """The digests of a download's first whole blocks that are known; none where they cannot be read."""
        try:
            return await self._run(self._journal.blocks, operation.id)
        except OSError as error:
            self._runtime.logger.warning("The digests of %s are taken again: %s", operation.path, error.strerror)
            return b""

    async def save_blocks(self, operation: Operation, ownership: Ownership, digests: bytes) -> None:
        """Keep digests of a download's first whole blocks.

        Raises:
            HubError: `superseded`, or what the disk says.
        """

        def write() -> None:
            with ownership.hold():
                self._journal.save_blocks(operation.id, digests)

        try:
            await self._run(write)
        except OSError as error:
            raise disk_error(error, operation.path) from error

    async def own(self, operation: Operation) -> Ownership:
        """Take an operation over from whatever server has had it, and learn how far it has come.

        Raises:
            HubError: `not_found` if it was cancelled or has expired meanwhile, or what the disk says.
        """
        try:
            ownership = await self._run(self._journal.take, operation.id)
        except OSError as error:
            raise disk_error(error, operation.path) from error
        try:
            record = await self.record(operation.id)
            if record is None:
                await self.remove(operation, ownership)
                raise HubError(Code.NOT_FOUND, "There is no such transfer (any more).")
        except BaseException:
            ownership.close()
            raise
        apply(record, operation)
        return ownership

    async def save(self, operation: Operation, ownership: Ownership, *, sync: bool = False) -> None:
        """Write an operation down, if it is still owned; with `sync` also over a power loss.

        Raises:
            HubError: `superseded`, or what the disk says.
        """
        before_s, operation.touched_s = operation.touched_s, self._runtime.clock()
        record = record_of(operation, self._journal)

        def write() -> None:
            with ownership.hold():
                self._journal.save(record, sync=sync)

        try:
            await self._run(write)
        except HubError:  # another server's: what that writes is news, though it was written before now
            operation.touched_s = before_s
            raise
        except OSError as error:
            raise disk_error(error, operation.path) from error

    def noter(self, operation: Operation) -> Callable[[tuple[Putting, ...]], None]:
        """What writes down, from a thread that holds the ownership, which entries of a tree are being published.

        Before their partial files are written it is enough that it outlives the process; later also a power loss.
        """
        operation.touched_s = self._runtime.clock()
        record = record_of(operation, self._journal)

        def note(putting: tuple[Putting, ...]) -> None:
            sync = any(one.inode for one in putting)
            self._journal.save(msgspec.structs.replace(record, putting=putting), sync=sync)

        return note

    async def remove(self, operation: Operation, ownership: Ownership | None = None) -> None:
        """Forget an operation; with `ownership` only if it is still owned.

        Raises:
            HubError: `superseded`, or what the disk says.
        """
        try:
            await self._run(self._journal.remove, operation.id, ownership)
        except OSError as error:
            raise disk_error(error, operation.path) from error

    async def tidy(self, older_than_s: float) -> None:
        """Remove what nobody needs that is older than this time, of other roots too; raises what the disk says."""
        try:
            await self._run(self._journal.tidy, older_than_s)
            await self._run(abandoned.collect, self._journal, older_than_s, self._runtime.logger)
        except OSError as error:
            raise disk_error(error, "the list of transfers") from error
