"""The adapter for transfers: where API paths lie on the disk, or in the spool where a manager keeps files elsewhere."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from logging import Logger
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp

from .host_manager import ManagerAccess, is_local, not_found, parent_of
from .host_remote import RemoteAdapter
from .protocol.codes import Code
from .protocol.errors import HubError
from .transfers.remote import RemoteFiles
from .transfers.spool import Spool


class FilesAdapter(ManagerAccess):
    """transfers.ports.LocalFiles on the server's ContentsManager."""

    def __init__(self, serverapp: ServerApp, spool: Spool, logger: Logger) -> None:
        """`spool` keeps what goes to, or comes from, a manager whose files are elsewhere."""
        super().__init__(serverapp)
        self._spool = spool
        self._remote = RemoteFiles(RemoteAdapter(serverapp), spool, logger)

    @property
    def remote(self) -> RemoteFiles | None:
        """See LocalFiles."""
        return None if is_local(self._manager) else self._remote

    def _os_path(self, path: str) -> Path:
        manager: Any = self._manager
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
            raise not_found(path)
        remote = self.remote
        return self._os_path(path) if remote is None else await remote.fetch(path)

    async def release(self, path: str) -> None:
        """See LocalFiles."""
        if self.remote is not None:
            await asyncio.to_thread(self._spool.release, path)

    async def directory(self, path: str) -> Path:
        """See LocalFiles."""
        await self._visible(path)
        if not await self._ask(path, self._manager.dir_exists, path):
            if await self._ask(path, self._manager.file_exists, path):
                raise HubError(Code.INVALID, f"{path!r} is a file, not a directory.")
            raise not_found(path)
        if self.remote is not None:
            raise HubError(
                Code.UNSUPPORTED,
                f"{path!r} is not on the server's own disk; from there files are downloaded one by one.",
            )
        return self._os_path(path)

    def allows(self, name: str) -> bool:
        """See LocalFiles."""
        return bool(self._manager.allow_hidden) or not name.startswith(".")

    async def target(self, path: str) -> Path:
        """See LocalFiles."""
        await self._visible(path)
        if not path.strip("/"):
            raise HubError(Code.INVALID, "A file needs a name.")
        parent = parent_of(path)
        if not await self._ask(parent, self._manager.dir_exists, parent):
            raise not_found(parent)
        if await self._ask(path, self._manager.dir_exists, path):
            raise HubError(Code.INVALID, f"{path!r} is a directory.")
        return self._os_path(path) if self.remote is None else await asyncio.to_thread(self._spool.target, path)

    def api_path(self, target: Path) -> str:
        """See LocalFiles."""
        return target.relative_to(self.root).as_posix()

    async def before_save(self, path: str, size: int) -> None:
        """See LocalFiles. Hooks see a model as JupyterLab's own upload shows it first, without content."""
        if (remote := self.remote) is not None:
            remote.check_size(path, size)
        model = {"type": "file", "format": "base64", "content": "", "path": path, "size": size, "chunk": 1}
        await self._ask(path, functools.partial(self._manager.run_pre_save_hooks, model=model, path=path))

    async def after_save(self, path: str, target: Path) -> str | None:
        """See LocalFiles. Where files are elsewhere hooks get the API path, as from such managers themselves."""
        warning = None
        os_path = str(target) if self.remote is None else path
        try:
            await self._ask(path, self._manager.run_post_save_hooks, {"type": "file", "path": path}, os_path)
        except HubError as error:
            warning = error.message
        self._manager.emit(data={"action": "save", "path": path})
        return warning
