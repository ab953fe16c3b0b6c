"""`jupyter ws-hub terminal [NAME]`: a terminal of a server in the user's own; it survives what the network does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Final

from ..protocol.terminal_opening import MAX_BYTE_OFFSET
from ..system import has_terminals
from .detach_keys import DEFAULT, DetachKeys
from .rest import request
from .servers import CommandError, Server, find_server

TERMINALS: Final = "api/terminals"
EPILOG: Final = """\
The exit status is the shell's; 0 after detaching, 1 where the terminal is gone, 2 where the login is refused.
Where standard input is no terminal it is sent as it is, and then Ctrl-D:
  echo 'make; exit $?' | jupyter ws-hub terminal
"""


def add_parser(commands: Any) -> None:
    """Add this sub-command to what `argparse.ArgumentParser.add_subparsers` has given."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "terminal",
        help="attach this terminal to one of a server",
        description="Attach this terminal to one of a Jupyter server; it comes back whatever the network does.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the terminal; without it, a new one is made")
    parser.add_argument("--url", help="the server (default: JUPYTER_SERVER_URL, or the one that runs here)")
    parser.add_argument(
        "--token", help="the token (default: JUPYTER_TOKEN, JUPYTERHUB_API_TOKEN, or the local server's)"
    )
    parser.add_argument("--list", action="store_true", help="list the server's terminals")
    parser.add_argument("--create", action="store_true", help="make the terminal NAME if it does not exist")
    parser.add_argument("--cwd", help="the folder in which a new terminal starts")
    parser.add_argument("--read-only", action="store_true", help="watch only")
    parser.add_argument(
        "--detach-keys",
        default=DEFAULT,
        metavar="KEYS",
        help="such as ctrl-p,ctrl-q or ^] (default: %(default)s, as ssh)",
    )
    parser.add_argument(
        "--history", type=int, default=MAX_BYTE_OFFSET, metavar="BYTES", help="how much of the past to show at most"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status.

    Raises:
        CommandError: it cannot be done.
    """
    if not arguments.list and not has_terminals():
        raise CommandError("This command needs a system with POSIX terminals.")
    server = find_server(arguments.url, arguments.token, os.environ, Path.cwd())
    names = [str(terminal["name"]) for terminal in request(server, TERMINALS)]
    if arguments.list:
        print("\n".join(names) if names else "No terminals.", file=sys.stdout if names else sys.stderr)
        return 0
    return _attach(server, choose(server, names, arguments), arguments)


def choose(server: Server, names: list[str], arguments: argparse.Namespace) -> str:
    """The terminal's name; a new one is made where none is named, or where `--create` allows it."""
    name = arguments.name
    if name in names:
        return str(name)
    if name is not None and not arguments.create:
        known = f"There are: {', '.join(names)}." if names else "There are none."
        raise CommandError(f"{server.url} has no terminal {name!r}. {known} --create makes it.")
    wanted = {"name": name, "cwd": arguments.cwd}
    return str(request(server, TERMINALS, {k: v for k, v in wanted.items() if v is not None})["name"])


def _attach(server: Server, name: str, arguments: argparse.Namespace) -> int:
    from .attach import Options, Outcome, Session
    from .tty import RawMode

    options = Options(arguments.detach_keys, arguments.read_only, max(0, arguments.history))
    hint = DetachKeys(options.detach_keys).hint
    is_tty = os.isatty(sys.stdin.fileno())

    async def attach(raw: RawMode | None) -> Outcome:
        return await Session(server, name, options, raw).run()

    if is_tty:
        print(f"[terminal {name} of {server.url}; {hint}]", file=sys.stderr, flush=True)
    with RawMode(sys.stdin.fileno()) if is_tty else contextlib.nullcontext() as raw:
        outcome = asyncio.run(attach(raw))
    if outcome.message:
        print(outcome.message, file=sys.stderr)
    return outcome.status
