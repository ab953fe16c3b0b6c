"""The upload of one file to a ContentsManager whose files are elsewhere: into the spool, and from there to the manager.

Up to its end it is an upload as any other, with the same partial file, and goes on after a cut or a restart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .body import Body
from .file_upload import FileUpload, Published
from .journal import Ownership
from .operation import Publishing
from .partial import PartialFile
from .remote import RemoteFiles, temporary_path
from .store import TransferStore


@asynccontextmanager
async def holding(store: TransferStore, owned: Ownership) -> AsyncIterator[None]:
    """Keep other servers away for the time of a few calls; raises `superseded` if one has taken over."""
    hold = owned.hold()
    await store.run(hold.__enter__)
    try:
        yield
    finally:
        await store.run(hold.__exit__, None, None, None)


def remote_of(store: TransferStore, path: str) -> RemoteFiles:
    """The files elsewhere; raises `conflict` if they are on this disk now."""
    remote = store.files.remote
    if remote is None:
        raise HubError(Code.CONFLICT, f"{path!r} lies on the server's own disk now; upload it again.")
    return remote


class SpooledUpload(FileUpload):
    """The stream of one file."""

    def _body(self, root: str) -> Body:
        op = self._op
        return Body(Path(op.partial or ""), op.size, root, op.digest, op.path)

    async def _was_published(self, publishing: Publishing) -> bool:
        if not publishing.temporary:
            return False
        path = publishing.path
        remote = remote_of(self._store, path)
        if not path:
            await remote.clean(publishing.temporary)
            return False
        placed = await remote.recover(publishing.temporary, path, self._body(publishing.root))
        if placed is None:
            return False
        await self._published(Published(placed.path, Path(placed.path), placed.etag), publishing.root)
        return True

    async def _note_placing(self, publishing: Publishing) -> None:
        self._op.publishing = publishing
        await self._store.save(self._op, self.owned, sync=True)

    async def _publish(self, file: PartialFile, root: str) -> Published:
        op, store, plan, remote = self._op, self._store, self._op.plan, remote_of(self._store, self._op.path)
        await store.run(file.sync)
        temporary = temporary_path(op.path, op.id, self.owned.generation)
        publishing = Publishing(0, 0, root, temporary)
        await self._note_placing(publishing)
        await self._peer.require("write", "contents", f"the upload to {op.path!r}")
        await store.files.target(op.path)

        @asynccontextmanager
        async def begin(path: str) -> AsyncIterator[None]:
            await self._note_placing(Publishing(0, 0, root, temporary, path))
            try:
                async with holding(store, self.owned):
                    yield
            except BaseException:  # it did not get its name, and is removed: that must not look as if it had
                await self._note_placing(publishing)
                raise

        body = self._body(root)
        placed = await remote.put(temporary, op.path, body, plan.if_exists, plan.expect_etag, begin)
        return Published(placed.path, Path(placed.path), placed.etag)
