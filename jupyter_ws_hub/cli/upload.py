"""`jupyter ws-hub upload LOCAL… REMOTE`: files and folders of this machine onto a server, resumed where it stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .progress import Clock
from .servers import CommandError
from .transfer_command import EPILOG, Job, Report, add_common, run_job
from .upload_plan import USAGE, make_plan, remote_path
from .upload_run import Uploads
from .upload_state import UploadState, default_folder


def add_parser(commands: Any) -> None:
    """Add this sub-command to what `argparse.ArgumentParser.add_subparsers` has given."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "upload",
        help="copy files and folders onto a server",
        description="Copy files and folders onto a Jupyter server: into the folder REMOTE, or under that name.",
        epilog=f"Paths of the server are relative to its root. `folder/.` is what lies in a folder.\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("local", nargs="+", metavar="LOCAL", help="a file or folder of this machine")
    parser.add_argument("remote", metavar="REMOTE", help="where to, on the server")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status.

    Raises:
        CommandError: it cannot be done.
    """
    missing = [source for source in arguments.local if not Path(source).exists()]
    if len(missing) == len(arguments.local):
        raise CommandError(f"There is no file or folder {missing[0]!r} here.", USAGE)
    remote_path(arguments.remote)

    async def work(job: Job) -> Report:
        return await upload(job, arguments.local, arguments.remote, UploadState(default_folder()))

    return run_job(arguments, work, "on the server, for a day unless it is set otherwise")


async def kind_of(job: Job, path: str) -> str | None:
    """What there is at a path of the server: a file, a directory or nothing."""
    try:
        found = await job.hub.request("files.stat", {"path": path}, dict[str, Any])
    except HubError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    return "directory" if found.get("type") == "directory" else "file"


async def upload(job: Job, sources: Sequence[str], remote: str, state: UploadState) -> Report:
    """Copy; what cannot be copied stands in the report, and the others are there."""
    kind = await kind_of(job, remote_path(remote))
    plan = make_plan(sources, remote, kind)
    if kind is None and await kind_of(job, plan.base) != "directory":
        raise CommandError(f"There is no folder {plan.base!r} on the server; make it first.")
    report, clock = Report(), Clock()
    for failure in plan.failures:
        report.fail(*failure)
    if len(plan.large) + bool(plan.tree) > 1:
        job.display.total(plan.total_bytes)
    uploads = Uploads(job, plan, state, report)
    await uploads.run()
    told = f"{report.files} of {plan.files} files uploaded, {clock.rate(uploads.moved_bytes)}"
    job.display.line(told + (f"; {report.skipped} skipped" if report.skipped else ""))
    return report
