"""A session of tests, with a connection that keeps what it is sent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from jupyter_ws_hub.hub.declare import Lane, Method
from jupyter_ws_hub.hub.records import Restored, SessionRecords
from jupyter_ws_hub.hub.router import Router
from jupyter_ws_hub.hub.session import HubSession
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.protocol.messages import Item, Reply, Request, ServerMessage
from jupyter_ws_hub.storage.base import KeyValue
from jupyter_ws_hub.storage.memory import MemoryValues

from ..support.fakes import FakeClock, fake_peer, fake_runtime, turns
from .client import Desk, Note, code_of, content, decode, only, raw

BUSY_AT = 4


@dataclass
class Office:
    """A session on a desk; `sent` is what went to the connection that is attached."""

    desk: Desk
    session: HubSession
    sent: list[tuple[Lane, bytes]] = field(default_factory=list)

    free_bytes: int = 1 << 30
    taken: int = 0
    drained: asyncio.Event = field(default_factory=asyncio.Event)

    def reply(self, lane: Lane, envelope: bytes) -> None:
        """What a connection does."""
        self.sent.append((lane, envelope))

    def fits(self, lane: Lane, size: int) -> bool:
        """A connection takes what the test says."""
        return size <= self.free_bytes

    async def room(self, lane: Lane, size: int) -> None:
        """Until the test says so."""
        while not self.fits(lane, size):
            await self.drained.wait()

    def taken_bytes(self, lane: Lane) -> int:
        """A client takes what the test says."""
        return self.taken

    def start(self, ref: int, method: str, text: str = "", timeout_ms: int | None = None) -> None:
        """A request comes."""
        self.session.start(Request(ref, method, raw({"text": text}), timeout_ms), fake_peer())
        self.session.go()

    @property
    def messages(self) -> list[ServerMessage]:
        """All that was sent so far."""
        return [message for _, sent in self.sent for message in decode(b"[" + sent + b"]")]

    @property
    def replies(self) -> list[Reply]:
        """All replies so far."""
        return only(Reply, self.messages)

    @property
    def items(self) -> list[Item]:
        """All parts of streamed replies so far."""
        return only(Item, self.messages)

    async def replies_to(self, ref: int) -> list[Reply]:
        """All replies to one request, when nothing more happens by itself."""
        await turns()
        return [reply for reply in self.replies if reply.ref == ref]

    async def code(self, ref: int) -> str:
        """The error code of the one reply."""
        (reply,) = await self.replies_to(ref)
        return code_of(reply)


def make_session(methods: list[Method], values: KeyValue, restored: Restored | None = None) -> HubSession:
    """A session of a server of its own on the store."""
    runtime = fake_runtime()
    records = SessionRecords(values, secrets.token_hex(4))
    settings = HubSettings(max_requests=BUSY_AT, max_outcomes=BUSY_AT)
    return HubSession("s1", "alice", Router(methods, [], runtime), records, runtime, settings, restored)


@asynccontextmanager
async def office(desk: Desk | None = None, *more: Method) -> AsyncIterator[Office]:
    """A session with a connection; at the end nothing of it runs on."""
    desk = desk or Desk()
    session = make_session([*desk.methods(), *more], MemoryValues(FakeClock()))
    its = Office(desk, session)
    session.attach(its)
    try:
        yield its
    finally:
        await session.close(forget=True)


def text_of(reply: Reply) -> str:
    """What a reply of the desk says."""
    assert reply.error is None, reply
    return msgspec.json.decode(content(reply.result), type=Note).text
