"""The adapters to jupyter_server, behind the ports of the layers below: contents, local files, identity, what runs.

Nothing here decides; it translates: HTTPErrors into codes, users into peers, managers into plain values.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server._tz import utcnow
from jupyter_server.auth import User
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado.web import HTTPError

from .ports import Peer
from .protocol.codes import Code
from .protocol.errors import HubError
from .services.ports import Model, Running
from .transfers.disk import disk_error

ACTIVITY_INTERVAL_S = 1.0

_CODES = {
    400: Code.INVALID,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.EXISTS,
    413: Code.TOO_BIG,
    415: Code.INVALID,
    507: Code.NO_SPACE,
}


def _not_found(path: str) -> HubError:
    return HubError(Code.NOT_FOUND, f"There is no {path!r}.")


class ContentsAdapter:
    """services.ports.Contents on the server's ContentsManager."""

    def __init__(self, serverapp: ServerApp) -> None:
        """The manager is looked up at each call: a server may be given another."""
        self._serverapp = serverapp

    @property
    def _manager(self) -> Any:
        return self._serverapp.contents_manager

    async def _ask(self, path: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the manager; its errors become codes, with the API path and without absolute ones."""
        try:
            return await ensure_async(call(*args, **kwargs))
        except HTTPError as error:
            code = _CODES.get(error.status_code, Code.INTERNAL)
            if code is Code.NOT_FOUND:
                raise _not_found(path) from error
            reason = (error.log_message or error.reason or "").rstrip(". ")
            if error.args and error.log_message:
                reason = error.log_message % error.args
            root = str(getattr(self._manager, "root_dir", "")).rstrip("/")
            reason = reason.replace(root, "") if root else reason
            raise HubError(code, f"{path!r}: {reason or 'the server refused'}.") from error
        except OSError as error:
            raise disk_error(error, path) from error

    async def _visible(self, *paths: str) -> None:
        """Refuse hidden paths, and such as lie outside the root, as if they were not there."""
        for path in paths:
            if "\x00" in path:
                raise _not_found(path)
            hidden = await self._ask(path, self._manager.is_hidden, path)
            if hidden and not self._manager.allow_hidden:
                raise _not_found(path)

    async def _exists(self, path: str) -> bool:
        manager = self._manager
        is_file = await self._ask(path, manager.file_exists, path)
        return bool(is_file or await self._ask(path, manager.dir_exists, path))

    async def _vacant(self, path: str) -> None:
        if not path.strip("/"):
            raise HubError(Code.INVALID, "A name is needed.")
        parent = path.strip("/").rpartition("/")[0]
        if not await self._ask(parent, self._manager.dir_exists, parent):
            raise _not_found(parent)
        if await self._exists(path):
            raise HubError(Code.EXISTS, f"{path!r} exists already.")

    async def get(self, path: str, *, content: bool, type: str | None = None, format: str | None = None) -> Model:
        """See Contents."""
        await self._visible(path)
        if type == "directory" and not await self._ask(path, self._manager.dir_exists, path):
            raise _not_found(path)
        model: Model = await self._ask(path, self._manager.get, path, content=content, type=type, format=format)
        return model

    async def save(self, path: str, model: Model) -> Model:
        """See Contents."""
        await self._visible(path)
        parent = path.strip("/").rpartition("/")[0]
        if not path.strip("/") or not await self._ask(parent, self._manager.dir_exists, parent):
            raise _not_found(parent)
        saved: Model = await self._ask(path, self._manager.save, model, path)
        return saved

    async def create(self, path: str, type: str) -> Model:
        """See Contents."""
        await self._visible(path)
        await self._vacant(path)
        made: Model = await self._ask(path, self._manager.new, {"type": type}, path)
        return made

    async def rename(self, path: str, to: str) -> Model:
        """See Contents."""
        await self._visible(path, to)
        if not path.strip("/") or f"{to.strip('/')}/".startswith(f"{path.strip('/')}/"):
            raise HubError(Code.INVALID, f"{path!r} cannot be moved into itself.")
        if not await self._exists(path):
            raise _not_found(path)
        await self._vacant(to)
        await self._ask(path, self._manager.rename, path, to)
        return await self.get(to, content=False)

    async def copy(self, path: str, to: str) -> Model:
        """See Contents."""
        await self._visible(path, to)
        if not await self._exists(path):
            raise _not_found(path)
        into = bool(await self._ask(to, self._manager.dir_exists, to))
        if not into:
            await self._vacant(to)
            if await self._ask(path, self._manager.dir_exists, path):
                return await self._copy_directory(path, to)
        copied: Model = await self._ask(path, self._manager.copy, path, to)
        return copied

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
            raise _not_found(path)
        await self._ask(path, self._manager.delete, path)

    # transfers.ports.LocalFiles: the same manager, where it keeps files on this machine

    def _os_path(self, path: str) -> Path:
        manager: Any = self._manager
        if not isinstance(manager, FileManagerMixin):
            raise HubError(
                Code.UNSUPPORTED, "This server's files are not on its own disk; file streams cannot reach them yet."
            )
        locate: Callable[[str], str] = manager._get_os_path
        return Path(locate(path.strip("/")))

    @property
    def root(self) -> Path:
        """See LocalFiles."""
        return Path(self._manager.root_dir).absolute()

    async def source(self, path: str) -> Path:
        """See LocalFiles."""
        await self._visible(path)
        if await self._ask(path, self._manager.dir_exists, path):
            raise HubError(Code.INVALID, f"{path!r} is a directory.")
        if not await self._ask(path, self._manager.file_exists, path):
            raise _not_found(path)
        return self._os_path(path)

    async def directory(self, path: str) -> Path:
        """See LocalFiles."""
        await self._visible(path)
        if not await self._ask(path, self._manager.dir_exists, path):
            if await self._ask(path, self._manager.file_exists, path):
                raise HubError(Code.INVALID, f"{path!r} is a file, not a directory.")
            raise _not_found(path)
        return self._os_path(path)

    def allows(self, name: str) -> bool:
        """See LocalFiles."""
        return bool(self._manager.allow_hidden) or not name.startswith(".")

    async def target(self, path: str) -> Path:
        """See LocalFiles."""
        await self._visible(path)
        if not path.strip("/"):
            raise HubError(Code.INVALID, "A file needs a name.")
        parent = path.strip("/").rpartition("/")[0]
        if not await self._ask(parent, self._manager.dir_exists, parent):
            raise _not_found(parent)
        if await self._ask(path, self._manager.dir_exists, path):
            raise HubError(Code.INVALID, f"{path!r} is a directory.")
        return self._os_path(path)

    def api_path(self, target: Path) -> str:
        """See LocalFiles."""
        return target.relative_to(self.root).as_posix()

    async def before_save(self, path: str, size: int) -> None:
        """See LocalFiles. Hooks see a model as JupyterLab's own upload shows it first, without content."""
        model = {"type": "file", "format": "base64", "content": "", "path": path, "size": size, "chunk": 1}
        await self._ask(path, functools.partial(self._manager.run_pre_save_hooks, model=model, path=path))

    async def after_save(self, path: str, target: Path) -> str | None:
        """See LocalFiles."""
        warning = None
        try:
            await self._ask(path, self._manager.run_post_save_hooks, {"type": "file", "path": path}, str(target))
        except HubError as error:
            warning = error.message
        self._manager.emit(data={"action": "save", "path": path})
        return warning


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
