"""What of a session outlives the server: who may resume it, which request was begun last, which outcomes wait.

The records lie in the key-value store, so another server on the same store, or this one after a restart, can go on.
A server that runs requests which must not run twice says now and then that it lives; while it does, another one waits
for their outcomes, and after that nobody knows them.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import KeyValue, VersionConflict
from .declare import Lane

KEPT_S: Final = 24 * 3600.0
"""A session whose server was killed can be resumed for so long."""

LEASE_S: Final = 15.0
BEAT_S: Final = 4.0
POLL_S: Final = 0.2


def fingerprint(token: str) -> str:
    """What is kept of a resume token: who reads the store cannot resume with it."""
    return hashlib.sha256(token.encode()).hexdigest()


class SessionRecord(msgspec.Struct, frozen=True):
    """A session as it is stored."""

    principal: str
    tokens: list[str]
    """Fingerprints of the tokens that are good."""
    started_ref: int
    """No request above it was begun that must not run twice."""
    server: str
    """Who runs its requests."""


class Restored(msgspec.Struct, frozen=True):
    """A session as it was found in the store."""

    record: SessionRecord
    version: int
    outcomes: dict[int, tuple[Lane, bytes]]


class SessionRecords:
    """The sessions of all servers on one store. All methods raise `HubError` when the store cannot serve."""

    def __init__(self, values: KeyValue, server: str) -> None:
        """`server` is this server's own id, new at each start."""
        self.server = server
        self._values = values
        self._beat_s = float("-inf")

    async def load(self, id: str) -> Restored | None:
        """Find a session with the outcomes that wait."""
        found = await self._values.get(_key(id))
        if found is None:
            return None
        record = msgspec.json.decode(found.value, type=SessionRecord)
        prefix = f"{_key(id)}/"
        stored = await self._values.scan(prefix)
        outcomes = {int(key.removeprefix(prefix)): (Lane(one.value[0]), one.value[1:]) for key, one in stored.items()}
        return Restored(record, found.version, outcomes)

    async def save(self, id: str, record: SessionRecord, version: int) -> int:
        """Store a session over the `version` that is known of it (0: none); give its new one.

        Raises:
            HubError: `superseded` if another server has taken the session over.
        """
        value = msgspec.json.encode(record)
        try:
            return await self._values.put(_key(id), value, expect=version, ttl_s=KEPT_S)
        except VersionConflict as conflict:
            if conflict.current:
                raise HubError(Code.SUPERSEDED, "Another server goes on with this session.") from conflict
        # The record has expired, or the store is another one now.
        return await self._values.put(_key(id), value, ttl_s=KEPT_S)

    async def save_outcome(self, id: str, ref: int, lane: Lane, reply: bytes) -> None:
        """Keep a reply until the client has it."""
        await self._values.put(_outcome_key(id, ref), bytes([lane]) + reply, ttl_s=KEPT_S)

    async def forget(self, id: str, refs: list[int]) -> None:
        """The client has these replies."""
        for ref in refs:
            await self._values.delete(_outcome_key(id, ref))

    async def delete(self, id: str, version: int, refs: list[int]) -> None:
        """A session has ended, unless another server has taken it over."""
        try:
            await self._values.delete(_key(id), expect=version)
        except VersionConflict:
            return
        await self.forget(id, refs)

    async def beat(self, now_s: float) -> None:
        """Say that this server lives and runs requests that must not run twice; cheap to be called often."""
        if now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            await self._values.put(f"server/{self.server}", b"", ttl_s=LEASE_S)

    async def wait_outcome(self, id: str, ref: int, server: str) -> tuple[Lane, bytes] | None:
        """The reply to a request that `server` has begun; None when that one is gone without a word."""
        while True:
            lives = await self._values.get(f"server/{server}") is not None
            found = await self._values.get(_outcome_key(id, ref))
            if found is not None:
                return Lane(found.value[0]), found.value[1:]
            if not lives or server == self.server:
                return None
            await asyncio.sleep(POLL_S)


def _key(id: str) -> str:
    return f"session/{id}"


def _outcome_key(id: str, ref: int) -> str:
    return f"session/{id}/{ref}"
