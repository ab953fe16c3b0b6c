"""Fakes with hooks: a clock that stands still, ids that count, peers that may or may not, slow and failing stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from jupyter_ws_hub.chat.assistant import Assistant
from jupyter_ws_hub.chat.chat import Chat
from jupyter_ws_hub.chat.context import ContextReader
from jupyter_ws_hub.chat.generations import Generations, GenerationSettings
from jupyter_ws_hub.chat.presences import Presences
from jupyter_ws_hub.chat.room_store import RoomStore
from jupyter_ws_hub.chat.talk import Talk
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.listing.elsewhere import ContentsEvent
from jupyter_ws_hub.listing.entry import Directory
from jupyter_ws_hub.listing.helper import ListingHelper, ListingSettings
from jupyter_ws_hub.notices.settings import NoticeSettings
from jupyter_ws_hub.ports import Peer, Runtime
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.base import Health, Service, ServiceContext
from jupyter_ws_hub.services.ports import Checkpoint, Model
from jupyter_ws_hub.storage.base import Draft, Head, Record, Versioned
from jupyter_ws_hub.storage.memory import MemoryLog, MemoryStorage, MemoryValues
from jupyter_ws_hub.transfers.journal import Journal
from jupyter_ws_hub.transfers.remote import RemoteFiles
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.store import TransferStore

from .fake_platform import FakePlatform


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        """Start at `now_s`."""
        self.now_s = now_s

    def __call__(self) -> float:
        """The time now."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def counting_ids(prefix: str = "id") -> Callable[[], str]:
    """Ids id1, id2, id3 …"""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def fake_runtime(clock: FakeClock | None = None) -> Runtime:
    """A runtime of fakes."""
    clock = clock or FakeClock()
    return Runtime(clock, clock, counting_ids(), logging.getLogger("test"), lambda: None, lambda: 1.0)


def fake_peer(principal: str = "alice", denied: Collection[tuple[str, str]] = (), client: str = "") -> Peer:
    """A user who may do everything but what is `denied`: pairs of action and resource; and which of their clients."""

    async def authorize(action: str, resource: str) -> bool:
        return (action, resource) not in denied

    return Peer(principal, principal, principal.title(), authorize, client)


async def turns(number: int = 20) -> None:
    """Let the event loop go round `number` times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Step the loop until the condition holds; fail if it does not in time, which bounds work done in threads."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not condition():
        if loop.time() > deadline_s:
            raise AssertionError("what was waited for did not come")
        await asyncio.sleep(0)


Hook = Callable[[str], Awaitable[None]]
"""Awaited around an operation, by its name."""


async def nothing(operation: str) -> None:
    """The hook that does nothing."""


class HookedLog(MemoryLog):
    """A log in memory that can be slow, can fail, and to which other servers write."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Begin without hooks: `before` an operation it has done nothing, `after` it has done it."""
        super().__init__(new_id)
        self.before: Hook = nothing
        self.after: Hook = nothing
        self.listener: Callable[[str], None] | None = None

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """See TopicLog."""
        await self.before("append")
        records = await super().append(topic, drafts)
        await self.after("append")
        return records

    async def read(self, topic: str, after: int, limit: int) -> list[Record]:
        """See TopicLog."""
        await self.before("read")
        records = await super().read(topic, after, limit)
        await self.after("read")
        return records

    async def read_back(self, topic: str, before: int | None, limit: int) -> list[Record]:
        """See TopicLog."""
        await self.before("read_back")
        return await super().read_back(topic, before, limit)

    async def head(self, topic: str) -> Head:
        """See TopicLog."""
        await self.before("head")
        head = await super().head(topic)
        await self.after("head")
        return head

    async def id_at(self, topic: str, offset: int) -> str | None:
        """See TopicLog."""
        await self.before("id_at")
        found = await MemoryLog.id_at(self, topic, offset)
        await self.after("id_at")
        return found

    def on_foreign(self, listener: Callable[[str], None]) -> None:
        """See TopicLog."""
        self.listener = listener

    async def write_foreign(self, topic: str, drafts: Sequence[Draft]) -> list[Record]:
        """Write as another server does: nobody here is told before `tell`."""
        return await MemoryLog.append(self, topic, drafts)

    def tell(self, topic: str) -> None:
        """Say that another server has written."""
        if self.listener is not None:
            self.listener(topic)


class HookedValues(MemoryValues):
    """Records in memory that can be slow and can fail."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without a hook: `before` an operation it has done nothing."""
        super().__init__(clock)
        self.before: Hook = nothing

    async def get(self, key: str) -> Versioned | None:
        """See KeyValue."""
        await self.before("get")
        return await super().get(key)

    async def put(self, key: str, value: bytes, *, expect: int | None = None, ttl_s: float | None = None) -> int:
        """See KeyValue."""
        await self.before("put")
        return await super().put(key, value, expect=expect, ttl_s=ttl_s)


class FakeContents:
    """Files in memory, by API path; what was asked is in `calls`."""

    def __init__(self) -> None:
        """Begin with an empty root."""
        self.models: dict[str, Model] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.directories: dict[str, Directory] = {}
        """Those that lie on the disk; others only `get` can list."""
        self.listeners: list[Callable[[ContentsEvent], None]] = []
        self.saved_states: dict[str, list[Checkpoint]] = {}
        self._tags = count(1)
        self.put("", "directory")

    def put(self, path: str, type: str = "file", **fields: Any) -> Model:
        """Set a file, notebook or directory; give its model."""
        model: Model = {"name": path.rpartition("/")[2], "path": path, "type": type, "writable": True}
        time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        model |= {"created": time, "last_modified": time, "format": None, "content": None, **fields}
        model["etag"] = None if type == "directory" else f"tag{next(self._tags)}"
        self.models[path] = model
        return model

    def _get(self, path: str) -> Model:
        if path not in self.models:
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        return self.models[path]

    async def get(
        self, path: str, *, content: bool, type: str | None = None, format: str | None = None, max_bytes: int = 0
    ) -> Model:
        """See Contents."""
        self.calls.append(("get", path, content, type, format))
        model = self._get(path)
        if max_bytes and (model.get("size") or 0) > max_bytes:
            raise HubError(Code.TOO_BIG, f"{path!r} has {model['size']} bytes.")
        if content and model["type"] == "directory":
            prefix = f"{path}/" if path else ""
            inside = [p for p in self.models if p.startswith(prefix) and p != path and "/" not in p[len(prefix) :]]
            return {**model, "content": [self.models[p] for p in inside]}
        return model if content else {**model, "content": None, "format": None}

    async def save(self, path: str, model: Model) -> Model:
        """See Contents."""
        self.calls.append(("save", path, model))
        return self.put(path, **model)

    async def create(self, path: str, type: str) -> Model:
        """See Contents."""
        if path in self.models:
            raise HubError(Code.EXISTS, f"{path!r} exists already.")
        self.calls.append(("create", path, type))
        return self.put(path, type)

    async def rename(self, path: str, to: str) -> Model:
        """See Contents."""
        self.calls.append(("rename", path, to))
        return self.put(to, self.models.pop(path)["type"])

    async def copy(self, path: str, to: str) -> Model:
        """See Contents."""
        self.calls.append(("copy", path, to))
        return self.put(to, self._get(path)["type"])

    async def delete(self, path: str) -> None:
        """See Contents."""
        self.calls.append(("delete", path))
        del self.models[self._get(path)["path"]]

    async def directory(self, path: str) -> Directory | None:
        """See Contents."""
        if path not in self.directories and self._get(path)["type"] != "directory":
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        return self.directories.get(path)

    def listen(self, on_event: Callable[[ContentsEvent], None]) -> Callable[[], None]:
        """See Contents."""
        self.listeners.append(on_event)
        return lambda: self.listeners.remove(on_event)

    async def checkpoints(self, path: str) -> list[Checkpoint]:
        """See Contents."""
        self._get(path)
        return self.saved_states.get(path, [])

    async def make_checkpoint(self, path: str) -> Checkpoint:
        """See Contents."""
        self._get(path)
        made = Checkpoint("checkpoint", "2026-01-02T03:04:05Z")
        self.saved_states[path] = [made]
        return made

    async def restore_checkpoint(self, path: str, id: str) -> Model:
        """See Contents."""
        self.calls.append(("restore", path, id))
        return self._get(path)

    async def delete_checkpoint(self, path: str, id: str) -> None:
        """See Contents."""
        self.calls.append(("delete_checkpoint", path, id))
        self.saved_states.pop(path)


class FakeLocalFiles:
    """A directory without hidden rules and hooks; what was saved is in `saved`."""

    def __init__(self, root: Path) -> None:
        """Serve what is under `root`."""
        self.root = root
        self.saved: list[str] = []
        self.remote: RemoteFiles | None = None

    async def source(self, path: str) -> Path:
        """See LocalFiles."""
        if not (self.root / path).is_file():
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        return self.root / path

    async def release(self, path: str) -> None:
        """See LocalFiles."""

    async def directory(self, path: str) -> Path:
        """See LocalFiles."""
        if not (self.root / path).is_dir():
            raise HubError(Code.NOT_FOUND, f"There is no {path!r}.")
        return self.root / path

    def allows(self, name: str) -> bool:
        """See LocalFiles."""
        return not name.startswith(".")

    async def target(self, path: str) -> Path:
        """See LocalFiles."""
        if not (self.root / path).parent.is_dir():
            raise HubError(Code.NOT_FOUND, f"There is no directory for {path!r}.")
        return self.root / path

    def api_path(self, target: Path) -> str:
        """See LocalFiles."""
        return target.relative_to(self.root).as_posix()

    async def before_save(self, path: str, size: int) -> None:
        """See LocalFiles."""

    async def after_save(self, path: str, target: Path) -> str | None:
        """See LocalFiles."""
        self.saved.append(path)
        return None


def fake_journal(root: Path) -> Journal:
    """A journal beside the directory that is served."""
    return Journal(root.with_name(f"{root.name}-journal"), str(root), logging.getLogger("test"))


class Stage:
    """Services on a hub of fakes, put together as app.py does it; they are not started."""

    def __init__(self, *services: Service, root: Path = Path("/nowhere")) -> None:
        """Bind the services."""
        self.clock = FakeClock()
        self.runtime = fake_runtime(self.clock)
        self.log, self.values = HookedLog(self.runtime.new_id), HookedValues(self.clock)
        self.storage = MemoryStorage(self.clock, self.runtime.new_id)
        self.storage.log, self.storage.values = self.log, self.values
        self.contents, self.platform = FakeContents(), FakePlatform()
        self.files = FakeLocalFiles(root)
        self.transfers = TransferStore(self.files, self.runtime, TransferSettings(), fake_journal(self.files.root))
        self.listings = ListingHelper(self.runtime.logger, ListingSettings())
        methods = [method for service in services for method in service.methods()]
        topics = [topic for service in services for topic in service.all_topics()]
        self.hub = Hub(methods, topics, self.log, MemoryValues(self.clock), self.runtime, HubSettings())
        self.health, self.assistants = list[Health](), dict[str, Assistant]()
        self.chat = self._make_chat()
        self.context = ServiceContext(
            publish=self.hub.topics.publish,
            storage=self.storage,
            runtime=self.runtime,
            contents=self.contents,
            platform=self.platform,
            transfers=self.transfers,
            listings=self.listings,
            chat=self.chat,
            notices=NoticeSettings(),
            max_reply_bytes=HubSettings().max_reply_bytes,
            recheck=self.hub.topics.recheck,
            survey=lambda: self.health,
            sockets=lambda: self.platform.sockets,
            gauge=lambda: self.platform.gauge,
        )
        for service in services:
            service.bind(self.context)

    def _make_chat(self) -> Chat:
        publish = self.hub.topics.publish
        talk = Talk(self.storage, publish, self.runtime)
        reader = ContextReader(self.contents.get, 10_000)
        return Chat(
            rooms=RoomStore(self.storage, publish, self.runtime, self.hub.topics.recheck),
            talk=talk,
            presences=Presences(publish, self.runtime),
            generations=Generations(talk, self.assistants, reader, GenerationSettings(), self.runtime, self.values),
        )
