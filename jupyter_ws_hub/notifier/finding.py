"""Which server a program belongs to: the one that began it, else the one whose folder it works in, else the newest."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import beacon as beacons
from .beacon import Beacon

TOKENS: Final = ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN")
MAX_ANCESTORS: Final = 64
SCHEME: Final = "ws-hub-secret"
"""In the Authorization header, before the secret."""


class NoServer(Exception):
    """There is no server to notify; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """Where to post, and how to be let in."""

    url: str
    """The server's address, with base_url and a slash at the end."""
    authorization: str = field(default="", repr=False)
    socket: str = ""
    fingerprint: str = ""
    pid: int = 0
    """The server's process, where it is known."""


def ancestors(pid: int) -> list[int]:
    """The process and those that have begun it, as far as the system tells."""
    found: list[int] = []
    while pid > 0 and pid not in found and len(found) < MAX_ANCESTORS:
        found.append(pid)
        fields = beacons.stat_of(pid)
        pid = int(fields[1]) if len(fields) > 1 else (os.getppid() if pid == os.getpid() else 0)
    return found


def find(
    folder: Path,
    environment: Mapping[str, str],
    cwd: Path,
    *,
    url: str | None = None,
    token: str | None = None,
) -> Target:
    """The server that is meant. `folder` is Jupyter's runtime folder, `cwd` where the program works.

    `url` and `token` name another one, as JUPYTER_SERVER_URL and JUPYTER_TOKEN do where no server has begun this.

    Raises:
        NoServer: there is none.
    """
    running = beacons.read_all(folder)
    spare = next((environment[name] for name in TOKENS if environment.get(name)), "")
    if url or token:
        named = url or environment.get("JUPYTER_SERVER_URL")
        if named:
            return _named(named, token, spare, running)
    chosen = choose(running, environment, cwd, ancestors(os.getpid()))
    if chosen is not None:
        return _of(chosen, token)
    named = environment.get("JUPYTER_SERVER_URL")
    if named:
        return _named(named, token, spare, running)
    if running:
        return _of(running[0], token)
    raise NoServer(
        "No Jupyter server of yours with jupyter_ws_hub runs on this machine. Start one, or set JUPYTER_SERVER_URL and"
        " JUPYTER_TOKEN."
    )


def choose(running: Sequence[Beacon], environment: Mapping[str, str], cwd: Path, pids: Sequence[int]) -> Beacon | None:
    """Of the servers that run, newest first, the one that has to do with this program; None if none has."""
    parent, url = environment.get("JPY_PARENT_PID", ""), environment.get("JUPYTER_SERVER_URL", "")
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
    rules: Sequence[Callable[[Beacon], bool]] = (
        lambda one: str(one.pid) == parent,
        lambda one: one.pid in pids,
        lambda one: bool(url) and _same(url, one),
        lambda one: bool(prefix) and one.base_url == prefix,
    )
    for rule in rules:
        found = [one for one in running if rule(one)]
        if found:
            return min(found, key=lambda one: pids.index(one.pid) if one.pid in pids else len(pids))
    if url:
        return None  # it is another one, which has not left a file here
    around = [one for one in running if cwd.is_relative_to(one.root)]
    return max(around, key=lambda one: len(Path(one.root).parts)) if around else None


def _same(url: str, beacon: Beacon) -> bool:
    return bare(url) in (bare(beacon.url), bare(beacon.public_url))


def bare(url: str) -> str:
    """An address without what does not matter: a query, and how `this machine` is said."""
    start = url.split("?")[0].rstrip("/")
    return start.replace("//127.0.0.1:", "//localhost:").replace("//[::1]:", "//localhost:")


def _of(beacon: Beacon, token: str | None) -> Target:
    authorization = f"token {token}" if token else f"{SCHEME} {beacon.secret}"
    return Target(beacon.url, authorization, beacon.socket, beacon.fingerprint, beacon.pid)


def _named(url: str, token: str | None, spare: str, running: Sequence[Beacon]) -> Target:
    """A server that is told by its address: with the token that is told, else by its file, else with the `spare`."""
    start, _, query = url.partition("?")
    if not start.startswith(("http://", "https://")):
        raise NoServer(f"{start!r} is no address of a server; it should look like http://localhost:8888/.")
    token = token or next((part[6:] for part in query.split("&") if part.startswith("token=")), "")
    known = next((one for one in running if _same(start, one)), None)
    if known is not None:
        return _of(known, token)
    token = token or spare
    return Target(start.rstrip("/") + "/", f"token {token}" if token else "")
