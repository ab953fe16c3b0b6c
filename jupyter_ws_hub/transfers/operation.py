"""What an operation is: what was asked for, how far it has come, and who moves its bytes now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from ..protocol.errors import HubError
from ..protocol.transfer import DigestName, Direction, Done, IfExists, Kind

State = Literal["waiting", "running", "paused", "committing", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


class Stream(Protocol):
    """Whoever moves an operation's bytes now."""

    async def give_up(self, error: HubError) -> None:
        """Tell the client why, close its socket, and return when nothing is written any more."""
        ...

    async def touch(self) -> None:
        """Write down that the operation is alive."""
        ...


class UploadPlan(msgspec.Struct, frozen=True):
    """What an upload is to become."""

    if_exists: IfExists = "fail"
    expect_etag: str | None = None
    """The target's etag that must still hold at the end, `absent` if there must be none; null asks for nothing."""
    mtime_s: float | None = None
    kind: Kind = "file"
    entries: int = 0
    digest: DigestName = "xxh3-128"


class DownloadPlan(msgspec.Struct, frozen=True):
    """What a download is to give."""

    kind: Kind = "file"
    expect_etag: str | None = None
    digest: DigestName = "xxh3-128"


class Occupied(msgspec.Struct, frozen=True):
    """What is there already under a name; `size` is in bytes, `mtime_ms` counts from 1970-01-01 UTC."""

    name: str
    type: Literal["file", "directory"]
    size: int
    mtime_ms: int
    etag: str


class Publishing(msgspec.Struct, frozen=True):
    """A publication that has begun: which file is to appear, so that a crash in its midst is understood."""

    device: int
    inode: int
    root: str = ""
    """The file's root digest, so that it need not be read again."""
    temporary: str = ""
    path: str = ""
    """Where files are elsewhere: under which API path it grows, and the one that it gets, once that has begun."""


class Putting(msgspec.Struct, frozen=True):
    """An entry of a tree whose publication has begun: in which directory, relative to the tree's, and which file it is.

    The directory is absolute where the entry's name is a symbolic link, and what that leads to is replaced. The inode
    is 0 before its partial file is written.
    """

    entry: int
    directory: str
    device: int = 0
    inode: int = 0


@dataclass(eq=False)
class Operation:
    """One transfer. `byte_offset` is how far it has come: bytes that were written, or bytes that were sent.

    Times are those of the wall clock: an operation outlives its server.
    """

    id: str
    direction: Direction
    principal: str
    path: str
    size: int
    plan: UploadPlan = field(default_factory=UploadPlan)
    download: DownloadPlan | None = None
    kind: Kind = "file"
    name: str = ""
    created_s: float = 0.0
    touched_s: float = 0.0
    etag: str | None = None
    entries: int = 0
    settled: int = 0
    failed: int = 0
    putting: tuple[Putting, ...] = ()
    """The entries that are being published, so that a crash in their midst is understood."""
    begun: int = 0
    """The same where files are elsewhere: entries before this number may be there already."""
    state: State = "waiting"
    held: bool = False
    """Whether somebody has paused it on purpose."""
    byte_offset: int = 0
    durable: int = 0
    error: HubError | None = None
    done: Done | None = None
    target: str | None = None
    partial: str | None = None
    mode: int = 0o600
    boot: str = ""
    """The start of the machine in which its journal was written last, and what was being published then."""
    publishing: Publishing | None = None
    stream: Stream | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    told_s: float = float("-inf")

    @property
    def digest(self) -> DigestName:
        """How its digests are made."""
        return self.plan.digest if self.download is None else self.download.digest
