"""A server that speaks as OpenAI-compatible endpoints do, on loopback, and does what they do wrong.

It remembers what it was asked and when its clients were gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

WORDS = ("Hello", ", ", "wörld", " 🌍\u2028", "!")
MODELS = ("small", "large")


@dataclass(frozen=True)
class Behaviour:
    """What it does with a question; without anything: answers with `words`, usage and an end marker."""

    words: Sequence[str] = WORDS
    between_s: float = 0
    silent: bool = False
    """Say nothing at all, not even headers."""
    stall_after: int | None = None
    """Say no more after so many events, and keep the connection."""
    reset_after: int | None = None
    """Cut the connection after so many events."""
    end_after: int | None = None
    """End the stream properly after so many events, without a word that the answer has ended."""
    endless: bool = False
    finish: str | None = "stop"
    marker: bool = True
    """Send `[DONE]`."""
    usage: bool = True
    raw: bytes = b""
    """Sent instead of the second event."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    error: Any = None
    """Body of an error, in which `{key}` is what came as key."""
    refuse: tuple[str, ...] = ()
    """Fields of a question that it complains of."""


@dataclass
class Asked:
    """A request, and what became of its client."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    events: int = 0
    gone_s: float | None = None
    """When the client was seen to be gone before the answer had ended; by the monotonic clock."""

    @property
    def key(self) -> str:
        """What came as key."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class OpenAIStub:
    """The server; `behaviour` is changed by tests between questions."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    models: Any = MODELS
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def base_url(self) -> str:
        """What is configured."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def questions(self) -> list[Asked]:
        """What was asked of models."""
        return [asked for asked in self.asked if asked.path == "/v1/chat/completions"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is for one request."""
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(await self._read(reader), reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        answer = asyncio.create_task(self._answer(asked, writer))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() or answer.exception() is not None:
                asked.gone_s = time.monotonic()
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.wait([answer, gone])

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        method, path, _ = head[0].split()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(method, path, headers, json.loads(body) if body else {})

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        does = self.behaviour
        refused = [name for name in does.refuse if name in asked.body]
        if asked.path == "/v1/models" and does.status == 200:
            models = self.models
            body = {"data": [{"id": name} for name in models]} if isinstance(models, tuple) else models
            await self._reply(asked, writer, 200, body)
        elif does.silent:
            await asyncio.Event().wait()
        elif refused:
            error = {"error": {"message": f"Unsupported parameter: {refused[0]}", "type": "invalid_request_error"}}
            await self._reply(asked, writer, 400, error)
        elif does.status != 200:
            await self._reply(asked, writer, does.status, does.error)
        else:
            await self._stream(asked, writer)

    async def _reply(self, asked: Asked, writer: asyncio.StreamWriter, status: int, body: Any) -> None:
        text = (body if isinstance(body, str) else json.dumps(body)).replace("{key}", asked.key)
        self._head(writer, status, "application/json", f"Content-Length: {len(text.encode())}")
        writer.write(text.encode())
        await writer.drain()

    def _head(self, writer: asyncio.StreamWriter, status: int, kind: str, length: str) -> None:
        more = [f"{name}: {value}" for name, value in self.behaviour.headers]
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", length, "Connection: close", *more, "", ""]
        writer.write("\r\n".join(lines).encode())

    async def _stream(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        does = self.behaviour
        self._head(writer, 200, "text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")
        async for event in self._events(asked):
            if asked.events == does.end_after:
                break
            if asked.events == does.stall_after:
                await asyncio.Event().wait()
            if asked.events == does.reset_after:
                writer.transport.abort()
                return
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()
            asked.events += 1
            await asyncio.sleep(does.between_s)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _events(self, asked: Asked) -> AsyncIterator[bytes]:
        does = self.behaviour
        number = 0
        while does.endless or number < len(does.words):
            word = does.words[number % len(does.words)]
            yield does.raw if does.raw and number == 1 else _event(choices=[{"index": 0, "delta": {"content": word}}])
            number += 1
        if does.finish is not None:
            yield _event(choices=[{"index": 0, "delta": {}, "finish_reason": does.finish}])
        if does.usage and asked.body.get("stream_options", {}).get("include_usage"):
            yield _event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": len(does.words)})
        if does.marker:
            yield b"data: [DONE]\n\n"


def _event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields, ensure_ascii=False).encode() + b"\n\n"


@asynccontextmanager
async def openai_stub(behaviour: Behaviour | None = None) -> AsyncIterator[OpenAIStub]:
    """A stub that listens, until this is left."""
    stub = OpenAIStub(behaviour or Behaviour())
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(stub.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
        left = list(connections)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
