"""The operations of one upload: a tree for all that is small, one each for what is large."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import posixpath
from typing import Any, Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done, Settled
from .file_source import FileSource
from .progress import Bar, in_words
from .transfer_command import Job, Report, insist, some_at_a_time
from .transfer_link import LocalError, TransferLink
from .tree_source import MS_NS, Local, TreeSource
from .upload_plan import Plan
from .upload_state import UploadState
from .upload_stream import FileUpload, PrefixDiffers, TreeUpload

ANEW: Final = 3
"""So often one file is begun: a remembered upload may be gone, or may hold something else."""
GONE: Final = frozenset({Code.NOT_FOUND, Code.CANCELLED, Code.CONFLICT, Code.DIGEST_MISMATCH})
"""What a remembered upload may answer that a new one does not."""


class Created(msgspec.Struct, frozen=True):
    """What is needed of the answer to `transfers.create`."""

    op: str
    size: int
    name: str = ""
    etag: str | None = None
    entries: int = 0


class Uploads:
    """One command's uploads. `run` once."""

    def __init__(self, job: Job, plan: Plan, state: UploadState, report: Report) -> None:
        """Nothing happens before `run`."""
        self._job = job
        self._plan = plan
        self._state = state
        self._report = report
        self._has_directories = asyncio.Event()
        self.moved_bytes = 0

    async def run(self) -> None:
        """Move everything; what cannot be moved stands in the report."""
        if not self._plan.directories:
            self._has_directories.set()
        async with asyncio.TaskGroup() as group:
            if self._plan.tree:
                group.create_task(self._tree())
            group.create_task(some_at_a_time([functools.partial(self._file, found) for found in self._plan.large]))

    # One large file

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
                key = self._key(str(found.local.absolute()), source.size, source.mtime_ns, target)
                known = self._state.find(key)
                if await self._attempt(source, target, key, known, bar, is_last=attempt == ANEW - 1):
                    return
            finally:
                await asyncio.to_thread(source.close)

    def _key(self, *what: object) -> tuple[object, ...]:
        return (self._job.server.url, *what, self._job.if_exists, self._job.digest)

    async def _attempt(
        self, source: FileSource, target: str, key: tuple[object, ...], known: str | None, bar: Bar, *, is_last: bool
    ) -> bool:
        """Move it with the operation that is known, or a new one; False: begin anew."""
        op = known or await self._create(source, target, bar)
        self._state.remember(key, op)
        link = TransferLink(self._job.server, op, bar.notice)
        try:
            done = await link.run(FileUpload(source, link, bar.at).drive)
        except PrefixDiffers:
            self._state.forget(key)
            await self._cancel(op)
            self._job.display.line(f"{source.path} is not what was begun; it begins anew")
            return False
        except HubError as error:
            self._state.forget(key)
            if error.code in GONE and known is not None and not is_last:
                return False
            raise
        except LocalError:
            self._state.forget(key)
            await self._cancel(op)
            raise
        self._state.forget(key)
        self._done(source, target, done)
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
        return str((await insist(self._job, params, Created, bar.notice)).op)

    async def _cancel(self, op: str) -> None:
        try:
            await self._job.hub.request("transfers.cancel", {"op": op}, dict[str, Any])
        except HubError:
            return  # it expires

    def _done(self, source: FileSource, target: str, done: Done) -> None:
        self._report.files += 1
        self.moved_bytes += done.size
        renamed = f" as {done.path}" if done.path != target else ""
        self._job.display.line(f"uploaded {source.path}{renamed} ({in_words(done.size)})")
        if done.warning:
            self._job.display.line(f"{source.path}: {done.warning}")

    # All that is small

    async def _tree(self) -> None:
        plan, job = self._plan, self._job
        size = sum(found.size for found in plan.small)
        bar = job.display.bar(f"{len(plan.small)} small files", size)
        try:
            await self._tree_until_done(size, bar)
        except (HubError, LocalError) as error:
            self._report.fail(f"{len(plan.small)} small files", error)
        finally:
            self._has_directories.set()
            bar.end()

    async def _tree_until_done(self, size: int, bar: Bar) -> None:
        plan, job = self._plan, self._job
        key = self._key(_fingerprint(plan.tree), plan.base)
        for attempt in range(ANEW):
            known = self._state.find(key)
            params = {
                "direction": "upload",
                "kind": "tree",
                "path": plan.base,
                "size": size,
                "entries": len(plan.tree),
                "if_exists": job.if_exists,
                "digest": job.digest,
            }
            op = known or str((await insist(job, params, Created, bar.notice)).op)
            self._state.remember(key, op)
            results = TreeResults(plan, self._has_directories)
            source = TreeSource(plan.tree, job.digest)
            link = TransferLink(job.server, op, bar.notice)
            try:
                done = await link.run(TreeUpload(source, link, bar.at, results.settled).drive)
            except HubError as error:
                self._state.forget(key)
                if known is None or error.code not in GONE or attempt == ANEW - 1:
                    raise
            else:
                self._state.forget(key)
                results.tell(done, source.unread, self._report, job)
                self.moved_bytes += done.size
                return
            finally:
                await asyncio.to_thread(source.close)


class TreeResults:
    """What has become of the entries of a tree."""

    def __init__(self, plan: Plan, has_directories: asyncio.Event) -> None:
        """The event is set when the directories are settled."""
        self._plan = plan
        self._has_directories = has_directories
        self._special: dict[int, Any] = {}

    def settled(self, news: Settled) -> None:
        """Take what the server tells."""
        self._special |= {result.entry: result for result in news.results}
        if news.entry >= len(self._plan.directories):
            self._has_directories.set()

    def tell(self, done: Done, unread: dict[int, str], report: Report, job: Job) -> None:
        """Put it into the report; what the server told on a lost connection is known by its number only."""
        entries, failed, skipped = self._plan.tree, set(unread), 0
        for number, reason in unread.items():
            report.fail(str(entries[number].local), reason)
        for number, result in self._special.items():
            name = str(entries[number].local)
            if result.state == "failed" and number not in unread:
                failed.add(number)
                error = result.error
                report.fail(name, error.message if error else "the server gives no reason")
                report.has_conflicts |= error is not None and error.code == Code.EXISTS.wire_name
            elif result.state == "skipped":
                skipped += 1
            elif result.state == "renamed":
                job.display.line(f"uploaded {name} as {result.path}")
        if done.failed > len(failed):
            count = done.failed - len(failed)
            report.fail(f"{count} files", "they failed while the connection was away; run the command again")
        small = len(self._plan.small)
        report.skipped += skipped
        report.files += max(0, small - skipped - max(len(failed), done.failed))
        if skipped:
            job.display.line(f"skipped {skipped} files that are there already")


def _fingerprint(entries: list[Local]) -> str:
    digest = hashlib.sha256()
    for found in entries:
        what = (found.path, str(found.local.absolute()), found.size, found.mtime_ns if not found.is_directory else 0)
        digest.update(repr(what).encode(errors="surrogatepass"))
    return digest.hexdigest()
