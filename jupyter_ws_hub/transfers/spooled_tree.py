"""The upload of a tree to a ContentsManager whose files are elsewhere: entry by entry, each as a file of its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, IfExists
from .body import Body
from .digest import file_root
from .places import parts_of
from .remote import RemoteFiles, temporary_path
from .spooled_upload import holding, remote_of
from .tree import Arrived, TreeSplitter
from .tree_upload import TreeUpload
from .tree_writer import Group, Outcome

_DIRECTORIES_KNOWN: Final = 10_000


class SpooledTree(TreeUpload):
    """The stream of one tree."""

    _known: set[tuple[str, ...]]
    """Directories that are there."""

    @property
    def _remote(self) -> RemoteFiles:
        return remote_of(self._store, self._op.path)

    async def _prepare(self) -> None:
        op = self._op
        self._base = await self._remote.directory(op.path)
        self._known = set()
        self._splitter = TreeSplitter(op.settled, op.byte_offset)

    async def _check_place(self) -> None:
        await self._remote.directory(self._op.path)

    async def _put_entries(self, group: Group) -> None:
        op = self._op
        begun, op.begun = op.begun, max(op.begun, group.arrived[-1].number + 1)
        await self._store.save(op, self.owned)
        for arrived in group.arrived:
            if arrived.number not in group.outcomes:
                group.outcomes[arrived.number] = await self._put_entry(arrived, begun)

    async def _put_entry(self, arrived: Arrived, begun: int) -> Outcome:
        entry, number = arrived.entry, arrived.number
        try:
            if entry.missing:
                raise HubError(Code.SOURCE_CHANGED, f"{entry.path!r} could not be read; it was changed or removed.")
            parts = tuple(parts_of(entry.path, self._store.files.allows))
            if entry.type == "directory":
                await self._make_directory(parts)
                return Outcome(number, entry, entry.path)
            return await self._put_file(arrived, parts, begun)
        except HubError as error:
            if error.code in (Code.NO_SPACE, Code.SUPERSEDED):
                raise
            return Outcome(number, entry, error=error)

    async def _make_directory(self, parts: tuple[str, ...]) -> None:
        if parts and parts not in self._known:
            await self._remote.make_directory(self._op.path, parts)
            if len(self._known) < _DIRECTORIES_KNOWN:
                self._known.add(parts)

    async def _put_file(self, arrived: Arrived, parts: tuple[str, ...], begun: int) -> Outcome:
        entry, number, remote, algorithm = arrived.entry, arrived.number, self._remote, self._op.digest
        data = b"".join(arrived.parts)
        if entry.root != file_root(data, algorithm):
            raise HubError(Code.DIGEST_MISMATCH, f"What arrived of {entry.path!r} is not what was sent.")
        path = self._api_path(entry.path)
        body = Body(data, len(data), entry.root, algorithm, path)
        temporary = temporary_path(path, self._op.id, number)
        if number < begun and await remote.recover(temporary, path, body) is not None:
            return Outcome(number, entry, entry.path)
        policy: IfExists = "fail" if entry.expect == ABSENT else entry.if_exists or self._op.plan.if_exists
        expect = None if entry.expect == ABSENT else entry.expect
        await self._make_directory(parts[:-1])
        try:
            placed = await remote.put(temporary, path, body, policy, expect, self._begin_placing)
        except HubError as error:
            if error.code is Code.EXISTS and policy == "skip":
                return Outcome(number, entry, skipped=True)
            raise
        return Outcome(number, entry, "/".join((*parts[:-1], placed.path.rpartition("/")[2])))

    def _begin_placing(self, path: str) -> AbstractAsyncContextManager[None]:
        return holding(self._store, self.owned)

    async def _finish_writing(self) -> None:
        """Modification times of directories cannot be set through a manager."""
