"""A JupyterHub's face to a single-user server, as JupyterHub 6.1 has it (services/auth.py, singleuser/extension.py).

Signatures and order are copied from there; the Hub itself is `tokens` and `down`, and what was asked is in `asked`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_server.auth import Authorizer, IdentityProvider, User
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.logout import LogoutHandler
from tornado.web import HTTPError

ACCESS = {"access:servers!server=alice/"}
Model = dict[str, Any]


def model(name: str, scopes: set[str] | None = None) -> Model:
    """What the Hub tells of a user."""
    return {"name": name, "kind": "user", "scopes": sorted(ACCESS if scopes is None else scopes)}


@dataclass
class FakeHubOAuth:
    """HubOAuth (since 2.4), with a cache that never forgets."""

    tokens: dict[str, Model] = field(default_factory=dict)
    down: bool = False
    asked: list[tuple[str, bool, str]] = field(default_factory=list)
    """The token, whether the cache would have done, and the session, of each question that came to the Hub."""
    pause: Callable[[], Awaitable[object]] | None = None
    cache: dict[str, Model | None] = field(default_factory=dict)
    access_scopes: set[str] = field(default_factory=lambda: set(ACCESS))
    cookie_name: str = "jupyterhub-user-alice"
    hub_host: str = ""
    hub_prefix: str = "/hub/"
    allow_token_in_url: bool = False
    auth_header_pat = re.compile(r"(?:token|bearer)\s+(.+)", re.IGNORECASE)

    def user_for_token(self, token: str, use_cache: bool = True, session_id: str = "", *, sync: bool = True) -> Any:
        """The user of a token; an awaitable unless `sync`, which the event loop has no time for."""
        assert not sync, "a blocking call on the event loop"
        return self._check_hub_authorization(token, use_cache, session_id)

    async def _check_hub_authorization(self, token: str, use_cache: bool, session_id: str) -> Model | None:
        key = f"token:{session_id}:{token}"
        if use_cache and key in self.cache:
            return self.cache[key]
        self.asked.append((token, use_cache, session_id))
        await asyncio.sleep(0)
        if self.pause is not None:
            await self.pause()
        if self.down:
            raise HTTPError(500, "Failed to connect to Hub API")
        found = self.tokens.get(token)
        if use_cache:
            self.cache[key] = found
        return found

    def get_token(self, handler: Any, in_cookie: bool = True) -> str | None:
        """The token of a request: in the URL of a browser's WebSocket, in a header, or in the cookie."""
        token = ""
        if self.allow_token_in_url or handler.request.headers.get("Sec-Fetch-Mode", "unspecified") == "websocket":
            token = handler.get_argument("token", "")
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        if not token and match:
            token = match.group(1)
        return token or (self._get_token_cookie(handler) if in_cookie else None)

    def _get_token_cookie(self, handler: Any) -> str | None:
        cookie = handler.get_secure_cookie(self.cookie_name)
        return cookie.decode("ascii", "replace") if cookie else None

    def get_session_id(self, handler: Any) -> str:
        """The session that all of the Hub's cookies of one login share."""
        return str(handler.get_cookie("jupyterhub-session-id", ""))

    def check_scopes(self, required_scopes: set[str], user: Model) -> set[str]:
        """Those of the required scopes that the user has."""
        return required_scopes & set(user["scopes"])

    async def get_user(self, handler: Any, *, sync: bool = True) -> Model | None:
        """The user of a request, by the token or else by the cookie, through the cache."""
        assert not sync
        found, session_id = None, self.get_session_id(handler)
        token = self.get_token(handler, in_cookie=False)
        if token:
            found = await self.user_for_token(token, session_id=session_id, sync=False)
            if found:
                handler._token_authenticated = True
        cookie = self._get_token_cookie(handler)
        if found is None and cookie:
            found = await self.user_for_token(cookie, session_id=session_id, sync=False)
        assert found is None or isinstance(found, dict)
        return found

    def clear_cookie(self, handler: Any) -> None:
        """Log this browser out of this server."""
        handler.clear_cookie(self.cookie_name, path=handler.base_url)


class FakeHubLogout(LogoutHandler):
    """JupyterHubLogoutHandler."""

    @allow_unauthenticated
    def get(self) -> None:
        """Forget the cookie, go on to the Hub."""
        assert isinstance(self.identity_provider, FakeHubProvider)
        hub_auth = self.identity_provider.hub_auth
        hub_auth.clear_cookie(self)
        self.redirect(f"{hub_auth.hub_host}{hub_auth.hub_prefix}logout")


class FakeHubUser(User):
    """JupyterHubUser."""

    hub_user: Model

    def __init__(self, hub_user: Model) -> None:
        """By the Hub's model."""
        self.hub_user = hub_user
        super().__init__(username=hub_user["name"])


class FakeHubProvider(IdentityProvider):
    """JupyterHubIdentityProvider."""

    logout_handler_class = FakeHubLogout
    token = "the server's own token at the Hub"
    token_generated = False

    def __init__(self, **arguments: Any) -> None:
        """With a Hub that knows nobody."""
        super().__init__(**arguments)
        self.hub_auth = FakeHubOAuth()

    async def get_user(self, handler: Any) -> User | None:
        """The user of a request who may use this server."""
        if hasattr(handler, "_jupyterhub_user"):
            found: User | None = handler._jupyterhub_user
            return found
        user = await self.hub_auth.get_user(handler, sync=False)
        allowed = user is not None and self.hub_auth.check_scopes(self.hub_auth.access_scopes, user)
        found = handler._jupyterhub_user = FakeHubUser(user) if user is not None and allowed else None
        return found

    def get_handlers(self) -> list[tuple[str, object]]:
        """The logout."""
        return [("/logout", self.logout_handler_class)]


class FakeHubAuthorizer(Authorizer):
    """JupyterHubAuthorizer, as a deployment may refine it: `read-only` in the scopes allows reading only."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """Decide by the scopes."""
        assert isinstance(user, FakeHubUser)
        scopes = set(user.hub_user["scopes"])
        return bool(scopes & ACCESS) and (action == "read" or "read-only" not in scopes)
