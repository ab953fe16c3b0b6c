"""A fake of a stream's socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jupyter_ws_hub.protocol.codec import decode_chunk
from jupyter_ws_hub.protocol.transfer import StreamServerMessage, decode_stream_server

from .frames import frames_in


async def nothing(*arguments: object) -> None:
    """The hook that does nothing."""


@dataclass
class FakeWire:
    """A socket that keeps what is sent. `on_send` is awaited with each message before it counts as sent."""

    on_send: Callable[[str | bytes], Awaitable[None]] = nothing
    sent: list[str | bytes] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    async def send(self, message: str | bytes) -> bool:
        """See Wire."""
        await self.on_send(message)
        if self.closed is not None:
            return False
        self.sent.append(message)
        return True

    async def send_from(self, fill: Callable[[], memoryview]) -> bool:
        """See Wire: each frame counts as a message of its own."""
        while frames := await asyncio.to_thread(fill):
            for frame in frames_in(bytes(frames)):
                if not await self.send(frame):
                    return False
        return True

    def end(self, code: int, reason: str) -> None:
        """See Wire."""
        self.closed = self.closed or (code, reason)

    @property
    def texts(self) -> list[StreamServerMessage]:
        """The text messages, decoded."""
        return [decode_stream_server(message) for message in self.sent if isinstance(message, str)]

    @property
    def data(self) -> bytes:
        """The payloads of the data frames; they must follow on each other."""
        chunks = [decode_chunk(message) for message in self.sent if isinstance(message, bytes)]
        start = chunks[0].byte_offset if chunks else 0
        whole = b""
        for chunk in chunks:
            assert chunk.byte_offset == start + len(whole)
            whole += chunk.payload
        return whole
