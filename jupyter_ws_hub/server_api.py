"""What other extensions of the server use: `jupyter_ws_hub.notify_from_server`, or `settings["jupyter_ws_hub"].api`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from logging import Logger
from typing import Any, Final, Literal

import msgspec

from .notices.board import Posted
from .notices.notification import Level
from .notifier.notify import action_of
from .ports import Peer
from .protocol.errors import HubError
from .services.notifications import NOBODY

SETTING: Final = "jupyter_ws_hub"
"""Where a server keeps an extension, by its name."""
METHOD: Final = "notifications.post"
SENDER: Final = "server"

Call = Callable[[str, bytes, Peer], Awaitable[bytes]]
"""Calls a method of a service for a peer, when the services have started; raises HubError."""


async def _may(action: str, resource: str) -> bool:
    """What runs in the server may do everything."""
    return True


class ServerApi:
    """For code that runs in the server. Usable from all threads."""

    def __init__(
        self, call: Call, principal_of: Callable[[str | None], str], loop: asyncio.AbstractEventLoop, logger: Logger
    ) -> None:
        """`principal_of` says to whom belongs what a username is told; without one, to the server's owner.

        It is empty where that is nobody.
        """
        self._call, self._principal_of, self._loop, self._logger = call, principal_of, loop, logger
        self._has_told_of_nobody = False

    def notify(
        self,
        title: str,
        message: str = "",
        *,
        level: Level = "info",
        user: Any = None,
        to: Literal["me", "all"] = "me",
        id: str | None = None,
        source: str = "",
        actions: Sequence[tuple[str, str]] = (),
        progress: float | None = None,
        expires_s: float | None = None,
    ) -> Future[str]:
        """Notify the server's owner, or `user` (a username, or a handler's `current_user`), or everybody (`to="all"`).

        The same `id` again updates it while it is under way, and later is a new one in its place. `actions` are
        buttons: pairs of a label and a path under the server's root, an address, or `command:<id>` of JupyterLab.
        Nobody has to look at the result, which is the notification's id: what fails is logged. On the event loop,
        `await asyncio.wrap_future(…)` waits for it.

        Where users have names and `c.HubApp.owner` says none, the owner is not known: without `user` it fails with a
        HubError, `not_found`, which is logged once.
        """
        fields = {
            "title": title,
            "message": message,
            "level": level,
            "to": to,
            "id": id,
            "source": source,
            "actions": [action_of(label, target) for label, target in actions],
            "progress": progress,
            "expires_in_ms": None if expires_s is None else round(expires_s * 1000),
        }
        username = None if user is None else str(getattr(user, "username", user))
        future = asyncio.run_coroutine_threadsafe(self._post(fields, username), self._loop)
        future.add_done_callback(self._posted)
        return future

    async def _post(self, fields: dict[str, Any], username: str | None) -> str:
        peer = Peer(self._principal_of(username), SENDER, SENDER, _may)
        answer = await self._call(METHOD, msgspec.json.encode(fields), peer)
        return msgspec.json.decode(answer, type=Posted).id

    def _posted(self, future: Future[str]) -> None:
        if future.cancelled() or (error := future.exception()) is None:
            return
        if isinstance(error, HubError) and error.message == NOBODY:
            if self._has_told_of_nobody:  # it stays so until the configuration is another
                return
            self._has_told_of_nobody = True
        self._logger.warning("An extension or an event of the server could not notify: %s", error)


def notify_from_server(server: Any, title: str, message: str = "", **how: Any) -> Future[str]:
    """Notify from an extension of the server: `server` is the ServerApp, an ExtensionApp or a handler.

    As `ServerApi.notify`; without an import it is `settings["jupyter_ws_hub"].api.notify` of the web application.

    Raises:
        LookupError: jupyter_ws_hub is not enabled on this server.
    """
    web_app = getattr(getattr(server, "serverapp", None) or server, "web_app", None)
    settings = web_app.settings if web_app is not None else server.settings
    api = getattr(settings.get(SETTING), "api", None)
    if not isinstance(api, ServerApi):
        raise LookupError("jupyter_ws_hub is not enabled on this server.")
    return api.notify(title, message, **how)
