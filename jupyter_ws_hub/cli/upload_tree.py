"""The one operation for all small files and directories of an upload, and what has become of each of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done, EntryResult, Settled
from .progress import Bar
from .transfer_command import EXISTS, Job, Report
from .transfer_create import GONE, cancel, create, key_of
from .transfer_link import LocalError, TransferLink
from .tree_source import Local, TreeSource
from .upload_plan import Plan
from .upload_state import Remembered, UploadState
from .upload_stream import TreeUpload

NAMES: Final = 1000
"""So many names are checked at a time."""
ANEW: Final = 3


class _Taken(msgspec.Struct, frozen=True):
    name: str


class _Checked(msgspec.Struct, frozen=True):
    existing: list[_Taken]


class TreeRun:
    """All that is small in one plan. `run` once."""

    def __init__(self, job: Job, plan: Plan, state: UploadState, report: Report) -> None:
        """Nothing happens before `run`."""
        self._job = job
        self._plan = plan
        self._state = state
        self._report = report
        self.moved_bytes = 0

    async def run(self, has_directories: asyncio.Event) -> None:
        """Move it; the event is set as soon as the directories are there that large files need."""
        plan = self._plan
        name = f"{len(plan.small)} small files" if plan.small else f"{len(plan.directories)} folders"
        bar = self._job.display.bar(name, sum(found.size for found in plan.small))
        try:
            await self._until_done(has_directories, bar)
        except (HubError, LocalError) as error:
            self._report.fail(name, error)
        finally:
            bar.end()

    async def _until_done(self, has_directories: asyncio.Event, bar: Bar) -> None:
        job, key = self._job, key_of(self._job, fingerprint(self._plan.tree), self._plan.base)
        for attempt in range(ANEW):
            known = self._state.find(key)
            left_out = set(known.left_out) if known else await self._taken()
            entries = [found for number, found in enumerate(self._plan.tree) if number not in left_out]
            op = known.op if known else await self._create(entries, bar)
            self._state.remember(key, Remembered(op, sorted(left_out)))
            results = TreeResults(entries, len(self._plan.needed), has_directories)
            source = TreeSource(entries, job.digest)
            link = TransferLink(job.server, op, bar.notice)
            try:
                upload = TreeUpload(source, link, bar.at, results.settled)
                done = await link.run(upload.drive)
            except HubError as error:
                self._state.forget(key)
                if known is None or error.code not in GONE or attempt == ANEW - 1:
                    raise
                await cancel(job, op)
            else:
                self._state.forget(key)
                self._tell_left_out(left_out)
                results.tell(done, source.unread, self._report, job)
                self.moved_bytes += done.size - (done.size if upload.began_at is None else upload.began_at)
                return
            finally:
                await asyncio.to_thread(source.close)

    async def _create(self, entries: Sequence[Local], bar: Bar) -> str:
        params = {
            "direction": "upload",
            "kind": "tree",
            "path": self._plan.base,
            "size": sum(found.size for found in entries),
            "entries": len(entries),
            "if_exists": self._job.if_exists,
            "digest": self._job.digest,
        }
        return (await create(self._job, params, bar.notice)).op

    async def _taken(self) -> set[int]:
        """The numbers of the files that are there already, and stay: nobody needs to send them."""
        if self._job.if_exists not in ("fail", "skip"):
            return set()
        numbers = {found.path: number for number, found in enumerate(self._plan.tree) if not found.is_directory}
        names = [*numbers]
        taken = set()
        for at in range(0, len(names), NAMES):
            params = {"path": self._plan.base, "names": names[at : at + NAMES]}
            checked = await self._job.hub.request("transfers.check", params, _Checked)
            taken |= {numbers[one.name] for one in checked.existing if one.name in numbers}
        return taken

    def _tell_left_out(self, left_out: set[int]) -> None:
        if self._job.if_exists == "skip":
            self._report.skipped += len(left_out)
            return
        entries = self._plan.tree
        for number in sorted(left_out):
            self._report.fail(str(entries[number].local), HubError(Code.EXISTS, EXISTS))


class TreeResults:
    """What has become of the entries of a tree."""

    def __init__(self, entries: Sequence[Local], needed: int, has_directories: asyncio.Event) -> None:
        """The event is set when so many of the entries, the first ones, are settled."""
        self._entries = entries
        self._needed = needed
        self._has_directories = has_directories
        self._special: dict[int, EntryResult] = {}

    def settled(self, news: Settled) -> None:
        """Take what the server tells."""
        self._special |= {result.entry: result for result in news.results}
        if news.entry >= self._needed:
            self._has_directories.set()

    def tell(self, done: Done, unread: dict[int, str], report: Report, job: Job) -> None:
        """Put it into the report; what the server told on a lost connection is known by its number only."""
        failed, skipped = set(unread), 0
        for number, reason in unread.items():
            report.fail(str(self._entries[number].local), reason)
        for number, result in self._special.items():
            name = str(self._entries[number].local)
            if result.state == "failed" and number not in unread:
                failed.add(number)
                error = result.error
                report.fail(name, error.message if error else "the server gives no reason")
                report.has_conflicts |= error is not None and error.code == Code.EXISTS.wire_name
            elif result.state == "skipped":
                skipped += 1
            elif result.state == "renamed":
                job.display.line(f"uploaded {name} as {result.path}")
        lost = max(0, done.failed - len(failed))
        if lost:
            report.fail(f"{lost} files", "they failed while the connection was away; run the command again")
        files = sum(not found.is_directory for found in self._entries)
        report.skipped += skipped
        report.files += max(0, files - skipped - lost - sum(not self._entries[n].is_directory for n in failed))


def fingerprint(entries: Sequence[Local]) -> str:
    """Tells one tree from another: all names, sizes and times."""
    digest = hashlib.sha256()
    for found in entries:
        what: tuple[Any, ...] = (found.path, str(found.local.absolute()), found.size)
        digest.update(repr((*what, 0 if found.is_directory else found.mtime_ns)).encode(errors="surrogatepass"))
    return digest.hexdigest()
