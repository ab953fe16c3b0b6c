"""`POST /api/ws-hub/notifications`: notifications from scripts, with JSON in and out; see notifications.post."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from jupyter_server.auth import User
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..host import make_peer
from ..host_notices import has_secret
from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..server_api import METHOD
from .parts import Parts

MAX_BODY_BYTES: Final = 64 * 1024
DRAINED_BYTES: Final = 16 * MAX_BODY_BYTES
"""So much is read to be able to answer: a client that still sends does not hear anything."""

STATUS: Final = {
    Code.INVALID: 400,
    Code.UNAUTHENTICATED: 403,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.UNKNOWN_METHOD: 404,
    Code.CONFLICT: 409,
    Code.TOO_BIG: 413,
    Code.RATE_LIMITED: 429,
    Code.BUSY: 503,
    Code.UNAVAILABLE: 503,
    Code.SHUTTING_DOWN: 503,
    Code.TIMEOUT: 504,
    Code.NO_SPACE: 507,
}
"""How HTTP says what went wrong; else 500."""


@web.stream_request_body
class NotificationsHandler(APIHandler):
    """Takes notifications from whoever has Jupyter's own login, or the secret of this user's programs."""

    auth_resource = "notifications"
    _track_activity = False
    peer: Peer

    def initialize(self, parts: Parts) -> None:
        """Take the parts of the server."""
        self.parts = parts
        self.body = bytearray()
        self.received_bytes = 0

    async def prepare(self, **how: Any) -> None:
        """Say who asks. With the secret neither cookies nor tokens count, and none are given."""
        connection: Any = self.request.connection
        connection.set_max_body_size(DRAINED_BYTES)
        if has_secret(self.request):
            peer = self.parts.sources.by_secret(self.request) if self.check_host() else None
            self.current_user = self._jupyter_current_user = None
            if peer is None:
                raise web.HTTPError(403, "This secret is not good here.")
            self.peer = peer
            self.current_user = self._jupyter_current_user = User(peer.username)
        else:
            await super().prepare()
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > DRAINED_BYTES:
            self.set_header("Connection", "close")
            self.tell(_too_big())

    def data_received(self, chunk: bytes) -> None:
        """Keep what may be, pass over the rest."""
        self.received_bytes += len(chunk)
        if self.received_bytes <= MAX_BODY_BYTES:
            self.body += chunk

    @web.authenticated
    async def post(self) -> None:
        """Post a notification: 201 with its id and where it stands."""
        try:
            if self.received_bytes > MAX_BODY_BYTES:
                raise _too_big()
            if not hasattr(self, "peer"):
                self.peer = make_peer(self, self.parts.owner)
            answer = await self.parts.call(METHOD, bytes(self.body), self.peer)
        except HubError as error:
            self.tell(error)
        else:
            self.set_status(201)
            self.finish(answer)

    def tell(self, error: HubError) -> None:
        """Answer with an error of the table."""
        self.set_status(STATUS.get(error.code, 500))
        if error.retry_after_ms is not None:
            self.set_header("Retry-After", str(math.ceil(error.retry_after_ms / 1000)))
        self.finish(msgspec.json.encode(error.info))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Who is not let in is told in the same form."""
        error = kwargs.get("exc_info", (None, None))[1]
        message = error.log_message if isinstance(error, web.HTTPError) else None
        code = {403: Code.FORBIDDEN, 404: Code.NOT_FOUND, 405: Code.UNSUPPORTED}.get(status_code, Code.INTERNAL)
        if status_code == 403 and getattr(self, "_jupyter_current_user", None) is None:
            code, message = Code.UNAUTHENTICATED, message or "Log in, or give a token."
        told = HubError(code, (message or self._reason).replace("%%", "%"))
        self.finish(msgspec.json.encode(told.info))


def _too_big() -> HubError:
    return HubError(Code.TOO_BIG, f"A notification has at most {MAX_BODY_BYTES} bytes.")
