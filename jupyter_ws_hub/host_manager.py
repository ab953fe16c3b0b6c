"""Asking the server's ContentsManager, sync or async: its errors become codes, and name API paths only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado.web import HTTPError

from .protocol.codes import Code
from .protocol.errors import HubError
from .services.ports import Model
from .transfers.disk import disk_error

_CODES = {
    400: Code.INVALID,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.EXISTS,
    413: Code.TOO_BIG,
    415: Code.INVALID,
    507: Code.NO_SPACE,
}


def not_found(path: str) -> HubError:
    """What is said of a path that is not there, and of one that is hidden or outside the root."""
    return HubError(Code.NOT_FOUND, f"There is no {path!r}.")


def parent_of(path: str) -> str:
    """The directory of an API path; empty for the root."""
    return path.strip("/").rpartition("/")[0]


def is_local(manager: Any) -> bool:
    """Whether a manager keeps its files on this machine's disk, where `_get_os_path` says.

    That is so for jupyter_server's own managers and for those made from them, but where they say otherwise about the
    place of a path: then it may be one that only they understand.
    """
    locate = getattr(getattr(manager, "_get_os_path", None), "__func__", None)
    return isinstance(manager, FileManagerMixin) and locate is FileManagerMixin._get_os_path


def model_etag(model: Model) -> str:
    """What tells one state of a file from another where all that is known is what its manager says."""
    time = model.get("last_modified")
    moment = time.isoformat() if isinstance(time, datetime) else str(time)
    return f"{moment}-{model.get('size')}"


class ManagerAccess:
    """What all adapters to the ContentsManager have in common."""

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
                raise not_found(path) from error
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
                raise not_found(path)
            hidden = await self._ask(path, self._manager.is_hidden, path)
            if hidden and not self._manager.allow_hidden:
                raise not_found(path)

    async def _exists(self, path: str) -> bool:
        manager = self._manager
        is_file = await self._ask(path, manager.file_exists, path)
        return bool(is_file or await self._ask(path, manager.dir_exists, path))
