"""The upload of one file: into its partial file, and published at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done, Finish, StreamAck
from ..protocol.transfer_server import UploadReceiver
from .disk import Validator, disk_error
from .operation import Publishing
from .partial import PartialFile, Upload
from .publish import find_published
from .upload import UploadStream


class Published(NamedTuple):
    """A file in its place: its API path, where that is, and its etag."""

    path: str
    place: Path
    etag: str


class FileUpload(UploadStream):
    """The stream of one file."""

    _file: PartialFile | None = None

    async def _prepare(self) -> None:
        op, store = self._op, self._store
        try:
            target = await store.files.target(op.path)
            if op.publishing is not None and await self._was_published(op.publishing):
                return
            blocks = store.journal.blocks_path(op.id)
            upload = Upload(op.id, op.path, blocks, op.digest, op.size, op.mode, op.plan.if_exists)
            same_boot = op.boot == store.journal.boot != ""
            partial, durable = (Path(op.partial) if op.partial else None), None if same_boot else op.durable
            file = await store.run(PartialFile, target, upload, partial, durable, self.owned.hold)
        except HubError as error:
            if not error.code.retryable and error.code is not Code.SUPERSEDED:
                await store.fail(op, error, self.owned)
            raise
        self._file = file
        op.publishing, op.boot = None, store.journal.boot
        op.target, op.partial, op.mode = str(file.goes_to), str(file.partial), file.usual_mode
        op.byte_offset = file.byte_offset
        op.durable = min(op.durable, op.byte_offset)

    async def _was_published(self, publishing: Publishing) -> bool:
        """A server has died while it published: if the file is in its place, that has succeeded."""
        op, store = self._op, self._store
        assert op.target is not None
        target = Path(op.target)
        which = (op.plan.if_exists, publishing.device, publishing.inode)
        name = await store.run(find_published, target.parent, target.name, *which)
        if name is None:
            return False
        place = target.with_name(name)
        try:
            validator = Validator.of(await store.run(place.stat))
        except OSError as error:
            raise disk_error(error, op.path) from error
        api_path = op.path if name == target.name else op.path.rpartition("/")[0] + "/" + name
        await self._published(Published(api_path.strip("/"), place, validator.etag), publishing.root)
        return True

    def _digests(self) -> list[str]:
        return [digest.hex() for digest in self._file.digest.whole] if self._file is not None else []

    async def _put(self, chunks: Sequence[memoryview]) -> int:
        file, owned = self._file, self.owned
        assert file is not None

        def write() -> int:
            with owned.hold():
                return file.write(chunks)

        return await self._store.run(write)

    async def _sync(self) -> int:
        assert self._file is not None
        return await self._store.run(self._file.sync)

    async def _complete(self, machine: UploadReceiver, message: Finish) -> None:
        op, file = self._op, self._file
        assert file is not None
        root = file.digest.root()
        if root != message.root:
            error = HubError(
                Code.DIGEST_MISMATCH,
                f"What arrived of {op.path!r} is not what was sent; upload it again.",
                details={"expected": message.root, "received": root},
            )
            await self._store.fail(op, error, self.owned)
            raise error
        op.state = "committing"
        try:
            done = await self._commit(file, root)
        finally:
            if op.state == "committing":
                op.state = "paused"
        machine.finished()
        await self._send(StreamAck(machine.size, machine.size, machine.size))
        await self._finish_with(done)
        await self._store.changed(op, force=True)

    async def _commit(self, file: PartialFile, root: str) -> Done:
        """Publish; on failure the target is as it was. Permission and place are asked again: both may have changed."""
        op, store = self._op, self._store
        try:
            published = await self._publish(file, root)
        except HubError as error:
            if op.publishing is not None and not op.publishing.temporary:  # one elsewhere is still to be removed
                op.publishing = None
            if not error.code.retryable and error.code is not Code.SUPERSEDED:
                await store.fail(op, error, self.owned)
            raise
        return await self._published(published, root)

    async def _publish(self, file: PartialFile, root: str) -> Published:
        op, store, plan = self._op, self._store, self._op.plan
        await store.run(file.prepare, plan.if_exists, plan.expect_etag, plan.mtime_s)
        device, inode = await store.run(file.identity)
        op.publishing = Publishing(device, inode, root)
        await store.save(op, self.owned, sync=True)
        await self._peer.require("write", "contents", f"the upload to {op.path!r}")
        target = await store.files.target(op.path)
        hold = self.owned.hold()
        place, validator = await store.run(file.publish, plan.if_exists, plan.expect_etag, target, hold)
        return Published(store.files.api_path(place), place, validator.etag)

    async def _published(self, published: Published, root: str) -> Done:
        """The file is there: write that down, and tell whom it concerns."""
        op, store, path = self._op, self._store, published.path
        await store.discard(op)  # where publishing was interrupted after the link
        op.done = Done(path, op.size, root, published.etag)
        op.state, op.path, op.error = "done", path, None
        op.byte_offset = op.size
        try:
            warning = await store.files.after_save(path, published.place)
        except Exception as error:
            store.runtime.logger.error("After the upload to %s something failed", path, exc_info=error)
            warning = "The file is there, but what should happen after it failed; the server's log says why."
        if warning is not None:
            op.done = Done(path, op.size, root, published.etag, warning)
        try:
            await store.save(op, self.owned)
        except HubError as error:  # it is published all the same; whoever asks later looks at the file again
            store.runtime.logger.warning("That the upload to %s is done cannot be kept: %s", path, error)
        return op.done

    async def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            await self._store.run(file.close)
