"""The operations of one upload: a tree for all that is small, one each for what is large, and a last one for times."""

from __future__ import annotations

import asyncio
import functools
import posixpath
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done
from .file_source import FileSource
from .progress import Bar, in_words
from .transfer_command import Job, Report, some_at_a_time
from .transfer_create import GONE, cancel, create, key_of
from .transfer_link import LocalError, TransferLink
from .tree_source import MS_NS, Local
from .upload_plan import Plan
from .upload_state import Remembered, UploadState
from .upload_stream import FileUpload, PrefixDiffers, message_bytes
from .upload_tree import TreeRun

ANEW: Final = 3
"""So often one file is begun: a remembered upload may be gone, or may hold something else."""


class Uploads:
    """One command's uploads. `run` once."""

    def __init__(self, job: Job, plan: Plan, state: UploadState, report: Report) -> None:
        """Nothing happens before `run`."""
        self._job = job
        self._plan = plan
        self._state = state
        self._report = report
        self._has_directories = asyncio.Event()
        self._changed: set[str] = set()
        """The directories into which a large file was put."""
        self.moved_bytes = 0

    async def run(self) -> None:
        """Move everything; what cannot be moved stands in the report."""
        if not self._plan.needed:
            self._has_directories.set()
        async with asyncio.TaskGroup() as group:
            if self._plan.tree:
                group.create_task(self._tree(self._plan))
            group.create_task(some_at_a_time([functools.partial(self._file, found) for found in self._plan.large]))
        if changed := [found for found in self._plan.directories if found.path in self._changed]:
            again = Plan(self._plan.base)
            again.directories = changed  # for their modification times: a large file may have come after the tree
            await self._tree(again)

    async def _tree(self, plan: Plan) -> None:
        tree = TreeRun(self._job, plan, self._state, self._report)
        try:
            await tree.run(self._has_directories)
        finally:
            self._has_directories.set()
        self.moved_bytes += tree.moved_bytes

    async def _file(self, found: Local) -> None:
        """Only what ends the whole command is raised."""
        await self._has_directories.wait()
        bar = self._job.display.bar(found.path, found.size)
        try:
            await self._file_until_done(found, bar)
        except (HubError, LocalError) as error:
            if isinstance(error, HubError) and error.code is Code.EXISTS and self._job.if_exists == "skip":
                self._report.skipped += 1
                self._job.display.line(f"skipped {found.path}: it is there already")
            else:
                self._report.fail(str(found.local), error)
        finally:
            bar.end()

    async def _file_until_done(self, found: Local, bar: Bar) -> None:
        job, target = self._job, posixpath.join(self._plan.base, found.path)
        for attempt in range(ANEW):
            try:
                source = FileSource(found.local, job.digest)
            except OSError as error:
                raise LocalError(error.strerror or str(error)) from error
            try:
                key = key_of(job, str(found.local.absolute()), source.size, source.mtime_ns, target)
                remembered = self._state.find(key)
                known = remembered.op if remembered else None
                if await self._attempt(source, target, key, known, bar, is_last=attempt == ANEW - 1):
                    self._changed.add(posixpath.dirname(found.path))
                    return
            finally:
                await asyncio.to_thread(source.close)

    async def _attempt(
        self, source: FileSource, target: str, key: tuple[object, ...], known: str | None, bar: Bar, *, is_last: bool
    ) -> bool:
        """Move it with the operation that is known, or a new one; False: begin anew."""
        op = known or await self._create(source, target, bar)
        self._state.remember(key, Remembered(op))
        link = TransferLink(self._job.server, op, bar.notice, message_bytes(source.size))
        try:
            upload = FileUpload(source, link, bar.at, is_new=known is None)
            done = await link.run(upload.drive)
        except PrefixDiffers:
            self._state.forget(key)
            await cancel(self._job, op)
            self._job.display.line(f"{source.path} is not what was begun; it begins anew")
            return False
        except HubError as error:
            self._state.forget(key)
            if error.code in GONE and known is not None and not is_last:
                return False
            raise
        except LocalError:
            self._state.forget(key)
            await cancel(self._job, op)
            raise
        self._state.forget(key)
        self._done(source, target, done)
        self.moved_bytes += done.size - (done.size if upload.began_at is None else upload.began_at)
        return True

    async def _create(self, source: FileSource, target: str, bar: Bar) -> str:
        policy = "fail" if self._job.if_exists == "skip" else self._job.if_exists
        params = {
            "direction": "upload",
            "path": target,
            "size": source.size,
            "mtime_ms": source.mtime_ns // MS_NS,
            "if_exists": policy,
            "digest": self._job.digest,
        }
        return (await create(self._job, params, bar.notice)).op

    def _done(self, source: FileSource, target: str, done: Done) -> None:
        self._report.files += 1
        renamed = f" as {done.path}" if done.path != target else ""
        self._job.display.line(f"uploaded {source.path}{renamed} ({in_words(done.size)})")
        if done.warning:
            self._job.display.line(f"{source.path}: {done.warning}")
