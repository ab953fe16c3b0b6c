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
from .operation import Publishing
from .partial import PartialFile
from .remote import RemoteFiles, temporary_path


class SpooledUpload(FileUpload):
    """The stream of one file."""

    @property
    def _remote(self) -> RemoteFiles:
        remote = self._store.files.remote
        if remote is None:
            raise HubError(Code.CONFLICT, f"{self._op.path!r} lies elsewhere now; upload it again.")
        return remote

    def _body(self, root: str) -> Body:
        op = self._op
        return Body(Path(op.partial or ""), op.size, root, op.digest, op.path)

    async def _was_published(self, publishing: Publishing) -> bool:
        if not publishing.temporary:
            return False
        path = publishing.path or self._op.path
        placed = await self._remote.recover(publishing.temporary, path, self._body(publishing.root))
        if placed is None:
            return False
        await self._published(Published(placed.path, Path(placed.path), placed.etag), publishing.root)
        return True

    async def _publish(self, file: PartialFile, root: str) -> Published:
        op, store, plan, remote = self._op, self._store, self._op.plan, self._remote
        await store.run(file.sync)
        temporary = temporary_path(op.path, op.id, self.owned.generation)
        publishing = Publishing(0, 0, root, temporary)
        await store.save(op, self.owned, publishing, sync=True)
        await self._peer.require("write", "contents", f"the upload to {op.path!r}")
        await store.files.target(op.path)

        @asynccontextmanager
        async def begin(path: str) -> AsyncIterator[None]:
            await store.save(op, self.owned, Publishing(0, 0, root, temporary, path), sync=True)
            hold = self.owned.hold()
            await store.run(hold.__enter__)
            try:
                yield
            finally:
                await store.run(hold.__exit__, None, None, None)

        try:
            if plan.if_exists != "rename":
                await remote.check(op.path, plan.if_exists, plan.expect_etag)
            await remote.write(temporary, self._body(root), op.path)
            placed = await remote.place(temporary, op.path, plan.if_exists, plan.expect_etag, begin)
        except BaseException:
            await self._clean(remote, temporary)
            raise
        return Published(placed.path, Path(placed.path), placed.etag)

    async def _clean(self, remote: RemoteFiles, temporary: str) -> None:
        """Remove what is there under the temporary name, if it can be: why it came to this is what counts."""
        try:
            await remote.remove(temporary, self._op.path)
        except Exception as error:
            self._store.runtime.logger.warning("%s is left of an upload: %s", temporary, error)
