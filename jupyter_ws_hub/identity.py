"""Who the user of an open connection is, asked again; and which connections belong to one login.

JupyterHub is no dependency: what is used of it is the face of `HubOAuth` (jupyterhub/services/auth.py), as its own
identity provider has it in `hub_auth`.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_server.base.handlers import JupyterHandler

from .host import is_own_provider
from .protocol.codes import Code
from .protocol.errors import HubError

HUB_TIMEOUT_S = 20.0


def hub_auth_of(provider: object, settings: Mapping[str, Any]) -> Any:
    """The `HubOAuth` where a Hub runs this server, else None. Older ways to run it keep it in the settings."""
    return getattr(provider, "hub_auth", None) or settings.get("hub_auth")


def _hub_auth(handler: JupyterHandler) -> Any:
    return hub_auth_of(handler.identity_provider, handler.settings)


def _hub_token(hub_auth: Any, handler: JupyterHandler) -> str:
    """The token by which the Hub knew the user of a request; empty if the cookie that held it has expired."""
    if handler.token_authenticated:
        return str(hub_auth.get_token(handler, in_cookie=False) or "")
    cookie = handler.get_secure_cookie(hub_auth.cookie_name)
    return cookie.decode("ascii", "replace") if cookie else ""


def login_of(handler: JupyterHandler) -> str | None:
    """What all requests of one browser's login have in common and no others; None for a request without a login.

    It holds no secret. Under a Hub it is the token. Jupyter's own providers give each login a random user name, which
    outlives the cookie's value; elsewhere several browsers may have the same user, so there it is the cookie.
    """
    user, provider = handler.current_user, handler.identity_provider
    if user is None:
        return None
    hub_auth = _hub_auth(handler)
    if hub_auth is not None:
        secret = _hub_token(hub_auth, handler)
    else:
        secret = handler.get_cookie(provider.get_cookie_name(handler), "") or ""
        if secret and is_own_provider(provider):
            secret = user.username
    return hashlib.sha256(f"{user.username}\n{secret}".encode()).hexdigest() if secret else None


class Identity:
    """Asks again who the user of an open connection is: they may have logged out since, or lost their access.

    Only a JupyterHub can be asked; any other provider would answer from the request that opened the connection.
    """

    def __init__(self, monotonic: Callable[[], float], share_s: float) -> None:
        """An answer counts for all connections of one login for `share_s`: a browser has many of them."""
        self._monotonic = monotonic
        self._share_s = share_s
        self._answers: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def check(self, handler: JupyterHandler) -> None:
        """Return if the user is who they were; their scopes are known anew.

        Raises:
            HubError: `unauthenticated` or `forbidden`.
            Exception: the Hub could not be asked; nothing is known.
        """
        hub_auth = _hub_auth(handler)
        if hub_auth is None:
            return
        token = _hub_token(hub_auth, handler)
        model = await self._ask(hub_auth, token, hub_auth.get_session_id(handler)) if token else None
        if not model:
            raise HubError(Code.UNAUTHENTICATED, "You are not logged in any more.")
        if not hub_auth.check_scopes(hub_auth.access_scopes, model):
            raise HubError(Code.FORBIDDEN, "You may not use this server any more.")
        if hasattr(handler.current_user, "hub_user"):
            handler.current_user.hub_user = model  # the authorizer looks there

    async def stop(self) -> None:
        """End what is being asked."""
        tasks = [task for _, task in self._answers.values() if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _ask(self, hub_auth: Any, token: str, session_id: str) -> Any:
        now_s = self._monotonic()
        self._answers = {key: answer for key, answer in self._answers.items() if now_s - answer[0] < self._share_s}
        key = hashlib.sha256(f"{session_id}\n{token}".encode()).hexdigest()
        if key not in self._answers:
            self._answers[key] = (now_s, asyncio.create_task(_user_for_token(hub_auth, token, session_id)))
        try:
            return await asyncio.shield(self._answers[key][1])
        except Exception:
            self._answers.pop(key, None)
            raise


async def _user_for_token(hub_auth: Any, token: str, session_id: str) -> Any:
    """Ask the Hub, without its cache; in a thread where only the blocking way is there (before JupyterHub 2.4)."""
    ask = hub_auth.user_for_token
    if "sync" in inspect.signature(ask).parameters:
        async with asyncio.timeout(HUB_TIMEOUT_S):
            return await ask(token, use_cache=False, session_id=session_id, sync=False)
    return await asyncio.to_thread(ask, token, use_cache=False, session_id=session_id)
