"""The adapter for files that a ContentsManager keeps elsewhere: plain calls, without any decision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from .host_manager import ManagerAccess, model_etag
from .protocol.codes import Code
from .protocol.errors import HubError
from .services.ports import Model
from .transfers.ports import Loaded, Seen

_NOTEBOOK_INDENT: Final = 1
"""As nbformat writes notebooks."""


def _modified_ms(model: Model) -> int:
    """When it was changed, in milliseconds since 1970-01-01 UTC; 0 if the manager does not tell."""
    value = model.get("last_modified")
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return 0
    return int(time.timestamp() * 1000)


def seen(model: Model) -> Seen:
    """What a model without content tells of a file or directory."""
    kind: Any = "directory" if model.get("type") == "directory" else "file"
    return Seen(kind, model.get("size"), _modified_ms(model), model_etag(model))


class RemoteAdapter(ManagerAccess):
    """transfers.ports.Remote on the server's ContentsManager."""

    async def look(self, path: str) -> Seen | None:
        """See Remote."""
        manager = self._manager
        if await self._ask(path, manager.file_exists, path):
            try:
                return seen(await self._ask(path, manager.get, path, content=False))
            except HubError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                return None
        if await self._ask(path, manager.dir_exists, path):
            return Seen("directory", None, 0, "directory")
        return None

    async def is_directory(self, path: str) -> bool:
        """See Remote."""
        await self._visible(path)
        return bool(await self._ask(path, self._manager.dir_exists, path))

    async def save(self, path: str, content: str, chunk: int | None) -> None:
        """See Remote."""
        model: Model = {"type": "file", "format": "base64", "content": content}
        if chunk is not None:
            model["chunk"] = chunk
        await self._ask(path, self._manager.save, model, path)

    async def load(self, path: str) -> Loaded:
        """See Remote. Some managers know notebooks as such only: then their JSON is the file."""
        get = self._manager.get
        try:
            model = await self._ask(path, get, path, content=True, type="file", format="base64")
        except HubError as error:
            if error.code is not Code.INVALID:
                raise
            model = await self._ask(path, get, path, content=True)
        content = model["content"]
        if not isinstance(content, str):
            dump = json.dumps
            content = await asyncio.to_thread(dump, content, ensure_ascii=False, indent=_NOTEBOOK_INDENT) + "\n"
            return Loaded(content, is_base64=False)
        return Loaded(content, is_base64=model.get("format") == "base64")

    async def rename(self, path: str, to: str) -> None:
        """See Remote. The plain calls leave checkpoints where they are, and tell nobody of our temporary names."""
        await self._first_of(path, self._manager.rename_file, self._manager.rename, path, to)

    async def delete(self, path: str) -> None:
        """See Remote."""
        await self._first_of(path, self._manager.delete_file, self._manager.delete, path)

    async def _first_of(self, path: str, plain: Callable[..., Any], whole: Callable[..., Any], *args: str) -> None:
        """Managers that only hand on to others have the whole calls alone."""
        for call in (plain, whole):
            try:
                await self._ask(path, call, *args)
                return
            except NotImplementedError:
                continue
        raise HubError(Code.UNSUPPORTED, f"{path!r}: where the server keeps its files they cannot be renamed.")

    async def make_directory(self, path: str) -> None:
        """See Remote."""
        await self._ask(path, self._manager.new, {"type": "directory"}, path)
