"""ContentsManagers that keep their files elsewhere, well and badly; a server can be told to use them, too.

They emit events and number chunks as jupyter_server's own large file managers do.
"""

from __future__ import annotations

import asyncio
import base64
import os
import pickle
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.manager import AsyncContentsManager, ContentsManager
from tornado.web import HTTPError
from traitlets import Unicode

Kept = dict[str, tuple[bytes | None, datetime]]
"""Files and directories (None) with the time of their last change."""

START = datetime(2026, 1, 2, tzinfo=UTC)


class Shelf(ContentsManager):
    """Files in memory; also in one file, where `shelf` names one."""

    shelf = Unicode("").tag(config=True)
    ignores_chunks = False
    tells_sizes = True

    def __init__(self, **traits: Any) -> None:
        """Begin with an empty root, or with what is in the file."""
        super().__init__(**traits)
        self.kept: Kept = {"": (None, START)}
        self.saves: list[tuple[str, int | None]] = []
        self.fail_at: int | None = None
        """The save, counted from 1, that fails; chunks count one by one."""
        self.tick = 0
        if self.shelf and Path(self.shelf).exists():
            self.kept = pickle.loads(Path(self.shelf).read_bytes())

    def _keep(self, path: str, data: bytes | None) -> None:
        self.tick += 1
        self.kept[path] = (data, START + timedelta(seconds=self.tick))
        self._write_down()

    def _write_down(self) -> None:
        if self.shelf:
            new = Path(f"{self.shelf}.new")
            new.write_bytes(pickle.dumps(self.kept))
            os.replace(new, self.shelf)

    def names(self) -> list[str]:
        """All files."""
        return sorted(path for path, (data, _) in self.kept.items() if data is not None)

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        data = self.kept[path][0]
        assert data is not None
        return data

    def put(self, path: str, data: bytes | None) -> None:
        """Set a file or directory, as somebody else would."""
        self._keep(path, data)

    def _is(self, path: str, *, directory: bool) -> bool:
        path = path.strip("/")
        return path in self.kept and (self.kept[path][0] is None) == directory

    def _hidden(self, path: str) -> bool:
        return any(part.startswith(".") for part in path.strip("/").split("/"))

    def _get(self, path: str, content: bool, type: str | None, format: str | None) -> dict[str, Any]:
        path = path.strip("/")
        if path not in self.kept:
            raise HTTPError(404, f"No such file: {path}")
        data, time = self.kept[path]
        model = {"name": path.rpartition("/")[2], "path": path, "writable": True, "created": START, "mimetype": None}
        model |= {"last_modified": time, "type": "directory" if data is None else "file", "content": None}
        model |= {"format": None, "size": len(data) if data is not None and self.tells_sizes else None}
        if content and data is None:
            inside = [p for p in self.kept if p and p.rpartition("/")[0] == path]
            model |= {"format": "json", "content": [self._get(p, False, None, None) for p in inside]}
        elif content and data is not None:
            text = base64.encodebytes(data).decode() if format == "base64" else data.decode()
            model |= {"format": format or "text", "content": text}
        return model

    def _save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        path, chunk = path.strip("/"), model.get("chunk")
        if chunk in (None, 1):
            untyped: Any = self
            untyped.run_pre_save_hooks(model=model, path=path)
        self.saves.append((path, chunk))
        if self.fail_at == len(self.saves):
            raise HTTPError(500, "the store is away")
        if model["type"] == "directory":
            self._keep(path, None)
        else:
            content = str(model.get("content") or "")
            data = base64.b64decode(content) if model.get("format") == "base64" else content.encode()
            goes_on = chunk not in (None, 1) and not self.ignores_chunks
            self._keep(path, self.read(path) + data if goes_on else data)
        emit: Any = self.emit
        emit(data={"action": "save", "path": path})
        return self._get(path, False, None, None)

    def _rename(self, old: str, new: str) -> None:
        old, new = old.strip("/"), new.strip("/")
        if new in self.kept:
            raise HTTPError(409, f"File already exists: {new}")
        if old not in self.kept:
            raise HTTPError(404, f"No such file: {old}")
        self.kept[new] = self.kept.pop(old)
        self._write_down()

    def _delete(self, path: str) -> None:
        del self.kept[path.strip("/")]
        self._write_down()


class Sync(Shelf):
    """A sync manager that takes chunks."""

    def dir_exists(self, path: str) -> bool:
        return self._is(path, directory=True)

    def file_exists(self, path: str = "") -> bool:
        return self._is(path, directory=False)

    def is_hidden(self, path: str) -> bool:
        return self._hidden(path)

    def get(
        self, path: str, content: Any = True, type: Any = None, format: Any = None, require_hash: Any = False
    ) -> Any:
        return self._get(path, content, type, format)

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        return self._save(model, path)

    def rename_file(self, old_path: str, new_path: str) -> None:
        self._rename(old_path, new_path)

    def delete_file(self, path: str) -> None:
        self._delete(path)


class Async(Shelf, AsyncContentsManager):
    """An async manager that takes chunks; each save takes `delay_s`."""

    delay_s = 0.0

    async def dir_exists(self, path: str) -> bool:
        return self._is(path, directory=True)

    async def file_exists(self, path: str = "") -> bool:
        return self._is(path, directory=False)

    async def is_hidden(self, path: str) -> bool:
        return self._hidden(path)

    async def get(
        self, path: str, content: Any = True, type: Any = None, format: Any = None, require_hash: Any = False
    ) -> Any:
        await asyncio.sleep(0)
        return self._get(path, content, type, format)

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        await asyncio.sleep(self.delay_s)
        return self._save(model, path)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        self._rename(old_path, new_path)

    async def delete_file(self, path: str) -> None:
        self._delete(path)


class Ignorant(Async):
    """Keeps the last chunk alone, as many managers do."""

    ignores_chunks = True


class SyncIgnorant(Sync):
    """The same, sync."""

    ignores_chunks = True


class Slow(Async):
    """Takes its time for each save."""

    delay_s = 1.0


class Broken(Async):
    """Says that it has saved a file, and keeps half of it."""

    def _keep(self, path: str, data: bytes | None) -> None:
        super()._keep(path, data if data is None else data[: len(data) // 2])


class WholeCalls(Async):
    """Hands renaming and deleting on to others by the whole calls, and has no plain ones."""

    async def rename_file(self, old_path: str, new_path: str) -> None:
        raise NotImplementedError

    async def delete_file(self, path: str) -> None:
        raise NotImplementedError

    async def rename(self, old_path: str, new_path: str) -> None:
        self._rename(old_path, new_path)

    async def delete(self, path: str) -> None:
        self._delete(path)


class Mortal(Async):
    """Ends its server, as a crash would, before the change whose number, from now on, is in the file `deadly`."""

    deadly = Unicode("").tag(config=True)
    calls = 0

    def _die(self) -> None:
        deadly = Path(self.deadly)
        self.calls = self.calls + 1 if deadly.exists() else 0
        if self.calls and int(deadly.read_text()) == self.calls:
            deadly.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def _save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        self._die()
        return super()._save(model, path)

    def _rename(self, old: str, new: str) -> None:
        self._die()
        super()._rename(old, new)

    def _delete(self, path: str) -> None:
        self._die()
        super()._delete(path)
