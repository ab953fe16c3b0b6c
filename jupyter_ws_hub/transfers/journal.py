"""What survives a server: a small file per operation, the digests of its blocks, and who owns it now.

The files lie in Jupyter's data directory, which several servers of one home may share. All methods block.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from logging import Logger
from pathlib import Path
from typing import Final, overload

import msgspec

if sys.platform != "win32":
    import fcntl

from ..protocol.codes import Code
from ..protocol.errors import ErrorInfo, HubError
from ..protocol.transfer import Direction, Done, Kind
from .operation import DownloadPlan, Publishing, Putting, State, UploadPlan

RECORD: Final = ".json"
BLOCKS: Final = ".blocks"
OWNER: Final = ".owner"
NEW: Final = ".new"
ID_CHARACTERS: Final = 64
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells one start of this machine from another; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operation, as it is kept. `root` is the directory that its server serves; `partial` is absolute."""

    id: str
    direction: Direction
    kind: Kind
    principal: str
    path: str
    size: int
    root: str
    plan: UploadPlan
    download: DownloadPlan | None
    name: str
    created_s: float
    touched_s: float
    state: State
    etag: str | None = None
    entries: int = 0
    settled: int = 0
    failed: int = 0
    begun: int = 0
    putting: tuple[Putting, ...] = ()
    byte_offset: int = 0
    durable: int = 0
    boot: str = ""
    held: bool = False
    error: ErrorInfo | None = None
    done: Done | None = None
    target: str | None = None
    """Where an upload is written to, absolute, with symbolic links followed."""
    partial: str | None = None
    mode: int = 0o600
    publishing: Publishing | None = None


def _lock(descriptor: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _unlock(descriptor: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


class Ownership:
    """The right to write what belongs to an operation: the newest generation has it, on whatever server.

    A generation is a number in a file; a lock on it is held for the short time of each write. Where the file system
    has no locks the number alone has to do.
    """

    def __init__(self, path: Path, may: Callable[[], bool] | None = None) -> None:
        """Take the operation over: whoever had it before writes nothing more when this returns. Raises OSError.

        If `may` says no, nothing is taken over, and the generation is 0.
        """
        self._threads = threading.Lock()  # the lock of the file system is between processes
        self._descriptor = -1
        self.generation = 0
        try:
            while not self._take(path, may):
                self.close()
        except BaseException:
            self.close()
            raise

    def _take(self, path: Path, may: Callable[[], bool] | None) -> bool:
        """Raise the number; False if the file was removed meanwhile, with the operation: another may be there now."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with self._locked():
            if os.fstat(self._descriptor).st_nlink == 0:
                return False
            is_allowed = may is None or may()
            if is_allowed:
                self.generation = self._read() + 1
                os.pwrite(self._descriptor, self.generation.to_bytes(8, "big"), 0)
        if not is_allowed:
            self.close()
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        _lock(self._descriptor)
        try:
            yield
        finally:
            _unlock(self._descriptor)

    def _read(self) -> int:
        return int.from_bytes(os.pread(self._descriptor, 8, 0), "big")

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Let nobody take the operation over meanwhile.

        Raises:
            HubError: `superseded` if somebody has.
        """
        if self._descriptor < 0:
            raise HubError(Code.SUPERSEDED, "This stream has ended.")
        with self._threads, self._locked():
            if self._read() != self.generation or os.fstat(self._descriptor).st_nlink == 0:
                raise HubError(Code.SUPERSEDED, "Another server goes on with this transfer.")
            yield

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Journal:
    """The records of one server root."""

    def __init__(self, folder: Path, root: str, logger: Logger) -> None:
        """Nothing is touched yet."""
        self._folder = folder
        self.root = root
        self._logger = logger
        self._foreign: set[str] = set()
        self.boot = boot_id()

    def _path(self, id: str, suffix: str) -> Path:
        if not id.isalnum() or len(id) > ID_CHARACTERS:  # it names a file, and comes from a client
            raise HubError(Code.NOT_FOUND, "There is no such transfer (any more).")
        return self._folder / f"{id}{suffix}"

    def blocks_path(self, id: str) -> Path:
        """Where the digests of an operation's blocks are kept."""
        return self._path(id, BLOCKS)

    def save(self, record: Record, *, sync: bool = False) -> None:
        """Keep a record; with `sync` also over a power loss. The one before is whole until then. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._replace(self._path(record.id, RECORD), msgspec.json.encode(record), sync)
        if sync:
            self._sync_folder()

    def _replace(self, path: Path, data: bytes, sync: bool) -> None:
        new = path.with_suffix(f".{os.getpid()}{NEW}")  # who writes of an operation holds it
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                _write_all(descriptor, data)
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def save_blocks(self, id: str, digests: bytes) -> None:
        """Keep the digests of a download's first blocks, so that they need not be read again to go on behind them.

        They are whole, or those before are, also after a power loss. Raises OSError.
        """
        self._replace(self.blocks_path(id), digests, sync=True)

    def blocks(self, id: str) -> bytes:
        """What `save_blocks` has kept. Raises OSError."""
        try:
            return self.blocks_path(id).read_bytes()
        except FileNotFoundError:
            return b""

    def _sync_folder(self) -> None:
        """The new name is on the disk; some network file systems have no such thing."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def load(self, id: str) -> Record | None:
        """A record of this root; None if there is none, or none that could be understood. Raises OSError."""
        try:
            record = self._read(id)
        except msgspec.DecodeError as error:
            self._logger.warning("A transfer's record cannot be read: %s", error)
            return None
        return record if record is not None and record.root == self.root else None

    def stranger(self, id: str) -> Record | None:
        """A record of another root; None if there is none, or none that could be understood. Raises OSError."""
        try:
            record = self._read(id)
        except msgspec.DecodeError:  # a later version's, perhaps
            return None
        return record if record is not None and record.root != self.root else None

    def _read(self, id: str) -> Record | None:
        try:
            record = msgspec.json.decode(self._path(id, RECORD).read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        return record if record.id == id else None

    def others(self, known: Collection[str]) -> list[str]:
        """The ids of what may be records of this root, but for those that are known. Raises OSError."""
        ids = self._names(RECORD)
        self._foreign &= ids
        return list(ids - self._foreign - set(known))

    def several(self, ids: Iterable[str]) -> list[Record]:
        """Those of the records that are there, and of this root. What cannot be read now may be the next time."""
        found = []
        for id in ids:
            try:
                record = self.load(id)
            except OSError as error:
                self._logger.warning("A transfer's record cannot be read: %s", os.strerror(error.errno or 0))
                continue
            if record is None:  # of another root, or a later version: it is not looked at each time
                self._foreign.add(id)
            else:
                found.append(record)
        return found

    def ids(self) -> set[str]:
        """The ids of all records, of other roots too."""
        return self._names(RECORD)

    def _names(self, suffix: str) -> set[str]:
        try:
            return {name[: -len(suffix)] for name in os.listdir(self._folder) if name.endswith(suffix)}
        except FileNotFoundError:
            return set()

    @overload
    def take(self, id: str) -> Ownership: ...

    @overload
    def take(self, id: str, may: Callable[[], bool]) -> Ownership | None: ...

    def take(self, id: str, may: Callable[[], bool] | None = None) -> Ownership | None:
        """Become the owner of an operation. Raises OSError.

        With `may` only if that says so while no owner writes; else None, and whoever owns it still does.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ownership = Ownership(self._path(id, OWNER), may)
        return ownership if ownership.generation else None

    def remove(self, id: str, ownership: Ownership | None = None) -> None:
        """Forget an operation, if it is still owned. Idempotent.

        Raises:
            HubError: `superseded`; nothing was removed.
            OSError: as the disk says.
        """
        with contextlib.nullcontext() if ownership is None else ownership.hold():
            for suffix in (RECORD, BLOCKS, OWNER):
                self._path(id, suffix).unlink(missing_ok=True)

    def tidy(self, older_than_s: float) -> None:
        """Remove what a server that was killed has left of records: half written ones, and files without a record."""
        ids = self._names(RECORD)
        for suffix in (NEW, BLOCKS, OWNER):
            for stem in self._names(suffix):
                path = self._folder / f"{stem}{suffix}"
                with contextlib.suppress(FileNotFoundError):
                    if (suffix == NEW or stem not in ids) and path.stat().st_mtime < older_than_s:
                        path.unlink()


def _write_all(descriptor: int, data: bytes) -> None:
    """A disk that is nearly full takes a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
