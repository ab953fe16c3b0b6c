"""Which server a command is for: the one it is told, that of the environment, or the only local one of this user.

Running servers leave a file in Jupyter's runtime folder (jupyter_server, `serverapp.py`, `write_server_info_file`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from jupyter_core.paths import jupyter_runtime_dir

FAILED: Final = 1
REFUSED: Final = 2
WHERE_TOKENS_ARE: Final = (
    "`jupyter server list` on the server's machine shows it, and JupyterHub gives tokens at /hub/token"
)
TOKENS: Final = ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN")
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
PAGES: Final = re.compile(r"/(lab|tree|notebooks|edit|doc|retro|voila)(/.*)?$")
"""What a copied address of a page may have behind the server's own."""


class CommandError(Exception):
    """A command cannot go on: a sentence that says what to do, and the exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        """`status` is `FAILED`, or `REFUSED` where the login is not good."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Server:
    """Where a server is, and the token for it (perhaps none)."""

    url: str
    """Its HTTP address, with base_url and a slash at the end."""
    token: str = ""
    root: Path | None = None

    @property
    def login_advice(self) -> str:
        """What to do where it refuses the login."""
        if self.token:
            return "Is the token still good? Give another one with --token, or ask who runs the server."
        return f"It wants a token: give one with --token or in JUPYTER_TOKEN; {WHERE_TOKENS_ARE}."

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where no proxy stands between."""
        return urlsplit(self.url).hostname in LOCAL

    @property
    def ws_url(self) -> str:
        """The same address for WebSockets."""
        return "ws" + self.url.removeprefix("http")


def parse_url(url: str) -> Server:
    """A server from an address as people copy it: with `?token=…`, or with a page behind it.

    Raises:
        CommandError: this is no HTTP address.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(f"{url!r} is no address of a server; it should look like http://localhost:8888/.")
    token = parse_qs(parts.query).get("token", [""])[0]
    path = PAGES.sub("/", parts.path).rstrip("/") + "/"
    return Server(urlunsplit((parts.scheme, parts.netloc, path, "", "")), token)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def running_servers(runtime_dir: Path) -> list[Server]:
    """The servers of this user on this machine that listen on a port."""
    found = []
    for file in sorted(runtime_dir.glob("jpserver-*.json")):
        try:
            fields = json.loads(file.read_text())
            if (
                fields["url"].startswith("http")
                and "+" not in fields["url"].split(":")[0]
                and _is_running(fields["pid"])
            ):
                server = parse_url(fields["url"])
                found.append(replace(server, token=fields["token"], root=Path(fields["root_dir"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a server that is just starting or ending
    return found


def _only(servers: Sequence[Server], folder: Path) -> Server:
    """The only server, or the one with the innermost root around `folder`."""
    if not servers:
        raise CommandError("No Jupyter server of yours runs on this machine. Start one, or name one with --url.")
    if len(servers) == 1:
        return servers[0]
    around = [s for s in servers if s.root is not None and folder.is_relative_to(s.root.resolve())]
    depths = [len(s.root.resolve().parts) for s in around if s.root is not None]
    inner = [s for s, depth in zip(around, depths, strict=True) if depth == max(depths)]
    if len(inner) == 1:
        return inner[0]
    listed = "\n".join(f"  {server.url}  (root: {server.root})" for server in servers)
    raise CommandError(f"Several servers of yours run here; name one with --url:\n{listed}")


def find_server(url: str | None, token: str | None, environment: Mapping[str, str], folder: Path) -> Server:
    """The server that is meant, with the best token there is; `folder` is where the user is.

    Raises:
        CommandError: none is running, or it is not clear which one is meant.
    """
    wanted = url or environment.get("JUPYTER_SERVER_URL")
    local = running_servers(Path(jupyter_runtime_dir()))
    server = parse_url(wanted) if wanted else _only(local, folder.resolve())
    known = [other.token for other in local if other.url == server.url]
    from_environment = [environment.get(name, "") for name in TOKENS]
    order = [token, server.token, *([*from_environment, *known] if wanted else from_environment)]
    return replace(server, token=next((candidate for candidate in order if candidate), ""))
