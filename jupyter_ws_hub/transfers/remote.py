"""Files that a ContentsManager keeps elsewhere: fed in pieces under a temporary name, verified, and only then renamed.

Such managers promise little. Many ignore that a file comes in pieces and keep the last one alone; some do not say how
large a file is; none replaces a file in one step. So nothing that is there is touched before the new file is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from logging import Logger
from pathlib import Path
from typing import Final, NamedTuple

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..protocol.transfer import ABSENT, IfExists
from .body import Body, decoded
from .operation import Occupied
from .places import parts_of
from .ports import Remote
from .publish import names
from .spool import Spool

CHUNK_BYTES: Final = 1024 * 1024
"""As JupyterLab cuts files. What is no larger is saved whole."""

MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""The largest file that is saved whole, which takes several times its size in memory."""

MAX_FETCH_BYTES: Final = 256 * 1024 * 1024
"""The largest file that is downloaded: managers give files whole only."""

_SETTLED_MS: Final = 2000
"""A file may be changed twice within what managers tell as one moment."""


class Placed(NamedTuple):
    """A file under its name."""

    path: str
    etag: str


Begin = Callable[[str], AbstractAsyncContextManager[None]]
"""Entered, with the API path, for the short time in which a file gets its name; may raise."""


def temporary_path(path: str, op: str, number: int) -> str:
    """Where a file grows: beside its place, under a name that managers accept and listings leave out (`*~`)."""
    folder, slash, name = path.rpartition("/")
    short = name.encode()[:120].decode(errors="ignore")
    return f"{folder}{slash}{short}.{op[:12]}.{number}.part~"


def _old_path(temporary: str) -> str:
    return f"{temporary.removesuffix('.part~')}.old~"


class RemoteFiles:
    """The files of one ContentsManager."""

    def __init__(self, manager: Remote, spool: Spool, logger: Logger) -> None:
        """Nothing is asked yet."""
        self._logger = logger
        self._manager = manager
        self.spool = spool
        self.ignores_chunks = False
        """Whether the manager was seen to keep only the last piece of a file."""

    # Looking

    async def directory(self, path: str) -> Path:
        """Check that there is this directory; give where what goes there is spooled.

        Raises:
            HubError: `not_found`; `invalid` for a file.
        """
        if not await self._manager.is_directory(path):
            if await self._manager.look(path) is None:
                raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
            raise HubError(Code.INVALID, f"{path!r} is a file, not a directory.")
        return await asyncio.to_thread(self.spool.folder)

    async def occupied(self, path: str, names: Sequence[str], allows: Callable[[str], bool]) -> list[Occupied]:
        """Which relative paths in a directory are taken. Raises as `directory`."""
        await self.directory(path)
        found = []
        for name in names:
            try:
                parts_of(name, allows)
            except HubError:
                continue
            seen = await self._manager.look(f"{path}/{name}".strip("/"))
            if seen is not None:
                found.append(Occupied(name, seen.type, seen.size or 0, seen.mtime_ms, seen.etag))
        return found

    async def check(self, path: str, if_exists: IfExists, expect_etag: str | None) -> None:
        """Raise `exists` or `conflict` unless what is there is as the policy and the etag say."""
        seen = await self._manager.look(path)
        current = ABSENT if seen is None else seen.etag
        if expect_etag not in (None, current):
            raise HubError(
                Code.CONFLICT,
                f"{path!r} was changed meanwhile; it was left as it is.",
                details={"expected": expect_etag, "current": current},
            )
        if seen is not None and if_exists in ("fail", "skip"):
            raise HubError(Code.EXISTS, f"{path!r} exists already; it was left as it is.")

    def check_size(self, path: str, size: int) -> None:
        """Raise `unsupported` if it is known that a file of this size cannot be saved."""
        if self.ignores_chunks and size > MAX_WHOLE_BYTES:
            raise HubError(
                Code.UNSUPPORTED,
                f"{path!r} has {size} bytes; where this server keeps its files, they can be saved only whole, and have "
                f"at most {MAX_WHOLE_BYTES} bytes.",
            )

    # Writing

    async def put(
        self, temporary: str, path: str, body: Body, if_exists: IfExists, expect_etag: str | None, begin: Begin
    ) -> Placed:
        """Make a file: under a temporary name first, then, when it is whole, under its own, or the next free one.

        Raises:
            HubError: `exists`, `conflict`; `unsupported` if the manager does not keep what it is given; what the
                manager raises. What was there is there again then, and nothing else.
        """
        policy: IfExists = "fail" if expect_etag == ABSENT else if_exists
        try:
            async with _naming(temporary, path):
                if policy != "rename":
                    await self.check(path, policy, expect_etag)
                await self._write(temporary, body, path)
                return await self._place(temporary, path, policy, expect_etag, begin)
        except BaseException:
            await self.clean(temporary)
            raise

    async def clean(self, temporary: str) -> None:
        """Remove what is under a temporary name, if it can be. Idempotent; raises nothing."""
        try:
            await self._remove(temporary)
        except Exception as error:  # noqa: BLE001  # a manager may raise anything; what counts is why it came to this
            self._logger.warning("%s is left of an upload: %s", temporary, error)

    async def _write(self, temporary: str, body: Body, path: str) -> None:
        with_chunks = body.size > CHUNK_BYTES and not self.ignores_chunks
        await self._remove(temporary)
        if with_chunks:
            await self._save_chunks(temporary, body)
            if await self._is_whole(temporary, body):
                return
            self.ignores_chunks = True
        self.check_size(path, body.size)
        await self._manager.save(temporary, await asyncio.to_thread(body.encoded, 0, body.size), None)
        if not await self._is_whole(temporary, body, read=with_chunks):
            raise HubError(
                Code.UNSUPPORTED, f"{path!r} was not kept whole where this server keeps its files; nothing is changed."
            )

    async def _save_chunks(self, temporary: str, body: Body) -> None:
        for number, start in enumerate(range(0, body.size, CHUNK_BYTES), start=1):
            end = min(start + CHUNK_BYTES, body.size)
            content = await asyncio.to_thread(body.encoded, start, end)
            await self._manager.save(temporary, content, -1 if end == body.size else number)

    async def _is_whole(self, path: str, body: Body, *, read: bool = False) -> bool:
        """Whether a file has the size, and with `read`, or where no size is told, the bytes."""
        seen = await self._manager.look(path)
        if seen is None or seen.type != "file" or seen.size not in (None, body.size):
            return False
        if not read and seen.size is not None:
            return True
        if body.size > MAX_WHOLE_BYTES:
            return seen.size is not None
        return await asyncio.to_thread(body.is_same, await self._manager.load(path))

    async def _place(
        self, temporary: str, path: str, policy: IfExists, expect_etag: str | None, begin: Begin
    ) -> Placed:
        folder, slash, last = path.rpartition("/")
        for name in names(last, policy):
            candidate = f"{folder}{slash}{name}"
            try:
                async with begin(candidate):
                    await self.check(candidate, "fail" if policy == "rename" else policy, expect_etag)
                    await self._swap(temporary, candidate)
            except HubError as error:
                if error.code is Code.EXISTS and policy == "rename":
                    continue
                raise
            return await self._placed(candidate)
        raise HubError(Code.EXISTS, f"{path!r} exists already; it was left as it is.")

    async def _placed(self, path: str) -> Placed:
        seen = await self._manager.look(path)
        return Placed(path, "" if seen is None else seen.etag)

    async def _swap(self, temporary: str, path: str) -> None:
        manager, old = self._manager, _old_path(temporary)
        if await manager.look(path) is None:
            await manager.rename(temporary, path)
            return
        await manager.rename(path, old)
        try:
            await manager.rename(temporary, path)
        except BaseException:
            if await manager.look(path) is None:
                await manager.rename(old, path)
            raise
        await self.clean(old)

    async def recover(self, temporary: str, path: str, body: Body) -> Placed | None:
        """After a server has died while it gave a file its name: finish that, or bring back what was there.

        None: the file is not there. Nothing is left but what was there before.
        """
        manager, old = self._manager, _old_path(temporary)
        if await manager.look(temporary) is None and await self._is_whole(path, body, read=True):
            await self.clean(old)
            return await self._placed(path)
        if await manager.look(path) is None and await manager.look(old) is not None:
            await manager.rename(old, path)
        await self._remove(temporary)
        return None

    async def _remove(self, path: str) -> None:
        if await self._manager.look(path) is not None:
            await self._manager.delete(path)

    async def make_directory(self, base: str, parts: Sequence[str]) -> None:
        """Make a directory below one that exists, with those above it. Raises `exists` where a file is in the way."""
        for count in range(1, len(parts) + 1):
            path = "/".join((base, *parts[:count])).strip("/")
            seen = await self._manager.look(path)
            if seen is None:
                try:
                    await self._manager.make_directory(path)
                except HubError as error:
                    if error.code is not Code.EXISTS:  # somebody else was faster
                        raise
            elif seen.type != "directory":
                raise HubError(Code.EXISTS, f"{path!r} is a file, not a directory.")

    # Reading

    async def fetch(self, path: str) -> Path:
        """Bring a file into the spool, unless the same is there; give where it is.

        Raises:
            HubError: `too_big`, `not_found`, what the manager raises.
        """
        seen = await self._manager.look(path)
        if seen is None or seen.type != "file":
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        self._check_fetch(path, seen.size or 0)
        found = await asyncio.to_thread(self.spool.find, path, seen.etag)
        if found is not None and found[1] > seen.mtime_ms + _SETTLED_MS:
            return found[0]
        loaded = await self._manager.load(path)
        self._check_fetch(path, len(loaded.content) * 3 // 4 if loaded.is_base64 else len(loaded.content))
        return await asyncio.to_thread(self.spool.keep, path, seen.etag, decoded(loaded))

    def _check_fetch(self, path: str, size: int) -> None:
        if size > MAX_FETCH_BYTES:
            raise HubError(
                Code.TOO_BIG,
                f"{path!r} has {size} bytes; where this server keeps its files, those of at most {MAX_FETCH_BYTES} "
                "bytes can be downloaded.",
            )


@asynccontextmanager
async def _naming(temporary: str, path: str) -> AsyncIterator[None]:
    """Let errors name the file as the user knows it."""
    try:
        yield
    except HubError as error:
        if temporary not in error.message:
            raise
        raise HubError(error.code, error.message.replace(temporary, path), details=error.details) from error
