"""The systems whose terminals are compared: ours (both protocols), stock Jupyter, and ttyd where it is installed."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Mapping
from typing import Final

import msgspec

from tests.support.server import TOKEN

from .lab import Lab
from .terminal_wire import Dialect, Endpoint

OURS: Final = "ours"
OURS_JSON: Final = "ours, JSON"
STOCK: Final = "stock"
TTYD: Final = "ttyd"
TIMEOUT_S: Final = 30.0


class System(msgspec.Struct, frozen=True):
    """A server of terminals; all give the same shell."""

    port: int
    pid: int
    dialect: Dialect
    path: str
    """Of a terminal, with `{}` for its name."""

    @property
    def hub(self) -> bool:
        """Whether it is a server with the extension, and spoken to in our protocols."""
        return self.dialect == "binary"

    def new(self) -> Endpoint:
        """Make a terminal; with ttyd each connection has one of its own."""
        name = "" if self.dialect == "ttyd" else new_terminal(self.port)
        return Endpoint(self.port, self.path.format(name), self.dialect)


def ask(port: int, method: str, path: str, body: object = None) -> bytes:
    """Call a Jupyter server's REST API."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        found: bytes = answer.read()
    return found


def new_terminal(port: int) -> str:
    """Make a terminal of a Jupyter server; gives its name."""
    name: str = json.loads(ask(port, "POST", "api/terminals", {}))["name"]
    return name


def ours(lab: Lab) -> System:
    """A server with the extension."""
    return System(lab.hub().port, lab.hub_pid, "binary", "/ws/terminal/{}?rows=24&columns=80")


def in_json(system: System) -> System:
    """The same server for clients that speak terminado's protocol."""
    return System(system.port, system.pid, "json", "/ws/terminal/{}")


def stock(lab: Lab) -> System:
    """A Jupyter server without the extension."""
    return System(lab.stock().port, lab.hub_pid, "json", "/terminals/websocket/{}")


def ttyd(lab: Lab) -> System | None:
    """Ttyd, if it is on PATH."""
    program = shutil.which("ttyd")
    if program is None:
        return None
    target = lab.program(
        "ttyd", lambda port: [program, "-W", "-P", "300", "-i", "127.0.0.1", "-p", str(port), "/bin/sh"]
    )
    return System(target.port, lab.peer_pid("ttyd"), "ttyd", "/ws")


def all_systems(lab: Lab) -> Mapping[str, System]:
    """Start them all."""
    own = ours(lab)
    systems = {STOCK: stock(lab), TTYD: ttyd(lab), OURS: own, OURS_JSON: in_json(own)}
    return {name: system for name, system in systems.items() if system is not None}


def without_ttyd(systems: Mapping[str, System]) -> str:
    """A note for the table where ttyd is missing."""
    return "" if TTYD in systems else "ttyd is not on PATH"
