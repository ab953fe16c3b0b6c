"""`jupyter ws-hub download REMOTE… LOCAL`: files and folders of a server onto this machine, going on where it was."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .download_plan import find_all, make_plan
from .download_run import Downloads
from .progress import Clock
from .transfer_command import EPILOG, Job, Report, add_common, run_job
from .upload_plan import remote_path


def add_parser(commands: Any) -> None:
    """Add this sub-command to what `argparse.ArgumentParser.add_subparsers` has given."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "download",
        help="copy files and folders from a server",
        description="Copy files and folders from a Jupyter server: into the folder LOCAL, or under that name.",
        epilog="Paths of the server are relative to its root; *, ? and […] are matched there: put them in quotes.\n"
        "`folder/.` is what lies in a folder. Until a file is whole it is NAME.part, with NAME.part.json beside it.\n"
        f"{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("remote", nargs="+", metavar="REMOTE", help="a file or folder of the server, or a pattern")
    parser.add_argument("local", metavar="LOCAL", help="where to, on this machine")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status.

    Raises:
        CommandError: it cannot be done.
    """
    for source in arguments.remote:
        remote_path(source)

    async def work(job: Job) -> Report:
        return await download(job, arguments.remote, arguments.local)

    return run_job(arguments, work, "here, of a file in NAME.part")


async def download(job: Job, sources: Sequence[str], local: str) -> Report:
    """Copy; what cannot be copied stands in the report, and the others are here."""
    report, clock = Report(), Clock()
    found, failures = await find_all(job.hub, sources)
    for failure in failures:
        report.fail(*failure)
    wanted = make_plan(found, local)
    if len(wanted) > 1:
        job.display.total(sum(one.remote.size or 0 for one in wanted))
    downloads = Downloads(job, wanted, report)
    await downloads.run()
    told = f"{report.files} files downloaded, {clock.rate(downloads.moved_bytes)}"
    job.display.line(told + (f"; {report.skipped} skipped" if report.skipped else ""))
    return report
