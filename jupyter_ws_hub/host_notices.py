"""Where notifications come from besides /ws: the file for this user's programs, other extensions, chosen events."""

from __future__ import annotations

import os
import secrets
import ssl
import time
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.serverapp import ServerApp
from tornado.httputil import HTTPServerRequest

from .config import Settings
from .host import is_own_provider
from .host_events import EventNotices
from .identity import hub_auth_of
from .notifier import beacon as beacons
from .notifier.beacon import Beacon
from .notifier.finding import SCHEME
from .ports import Peer, Runtime
from .server_api import Call, ServerApi

ANYWHERE: Final = frozenset({"", "*", "0.0.0.0"})
A_PROGRAM: Final = "program"
"""How it is called in an answer where its user is not known."""
PASSED_ON: Final = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via")
"""What proxies add to a request."""


class NoticeSources:
    """Of one server."""

    def __init__(self, serverapp: ServerApp, call: Call, settings: Settings, runtime: Runtime) -> None:
        """`call` reaches the service."""
        self._serverapp, self._settings, self._runtime = serverapp, settings, runtime
        self._secret = secrets.token_urlsafe(32)
        self._beacon: Beacon | None = None
        self._folder = Path(jupyter_runtime_dir())
        loop: Any = serverapp.io_loop
        self.api = ServerApi(call, self._principal_of, loop.asyncio_loop, runtime.logger)
        events: Any = serverapp.event_logger
        chosen = settings.notification_events
        self._events = EventNotices(chosen, events, self.api.notify, runtime.monotonic, runtime.logger)

    def start(self) -> None:
        """Tell this user's programs where the server is; it listens by now. Listen to events."""
        self._events.start()
        try:
            beacons.read_all(self._folder, clean=True)
            beacon = describe(self._serverapp, self._secret)
            beacons.write(self._folder, beacon)
            self._beacon = beacon
        except (OSError, ValueError) as error:
            self._runtime.logger.warning("Kernels and terminals cannot notify by themselves: %s", error)

    def stop(self) -> None:
        """Listen no more, and take the file away where it could be written. Idempotent."""
        self._events.stop()
        beacon, self._beacon = self._beacon, None
        if beacon is not None:
            beacons.remove(self._folder, beacon)

    def _principal_of(self, username: str | None) -> str:
        """Where there are no names everything is the owner's; empty where nobody is known to be meant."""
        if username is None or is_own_provider(self._serverapp.identity_provider):
            return self._person
        return username

    @property
    def _person(self) -> str:
        """Who runs this server: under a Hub it says so, else the configuration; empty where none does.

        Where there are no names it is the principal of all requests, see `make_peer`.
        """
        provider = self._serverapp.identity_provider
        if is_own_provider(provider):
            return self._settings.owner
        of_hub = hub_auth_of(provider, self._serverapp.web_app.settings) is not None
        named = self._settings.owner if self._settings.owner_is_named else ""
        return (os.environ.get("JUPYTERHUB_USER") if of_hub else None) or named

    def by_secret(self, request: HTTPServerRequest) -> Peer | None:
        """The owner, where a program of theirs on this machine asks with the secret; None otherwise.

        Where it is not known who that is, its principal is empty.
        """
        given = request.headers.get("Authorization", "").removeprefix(f"{SCHEME} ")
        if not secrets.compare_digest(given.encode(), self._secret.encode()):
            return None
        if not came_from_here(request):
            self._runtime.logger.warning("The secret for notifications came from elsewhere, and was refused.")
            return None
        name = self._person or A_PROGRAM
        return Peer(self._person, name, name, self._may)

    async def _may(self, action: str, resource: str) -> bool:
        """The secret is for posting; to everybody only where that is nobody else than the owner."""
        if resource != "notifications":
            return False
        return action == "write" or (action == "execute" and is_own_provider(self._serverapp.identity_provider))


def has_secret(request: HTTPServerRequest) -> bool:
    """Whether a request comes with a secret, good or not."""
    return request.headers.get("Authorization", "").lower().startswith(f"{SCHEME} ")


def came_from_here(request: HTTPServerRequest) -> bool:
    """Whether a program on this machine asks, and no proxy in between, which others may ask."""
    if any(name in request.headers for name in PASSED_ON):
        return False
    connection: Any = request.connection
    peer, own = connection.stream.socket.getpeername(), connection.stream.socket.getsockname()
    if not isinstance(peer, tuple):
        return True  # a Unix socket
    address = ip_address(peer[0].partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback or bool(peer[0] == own[0])


def describe(serverapp: ServerApp, secret: str) -> Beacon:
    """The server as its own machine reaches it.

    Raises:
        OSError, ValueError: its certificate cannot be read.
    """
    ip = "127.0.0.1" if serverapp.ip in ANYWHERE else serverapp.ip
    place = f"[{ip if ip != '::' else '::1'}]" if ":" in ip else ip
    scheme, fingerprint = "http", ""
    if serverapp.certfile:
        scheme = "https"
        pem = Path(serverapp.certfile).read_text(encoding="ascii", errors="ignore")
        start = pem.index(ssl.PEM_HEADER)
        end = pem.index(ssl.PEM_FOOTER, start) + len(ssl.PEM_FOOTER)
        fingerprint = sha256(ssl.PEM_cert_to_DER_cert(pem[start:end])).hexdigest()
    return Beacon(
        pid=os.getpid(),
        machine=beacons.this_machine(),
        birth=beacons.birth_of(os.getpid()),
        began_s=time.time(),
        url=f"{scheme}://{place}:{_port(serverapp)}{serverapp.base_url}",
        public_url=serverapp.connection_url,
        base_url=serverapp.base_url,
        root=str(Path(serverapp.root_dir).resolve()),
        secret=secret,
        socket=serverapp.sock,
        fingerprint=fingerprint,
    )


def _port(serverapp: ServerApp) -> int:
    """The port that it listens on; the system may have chosen it."""
    if serverapp.port or serverapp.sock:
        return int(serverapp.port)
    sockets: Any = getattr(getattr(serverapp, "http_server", None), "_sockets", {})
    return next((int(one.getsockname()[1]) for one in sockets.values()), 0)
