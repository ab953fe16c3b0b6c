"""One notification to one server by HTTP, in whatever thread, within a time.

What only this needs is imported when it is needed: programs that never notify pay nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from .finding import Target

if TYPE_CHECKING:
    import http.client
    import ssl

ENDPOINT: Final = "api/ws-hub/notifications"
MAX_ANSWER_BYTES: Final = 64 * 1024


class NotifyError(Exception):
    """A notification was not posted. `code` is a name of the protocol's table, "" where no server said one."""

    def __init__(self, message: str, code: str = "", retry_after_ms: int | None = None) -> None:
        """`retry_after_ms`: when it may be posted."""
        super().__init__(message)
        self.code = code
        self.retry_after_ms = retry_after_ms


class TooSlow(NotifyError):
    """The server has not answered in time."""


def post(target: Target, notification: dict[str, Any], timeout_s: float) -> str:
    """Post and give the notification's id.

    Raises:
        NotifyError: it was not posted, or that is not known.
    """
    import http.client

    connection = _connect(target, timeout_s)
    path = "/" + target.url.partition("://")[2].partition("/")[2] + ENDPOINT
    headers = {"Content-Type": "application/json"}
    if target.authorization:
        headers["Authorization"] = target.authorization
    try:
        _check_certificate(connection, target)
        connection.request("POST", path, json.dumps(notification), headers)
        response = connection.getresponse()
        status, body = response.status, response.read(MAX_ANSWER_BYTES)
    except TimeoutError:
        raise TooSlow(f"The server has not answered within {timeout_s:g} s.") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotifyError(f"{target.url} cannot be reached: {error}") from None
    finally:
        connection.close()
    return _read(target, status, body)


def _read(target: Target, status: int, body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status == 201 and isinstance(answer.get("id"), str):
        id: str = answer["id"]
        return id
    message, code = answer.get("message"), answer.get("code")
    if isinstance(message, str) and isinstance(code, str):
        raise NotifyError(message, code, answer.get("retry_after_ms"))
    if status in (401, 403) or 300 <= status < 400:
        raise NotifyError(f"{target.url} does not let this in ({status}); is the token still good?", "unauthenticated")
    if status in (404, 405):
        raise NotifyError(f"{target.url} takes no notifications: is jupyter_ws_hub on there?", "not_found")
    raise NotifyError(f"{target.url} answers {status}.")


def _connect(target: Target, timeout_s: float) -> http.client.HTTPConnection:
    import http.client

    if target.socket:
        return _unix(target.socket, timeout_s)
    scheme, _, rest = target.url.partition("://")
    place = rest.partition("/")[0]
    if scheme == "https":
        return http.client.HTTPSConnection(place, timeout=timeout_s, context=_tls(target))
    return http.client.HTTPConnection(place, timeout=timeout_s)


def _unix(path: str, timeout_s: float) -> http.client.HTTPConnection:
    import http.client
    import socket

    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout_s)
            self.sock.connect(path)

    return Connection("localhost", timeout=timeout_s)


def _tls(target: Target) -> ssl.SSLContext:
    """The usual checks, unless the certificate itself is known: then it is compared, whoever has signed it."""
    import ssl

    context = ssl.create_default_context()
    if target.fingerprint:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_certificate(connection: http.client.HTTPConnection, target: Target) -> None:
    """Before the secret leaves: this is the server that has written the file."""
    if not target.fingerprint or not target.url.startswith("https:"):
        return
    import hashlib
    import ssl

    connection.connect()
    certificate = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
    if not certificate or hashlib.sha256(certificate).hexdigest() != target.fingerprint:
        raise NotifyError(f"Another program answers at {target.url}: its certificate is not the server's.")
