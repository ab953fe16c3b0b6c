"""The server's REST API, as far as commands need it: one request, its JSON, and clear words when it fails."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import IO, Any, Final

from .servers import REFUSED, WHERE_TOKENS_ARE, CommandError, Server

TIMEOUT_S: Final = 15.0
REFUSING: Final = frozenset({301, 302, 303, 307, 308, 401, 403})
"""Where a server wants somebody to log in it refuses, or sends to a page."""


class NotFound(CommandError):
    """The server has no such thing."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """A redirect is an answer like any other."""


def _failure(server: Server, error: urllib.error.HTTPError) -> CommandError:
    if error.code in REFUSING:
        what = "does not accept this token" if server.token else "wants a token"
        return CommandError(
            f"{server.url} {what}. Give one with --token or in JUPYTER_TOKEN; {WHERE_TOKENS_ARE}.",
            REFUSED,
        )
    try:
        answer = json.loads(error.read())
        reason = str(answer.get("message") or answer.get("reason") or error.reason)
    except (ValueError, AttributeError, OSError):
        reason = str(error.reason)
    kind = NotFound if error.code == 404 else CommandError
    return kind(f"{server.url} answers {error.code}: {reason}")


def request(server: Server, path: str, body: Any = None) -> Any:
    """The JSON that the server answers; with a `body`, which is sent as JSON, it is a POST.

    Raises:
        CommandError: it cannot be reached, does not let this user in, or cannot do this; `NotFound` at 404.
    """
    asked = urllib.request.Request(server.url + path, data=None if body is None else json.dumps(body).encode())
    asked.add_header("Content-Type", "application/json")
    if server.token:
        asked.add_header("Authorization", f"token {server.token}")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if server.is_local:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(asked, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise _failure(server, error) from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CommandError(f"{server.url} cannot be reached: {reason}") from None
    except ValueError:
        raise CommandError(f"{server.url} does not answer as a Jupyter server does.") from None
