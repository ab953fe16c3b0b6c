"""What `upload` and `download` share: their options, what they tell at the end, and how they are interrupted."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import DigestName, IfExists
from ..system import STREAMS_REST_ON, has_descriptors
from .hub_client import HubClient
from .progress import Display, make_display, plain
from .servers import FAILED, CommandError, Server, find_server

SIGNALLED: Final = 128
SHOW_CURSOR: Final = b"\x1b[?25h"
AT_A_TIME: Final = 3
"""So many large files move at the same time."""
LISTED: Final = 20
"""So many failures are told one by one."""
EXISTS: Final = "it exists already"
HINT: Final = "--if-exists says what to do with what is there already: overwrite, rename or skip."
INTERRUPTED: Final = "Interrupted. What has arrived is kept {where}: run the same command again to go on."
EPILOG: Final = """\
A lost connection is waited for; after Ctrl-C, or if this machine goes down, the same command goes on where it was.
Exit status: 0 all is there, 1 something is not (the others are), 2 wrong usage or the login is refused, 130 Ctrl-C.
"""


@dataclass(frozen=True)
class Job:
    """What both commands work with."""

    server: Server
    hub: HubClient
    display: Display
    if_exists: IfExists
    digest: DigestName


@dataclass
class Report:
    """What has become of everything."""

    files: int = 0
    skipped: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """Reasons by names."""
    has_conflicts: bool = False

    def fail(self, name: str, error: Exception | str) -> None:
        """Something is not there."""
        self.failures[name] = error.message if isinstance(error, HubError) else str(error)
        self.has_conflicts |= isinstance(error, HubError) and error.code is Code.EXISTS

    @property
    def status(self) -> int:
        """The exit status."""
        return FAILED if self.failures else 0


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of both commands."""
    parser.add_argument(
        "--url", "--server", dest="url", help="the server (default: JUPYTER_SERVER_URL, or the one that runs here)"
    )
    parser.add_argument(
        "--token", help="the token (default: JUPYTER_TOKEN, JUPYTERHUB_API_TOKEN, or the local server's)"
    )
    parser.add_argument(
        "--if-exists",
        choices=("fail", "overwrite", "rename", "skip"),
        default="fail",
        help="what to do where a file has that name already (default: %(default)s)",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="no effect: folders always go with all in them")
    parser.add_argument(
        "--sha256", action="store_true", help="check with SHA-256 and not with xxh3-128, which is faster"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")


def run_job(arguments: argparse.Namespace, work: Callable[[Job], Awaitable[Report]], kept: str) -> int:
    """Do the work with a connection to the server; returns the exit status.

    `kept` says to whom interrupts it where what has arrived is, and until when.

    Raises:
        CommandError: it cannot be done.
    """
    if not has_descriptors():
        raise CommandError(f"This command needs a system with {STREAMS_REST_ON}.")
    server = find_server(arguments.url, arguments.token, os.environ, Path.cwd())
    status = asyncio.run(_interruptible(server, arguments, work))
    if status >= SIGNALLED:
        print(f"jupyter ws-hub: {INTERRUPTED.format(where=kept)}", file=sys.stderr)
    return status


async def _interruptible(
    server: Server, arguments: argparse.Namespace, work: Callable[[Job], Awaitable[Report]]
) -> int:
    async def go() -> Report:
        with make_display(quiet=arguments.quiet) as display:
            async with HubClient(server) as hub:
                digest: DigestName = "sha256" if arguments.sha256 else "xxh3-128"
                return await work(Job(server, hub, display, arguments.if_exists, digest))

    task = asyncio.ensure_future(go())
    signals: list[int] = []

    def interrupt(number: int) -> None:
        if signals:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)
            os._exit(SIGNALLED + number)
        signals.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        report = await task
    except asyncio.CancelledError:
        return SIGNALLED + (signals[0] if signals else signal.SIGINT)
    except HubError as error:
        raise CommandError(error.message) from error
    except ExceptionGroup as group:
        raise leaf(group) from group
    tell(report)
    return report.status


def leaf(error: Exception) -> Exception:
    """The first of the errors that tasks have ended with together."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return CommandError(error.message) if isinstance(error, HubError) else error


def tell(report: Report) -> None:
    """Say what is not there, and why."""
    for number, (name, reason) in enumerate(report.failures.items()):
        if number == LISTED:
            print(f"jupyter ws-hub: … and {len(report.failures) - LISTED} more", file=sys.stderr)
            break
        print(plain(f"jupyter ws-hub: {name}: {reason}"), file=sys.stderr)
    if report.has_conflicts:
        print(f"jupyter ws-hub: {HINT}", file=sys.stderr)


async def some_at_a_time(works: list[Callable[[], Awaitable[None]]]) -> None:
    """Do everything, `AT_A_TIME`; the first exception ends all of it."""
    left = iter(works)

    async def worker() -> None:
        for work in left:
            await work()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_A_TIME, len(works))):
            group.create_task(worker())
