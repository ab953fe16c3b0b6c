"""`jupyter ws-hub notify TITLE`: a notification in JupyterLab, from a shell or a script."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..notifier.finding import NoServer
from ..notifier.notify import Notifier, action_of, plain
from ..notifier.post import NotifyError
from ..notifier.progress import Progress
from .servers import FAILED, REFUSED, CommandError, find_server

MAX_MESSAGE_BYTES: Final = 16 * 1024
MAX_LINE_BYTES: Final = 4 * 1024
READ_BYTES: Final = 64 * 1024
MAX_TEXT: Final = 200
UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
SHARE: Final = re.compile(r"(\d+)\s*(?:/|of)\s*(\d+)")
NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*$")
EPILOG: Final = """\
  make; jupyter ws-hub notify "make has ended" --message "status $?"
  python train.py | jupyter ws-hub notify Training --follow
  rsync -a --info=progress2 data/ backup/ | jupyter ws-hub notify Backup --follow
A pipe does not tell how its program has ended: say it with --level, or by another notification with the same --id.
The server is found by itself: the one whose terminal or kernel this runs in, else the one whose folder this is in.
Exit status: 0 posted, 1 not posted, 2 wrong usage or the login is refused, 130 Ctrl-C.
"""


def seconds(text: str) -> float:
    """A time such as 90, 90s, 10m, 2h, 1d."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 10m, 2h or 1d")
    return float(match[1]) * UNITS[match[2]]


def fraction(text: str) -> float:
    """How far something has come: 0.4 or 40%."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    value = float(match[1]) / (100 if match[2] else 1) if match is not None else -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither from 0 to 1 nor from 0% to 100%")
    return value


def action(text: str) -> dict[str, str]:
    """A button: LABEL=TARGET."""
    label, equals, target = text.partition("=")
    if not (label and equals and target):
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=TARGET")
    return action_of(plain(label), plain(target))


def add_parser(commands: Any) -> None:
    """Add this sub-command to what `argparse.ArgumentParser.add_subparsers` has given."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "notify",
        help="show a notification in JupyterLab",
        description="Show a notification in JupyterLab, also to who is away now and comes back.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("title", metavar="TITLE", help="what it says")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="what else it says; - reads it")
    parser.add_argument("--level", choices=("info", "success", "warning", "error"), help="default: info")
    parser.add_argument("--progress", type=fraction, metavar="SHARE", help="how far it has come: 0.4 or 40%%")
    parser.add_argument("--id", help="a name of your own: again it updates what is under way, or tells anew")
    parser.add_argument("--to", choices=("me", "all"), default="me", help="all: everybody on the server, if you may")
    parser.add_argument(
        "--action",
        type=action,
        action="append",
        default=[],
        metavar="LABEL=TARGET",
        help="a button: for a path under the server's root, an http(s) address or command:ID of JupyterLab",
    )
    parser.add_argument(
        "--expires", type=seconds, metavar="TIME", help="when it is of no use any more: 90s, 10m, 2h, 1d"
    )
    parser.add_argument("--source", default="", help="who says so")
    parser.add_argument(
        "--follow", action="store_true", help="read lines until the end and show how far they say that it has come"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="with --follow: do not print the lines")
    parser.add_argument("--url", help="the server (default: the one that this runs in, or JUPYTER_SERVER_URL)")
    parser.add_argument("--token", help="the token (default: none is needed on the server's own machine)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status.

    Raises:
        CommandError: it was not posted.
    """
    send = partial(deliver, Notifier(), url=arguments.url, token=arguments.token)
    if arguments.follow:
        return follow(arguments, send)
    message = arguments.message
    if message == "-":
        message = read_message()
    send({**common(arguments), "level": arguments.level or "info", "message": plain(message), "id": arguments.id})
    return 0


def read_message() -> str:
    """What comes on standard input, as far as a message can be so long; the server says if it is too long."""
    data = b""
    while len(data) < MAX_MESSAGE_BYTES and (more := os.read(0, READ_BYTES)):
        data += more
    return data[:MAX_MESSAGE_BYTES].decode("utf-8", "replace").rstrip("\n")


def common(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a notification has in either case."""
    return {
        "title": plain(arguments.title),
        "to": arguments.to,
        "source": plain(arguments.source),
        "actions": arguments.action,
        "progress": arguments.progress,
        "expires_in_ms": None if arguments.expires is None else round(arguments.expires * 1000),
    }


def deliver(notifier: Notifier, notification: dict[str, Any], url: str | None, token: str | None) -> None:
    """Post it, also to a server that has left no file for this, but is known to other commands.

    Raises:
        CommandError: it was not posted.
    """
    try:
        try:
            notifier.send(notification, url=url, token=token)
        except NoServer:
            server = find_server(url, token, os.environ, Path.cwd())
            notifier.send(notification, url=server.url, token=server.token)
    except NotifyError as error:
        refused = error.code in ("unauthenticated", "forbidden")
        raise CommandError(str(error), REFUSED if refused else FAILED) from None


def follow(arguments: argparse.Namespace, send: Callable[[dict[str, Any]], None]) -> int:
    """Show the lines of standard input, and what they say of how far it has come, until they end."""
    failures: list[CommandError] = []

    def post(title: str, message: object, **fields: Any) -> bool:
        failures.clear()
        try:
            send({**common(arguments), **fields, "message": plain(message)[-1000:], "source": plain(arguments.source)})
        except CommandError as error:
            failures.append(error)
        return not failures

    last = arguments.message
    with Progress(post, arguments.title, 100, id=arguments.id) as progress:
        for line in lines(arguments.quiet):
            text = line.strip()[:MAX_TEXT]
            if text:
                last = text
                share = how_far(text)
                progress.set(None if share is None else share * 100, text)
        # A pipe does not say whether the program at its other end was lucky.
        level = arguments.level or "info"
        progress.end(level, last, 1.0 if level in ("info", "success") else None)
    if failures:
        raise failures[0]
    return 0


def lines(quiet: bool) -> Iterator[str]:
    """What comes, line by line; a carriage return ends one, too. It is printed as well, unless `quiet`."""
    rest = b""
    while data := os.read(0, READ_BYTES):
        if not quiet:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        *whole, rest = re.split(rb"[\r\n]+", rest + data)
        rest = rest[-MAX_LINE_BYTES:]
        yield from (line.decode("utf-8", "replace") for line in whole)
    yield rest.decode("utf-8", "replace")


def how_far(line: str) -> float | None:
    """The last share that a line names: 40 %, 4/10, 4 of 10, or a number alone (0.4, or percent); None without one."""
    percents, shares = PERCENT.findall(line), SHARE.findall(line)
    if percents:
        value = float(percents[-1]) / 100
    elif shares and int(shares[-1][1]):
        value = int(shares[-1][0]) / int(shares[-1][1])
    elif match := NUMBER.match(line):
        value = float(match[1]) if float(match[1]) <= 1 else float(match[1]) / 100
    else:
        return None
    return value if value <= 1 else None
