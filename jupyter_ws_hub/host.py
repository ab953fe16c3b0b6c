"""The adapters to jupyter_server, behind the ports of the layers below: contents, identity, what runs.

Nothing here decides; it translates: HTTPErrors into codes, users into peers, managers into plain values.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server._tz import utcnow
from jupyter_server.auth import User
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp

from .host_listing import directory_of, listen, refuse_large, with_etag
from .host_manager import ManagerAccess, not_found
from .listing.elsewhere import ContentsEvent
from .listing.entry import Directory
from .ports import Peer
from .protocol.codes import Code
from .protocol.errors import HubError
from .services.ports import Checkpoint, Model, Running, time_text

ACTIVITY_INTERVAL_S = 1.0


class ContentsAdapter(ManagerAccess):
    """services.ports.Contents on the server's ContentsManager."""

    async def _vacant(self, path: str) -> None:
        if not path.strip("/"):
            raise HubError(Code.INVALID, "A name is needed.")
        parent = path.strip("/").rpartition("/")[0]
        if not await self._ask(parent, self._manager.dir_exists, parent):
            raise not_found(parent)
        if await self._exists(path):
            raise HubError(Code.EXISTS, f"{path!r} exists already.")

    async def get(
        self, path: str, *, content: bool, type: str | None = None, format: str | None = None, max_bytes: int = 0
    ) -> Model:
        """See Contents."""
        await self._visible(path)
        if max_bytes:
            await self._ask(path, refuse_large, self._manager, path, type, format, max_bytes)
        if type == "directory" and not await self._ask(path, self._manager.dir_exists, path):
            raise not_found(path)
        model: Model = await self._ask(path, self._manager.get, path, content=content, type=type, format=format)
        return with_etag(self._manager, model)

    async def save(self, path: str, model: Model) -> Model:
        """See Contents."""
        await self._visible(path)
        parent = path.strip("/").rpartition("/")[0]
        if not path.strip("/") or not await self._ask(parent, self._manager.dir_exists, parent):
            raise not_found(parent)
        saved: Model = await self._ask(path, self._manager.save, model, path)
        return with_etag(self._manager, saved)

    async def create(self, path: str, type: str) -> Model:
        """See Contents."""
        await self._visible(path)
        await self._vacant(path)
        made: Model = await self._ask(path, self._manager.new, {"type": type}, path)
        return with_etag(self._manager, made)

    async def rename(self, path: str, to: str) -> Model:
        """See Contents."""
        await self._visible(path, to)
        if not path.strip("/") or f"{to.strip('/')}/".startswith(f"{path.strip('/')}/"):
            raise HubError(Code.INVALID, f"{path!r} cannot be moved into itself.")
        if not await self._exists(path):
            raise not_found(path)
        await self._vacant(to)
        await self._ask(path, self._manager.rename, path, to)
        return await self.get(to, content=False)

    async def copy(self, path: str, to: str) -> Model:
        """See Contents."""
        await self._visible(path, to)
        if not await self._exists(path):
            raise not_found(path)
        into = bool(await self._ask(to, self._manager.dir_exists, to))
        if not into:
            await self._vacant(to)
            if await self._ask(path, self._manager.dir_exists, path):
                return await self._copy_directory(path, to)
        copied: Model = await self._ask(path, self._manager.copy, path, to)
        return with_etag(self._manager, copied)

    async def _copy_directory(self, path: str, to: str) -> Model:
        """Copy a directory to exactly this path: the managers know only how to copy one into another."""
        parent = to.strip("/").rpartition("/")[0]
        if f"{to.strip('/')}/".startswith(f"{path.strip('/')}/"):
            raise HubError(Code.INVALID, f"{path!r} cannot be copied into itself.")
        copied = await self._ask(path, self._manager.copy, path, parent)
        if copied["path"].strip("/") != to.strip("/"):
            await self._ask(to, self._manager.rename, copied["path"], to)
        return await self.get(to, content=False)

    async def delete(self, path: str) -> None:
        """See Contents."""
        await self._visible(path)
        if not path.strip("/"):
            raise HubError(Code.FORBIDDEN, "The server's root cannot be deleted.")
        if not await self._exists(path):
            raise not_found(path)
        await self._ask(path, self._manager.delete, path)

    async def directory(self, path: str) -> Directory | None:
        """See Contents."""
        await self._visible(path)
        if not await self._ask(path, self._manager.dir_exists, path):
            raise not_found(path)
        return directory_of(self._manager, path)

    def listen(self, on_event: Callable[[ContentsEvent], None]) -> Callable[[], None]:
        """See Contents."""
        return listen(self._manager, on_event)

    async def _file(self, path: str, checkpoint: str = "") -> None:
        await self._visible(path)
        if not await self._ask(path, self._manager.file_exists, path):
            raise not_found(path)
        # It becomes part of a file's name.
        if not re.fullmatch(r"[\w-]*", checkpoint):
            raise HubError(Code.NOT_FOUND, f"{path!r} has no such checkpoint.")

    async def checkpoints(self, path: str) -> list[Checkpoint]:
        """See Contents."""
        await self._file(path)
        found = await self._ask(path, self._manager.list_checkpoints, path)
        return [Checkpoint(model["id"], time_text(model["last_modified"])) for model in found]

    async def make_checkpoint(self, path: str) -> Checkpoint:
        """See Contents."""
        await self._file(path)
        model = await self._ask(path, self._manager.create_checkpoint, path)
        return Checkpoint(model["id"], time_text(model["last_modified"]))

    async def restore_checkpoint(self, path: str, id: str) -> Model:
        """See Contents."""
        await self._file(path, id)
        await self._ask(path, self._manager.restore_checkpoint, id, path)
        return await self.get(path, content=False)

    async def delete_checkpoint(self, path: str, id: str) -> None:
        """See Contents."""
        await self._file(path, id)
        await self._ask(path, self._manager.delete_checkpoint, id, path)


class PlatformAdapter:
    """services.ports.Platform on the server's managers."""

    def __init__(self, serverapp: ServerApp) -> None:
        """Managers are looked up at each call: terminals may be off, or come later."""
        self._serverapp = serverapp

    async def kernels(self) -> Sequence[Running]:
        """See Platform."""
        manager: Any = self._serverapp.kernel_manager
        models = await ensure_async(manager.list_kernels())
        return [
            Running(
                id=model["id"],
                name=model["name"],
                state=str(model.get("execution_state", "")),
                connections=int(model.get("connections", 0)),
                last_activity=str(model.get("last_activity", "")),
            )
            for model in models
        ]

    async def terminals(self) -> Sequence[Running]:
        """See Platform."""
        manager = self._serverapp.web_app.settings.get("terminal_manager")
        if manager is None:
            return []
        return [
            Running(
                id=model["name"],
                name=model["name"],
                state="running",
                connections=_connections(manager.terminals[model["name"]]),
                last_activity=str(model["last_activity"]),
            )
            for model in manager.list()
        ]


def _connections(pty: Any) -> int:
    """Clients of a terminal; of those that speak our binary protocol only our own PTYs know."""
    return len(pty.clients) + len(getattr(pty, "viewers", ()))


def is_own_provider(provider: IdentityProvider) -> bool:
    """Whether it is one of Jupyter's own, with a token or a password and without names."""
    return type(provider).__module__ == IdentityProvider.__module__


def make_peer(handler: JupyterHandler, owner: str) -> Peer:
    """The authenticated user of a handler.

    Under Jupyter's own token and password providers each request without a cookie is a new random user, so there the
    principal is `owner`; elsewhere it is the username.
    """
    user = handler.current_user
    assert isinstance(user, User)

    async def authorize(action: str, resource: str) -> bool:
        allowed: bool | Awaitable[bool] = handler.authorizer.is_authorized(handler, user, action, resource)
        return allowed if isinstance(allowed, bool) else bool(await ensure_async(allowed))

    return Peer(
        principal=owner if is_own_provider(handler.identity_provider) else user.username,
        username=user.username,
        display_name=user.display_name or user.name or user.username,
        authorize=authorize,
    )


class Activity:
    """Tells the server that a person did something: `ServerApp.last_activity` looks at this setting.

    At most once a second: it is called for each message and for each piece of a transfer.
    """

    def __init__(self, serverapp: ServerApp, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives the seconds of a clock that never jumps."""
        self._serverapp = serverapp
        self._monotonic = monotonic
        self._noted_s = float("-inf")

    def __call__(self) -> None:
        """A person did something just now."""
        now_s = self._monotonic()
        if now_s - self._noted_s >= ACTIVITY_INTERVAL_S:
            self._noted_s = now_s
            self._serverapp.web_app.settings["ws_hub_last_activity"] = utcnow()
