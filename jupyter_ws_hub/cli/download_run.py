"""The operations of one download: one for each file or folder that is named."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import Done
from ..protocol.transfer_client import DownloadReceiver
from ..protocol.transfer_client_tree import TreeReceiver
from .download_plan import Wanted, params_of
from .download_stream import FileDownload, TreeDownload
from .file_sink import FileSink
from .local_paths import publish, safe_parts
from .part import Origin, Part
from .progress import Bar, in_words
from .transfer_command import EXISTS, Job, Report, some_at_a_time
from .transfer_create import Created, cancel, create
from .transfer_link import LocalError, TransferLink
from .tree_sink import TreeSink
from .upload_stream import in_thread

ANEW: Final = 5
"""So often a download is begun again because its source has changed, or because the server has forgotten it."""
CHANGED: Final = "has changed on the server; it begins anew"


class Anew(Exception):
    """What is here is of no use: begin from the first byte."""


class Downloads:
    """One command's downloads. `run` once."""

    def __init__(self, job: Job, wanted: Sequence[Wanted], report: Report) -> None:
        """Nothing happens before `run`."""
        self._job = job
        self._wanted = wanted
        self._report = report
        self.moved_bytes = 0

    async def run(self) -> None:
        """Fetch everything; what cannot be fetched stands in the report."""
        await some_at_a_time([functools.partial(self._one, wanted) for wanted in self._wanted])

    async def _one(self, wanted: Wanted) -> None:
        name = wanted.remote.path
        if self._is_skipped(wanted):
            return
        bar = self._job.display.bar(name or "/", wanted.remote.size or 0)
        part = Part(wanted.target.absolute(), wanted.part.absolute())
        try:
            if wanted.remote.name:
                safe_parts(wanted.remote.name)
            part.lock()
            await self._until_done(wanted, part, bar)
        except (HubError, LocalError) as error:
            self._report.fail(name or "/", error)
        except OSError as error:
            self._report.fail(name or "/", f"{error.filename or wanted.target}: {error.strerror or error}")
        finally:
            part.unlock()
            bar.end()

    def _is_skipped(self, wanted: Wanted) -> bool:
        """Whether it is clear before the first byte that it is not fetched."""
        if wanted.remote.is_directory or not os.path.lexists(wanted.target):
            return False
        if self._job.if_exists == "skip":
            self._report.skipped += 1
            self._job.display.line(f"skipped {wanted.target}: it is there already")
        elif self._job.if_exists == "fail":
            self._report.fail(str(wanted.target), HubError(Code.EXISTS, EXISTS))
        elif wanted.target.is_dir():
            self._report.fail(str(wanted.target), "it is a folder here, and a file on the server")
        return str(wanted.target) in self._report.failures or self._job.if_exists == "skip"

    async def _until_done(self, wanted: Wanted, part: Part, bar: Bar) -> None:
        move = self._tree if wanted.remote.is_directory else self._file
        for attempt in range(ANEW):
            made = await self._create(wanted, part, bar)
            bar.size(made.size)
            try:
                return await move(wanted, part, made, bar)
            except Anew:
                self._job.display.line(f"{wanted.remote.path} {CHANGED}")
                part.drop()
            except HubError as error:
                if error.code is Code.SOURCE_CHANGED and attempt < ANEW - 1:
                    self._job.display.line(f"{wanted.remote.path} {CHANGED}")
                    part.drop()
                elif error.code is not Code.NOT_FOUND or attempt == ANEW - 1:
                    raise
            except asyncio.CancelledError:
                await cancel(self._job, made.op)
                raise
        raise LocalError("it changes all the time")

    async def _create(self, wanted: Wanted, part: Part, bar: Bar) -> Created:
        """A new operation, for what the part is of, if it can still be had; else the part is dropped."""
        job = self._job
        known = part.known
        here = Origin(job.server.url, wanted.remote.path, known.origin.etag if known else "", job.digest)
        expect = None
        if known is not None:
            await cancel(job, known.op)
            if known.origin == here and here.etag:
                expect = here.etag
            else:
                part.drop()
        try:
            made = await create(job, params_of(wanted, job.digest, expect), bar.notice)
        except HubError as error:
            if expect is None or error.code not in {Code.SOURCE_CHANGED, Code.CONFLICT}:
                raise
            job.display.line(f"{wanted.remote.path} {CHANGED}")
            part.drop()
            made = await create(job, params_of(wanted, job.digest, None), bar.notice)
        part.begin(Origin(here.url, here.path, made.etag or "", here.digest), made.op)
        return made

    async def _run(self, link: TransferLink, drive: Callable[..., Awaitable[Done]], root: Callable[[], str]) -> Done:
        done = await link.run(drive)
        if root() != done.root:
            raise HubError(Code.DIGEST_MISMATCH, "what arrived is not what the server has read; download it again")
        return done

    async def _file(self, wanted: Wanted, part: Part, made: Created, bar: Bar) -> None:
        sink = FileSink(part.path, self._job.digest)
        try:
            have = await in_thread(sink.thread, lambda: sink.go_on(made.size))
            machine = DownloadReceiver(made.size, have)
            link = TransferLink(self._job.server, made.op, bar.notice)
            try:
                await self._run(link, FileDownload(machine, sink, link, bar.at).drive, sink.root)
            except HubError as error:
                if error.code is Code.DIGEST_MISMATCH:
                    part.drop()
                    if have:
                        raise Anew from error
                raise
            await in_thread(sink.thread, lambda: sink.finish(wanted.remote.mtime_ns))
        finally:
            await asyncio.to_thread(sink.close)
        try:
            put = publish(part.path, part.target, self._job.if_exists)
        except FileExistsError:
            raise HubError(Code.EXISTS, EXISTS) from None
        part.end()
        self.moved_bytes += made.size - have
        if put is None:
            self._report.skipped += 1
            self._job.display.line(f"skipped {wanted.target}: it is there already")
        else:
            self._report.files += 1
            renamed = f" as {put}" if put != part.target else ""
            self._job.display.line(f"downloaded {wanted.remote.path}{renamed} ({in_words(made.size)})")

    async def _tree(self, wanted: Wanted, part: Part, made: Created, bar: Bar) -> None:
        job, report = self._job, self._report
        sink = TreeSink(part.path, job.digest)
        try:
            begun = await in_thread(sink.thread, lambda: sink.go_on(made.size))
            machine = TreeReceiver(made.size, made.entries, begun.byte_offset, begun.entries, begun.inside)
            link = TransferLink(job.server, made.op, bar.notice)
            try:
                await self._run(link, TreeDownload(machine, sink, link, bar.at).drive, sink.root)
            except HubError as error:
                if error.code is Code.DIGEST_MISMATCH:
                    part.drop()
                    if begun.byte_offset:
                        raise Anew from error
                raise
            target = part.target
            files, skipped, failures = await in_thread(sink.thread, lambda: sink.put(target, job.if_exists))
        finally:
            await asyncio.to_thread(sink.close)
        part.end()
        self.moved_bytes += made.size - begun.byte_offset
        report.files, report.skipped = report.files + files, report.skipped + skipped
        for name, reason in failures:
            report.fail(name, HubError(Code.EXISTS, reason) if reason == EXISTS else reason)
        job.display.line(f"downloaded {wanted.remote.path or '/'} ({files} files, {in_words(made.size)})")
