"""The command `jupyter ws-hub`: one file per sub-command, each with `add_parser`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from .. import __version__
from . import download, notify, terminal, upload
from .servers import CommandError

COMMANDS: Final = (terminal, upload, download, notify)
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="jupyter ws-hub", description="Work with a Jupyter server from a shell.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    parsed = make_parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except CommandError as error:
        print(f"jupyter ws-hub: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
