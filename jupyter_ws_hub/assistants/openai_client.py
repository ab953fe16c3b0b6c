"""A connection to one OpenAI-compatible endpoint, by the package `openai`.

Importing this module takes seconds where the machine is slow, so it is imported in a thread, and only where an endpoint
is configured. What goes wrong leaves it as AssistantError, never chained to an error of `openai`: these carry requests
and replies, and so keys.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

from ..chat.assistant import Ask, AssistantError, Delta, Done, Piece, Turn, Usage
from .dialect import Dialect
from .events import END, ChatUsage, EventSplitter, MalformedEvent, read_event
from .failures import Failures, read_error
from .keys import Key

_network: Final = importlib.import_module(DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
NETWORK_ERRORS: Final = (_network.HTTPError, _network.StreamError, OSError)
"""Those of httpx or of its successor, whichever this version of `openai` uses."""

NO_KEY: Final = "none"
"""Sent where no key is configured, so that `openai` looks for none in its own environment variables."""
MAX_MODELS: Final = 200
MAX_MODEL_NAME: Final = 200


class Reading:
    """What has been read of one answer."""

    def __init__(self, failures: Failures) -> None:
        """Nothing yet."""
        self._failures = failures
        self._usage: ChatUsage | None = None
        self.reason = ""
        self.is_empty = True

    def take(self, data: bytes) -> str:
        """Read an event; give its text.

        Raises:
            MalformedEvent: it is none.
            AssistantError: it tells of an error.
        """
        event = read_event(data)
        if event.error:
            raise self._failures.said(event.error)
        self.is_empty = False
        self._usage = event.usage or self._usage
        choice = event.choices[0] if event.choices else None
        if choice is None:
            return ""
        self.reason = choice.finish_reason or self.reason
        return choice.delta.text if choice.delta is not None else ""

    def end(self) -> list[Piece]:
        """What is told last."""
        used, reason = self._usage, self.reason or "stop"
        usage = [] if used is None else [Usage(used.prompt_tokens, used.completion_tokens or 0)]
        return [*usage, Done(reason)]


class OpenAIClient:
    """Asks one endpoint."""

    def __init__(self, base_url: str, key: Key, failures: Failures, dialect: Dialect) -> None:
        """Takes long, for it reads the machine's certificates: to be called in a thread. Connects to nothing."""
        self._failures, self._dialect = failures, dialect
        self._client = AsyncOpenAI(
            api_key=key.reveal() or NO_KEY,
            base_url=base_url,
            max_retries=0,
            timeout=None,  # who asks has limits
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),
        )
        self._create: Callable[..., Any] = self._client.chat.completions.with_streaming_response.create
        self._list: Callable[..., Any] = self._client.models.with_streaming_response.list

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def models(self) -> list[str]:
        """Ask which models there are.

        Raises:
            AssistantError: there is no answer.
        """
        failure: AssistantError
        try:
            async with self._list() as response:
                listed = await response.json()
            names = [model["id"] for model in listed["data"]]
            return [name for name in names if isinstance(name, str) and 0 < len(name) <= MAX_MODEL_NAME][:MAX_MODELS]
        except APIError as error:
            failure = self._failure(error, "")
        except (*NETWORK_ERRORS, ValueError, KeyError, TypeError):  # cut, or no list of models
            failure = self._failures.malformed()
        raise failure

    async def answer(self, turns: Sequence[Turn], ask: Ask, model: str) -> AsyncGenerator[Piece, None]:
        """Answer, as the port says; closing this closes the connection to the provider."""
        async with AsyncExitStack() as stack:
            response = await self._open(stack, turns, ask, model)
            async for piece in self._pieces(response.iter_bytes()):
                yield piece

    async def _open(self, stack: AsyncExitStack, turns: Sequence[Turn], ask: Ask, model: str) -> Any:
        """Send the question, again without what the endpoint does not know; give the reply, whose stream is open."""
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        refused: list[str] = []
        while True:
            failure: AssistantError
            fields = self._dialect.fields(ask, model, refused)
            try:
                response = await stack.enter_async_context(
                    self._create(model=model, messages=messages, stream=True, **fields)
                )
            except APIError as error:
                unknown = self._dialect.unknown(fields, *_told(error))
                if unknown is not None:
                    refused.append(unknown)
                    continue
                failure = self._failure(error, model)
            else:
                self._dialect.learn(model, refused)
                return response
            raise failure

    def _failure(self, error: APIError, model: str) -> AssistantError:
        if isinstance(error, APIStatusError):
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return self._failures.status(error.status_code, read_error(error.body), headers, model, time.time())
        if isinstance(error, APIConnectionError):
            return self._failures.unreachable()
        return self._failures.malformed()

    async def _pieces(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Piece, None]:
        reading, splitter, failure = Reading(self._failures), EventSplitter(), self._failures.unended()
        try:
            async for chunk in chunks:
                for data in splitter.feed(chunk):
                    if data == END:
                        for piece in reading.end():
                            yield piece
                        return
                    text = reading.take(data)
                    if text:
                        yield Delta(text)
            for data in splitter.rest():
                if data != END and (text := reading.take(data)):
                    yield Delta(text)
            if reading.is_empty:
                failure = self._failures.malformed()
        except AssistantError as error:
            failure = error
        except MalformedEvent:
            failure = self._failures.malformed()
        except NETWORK_ERRORS:
            failure = self._failures.cut()
        if not reading.reason:
            raise failure
        for piece in reading.end():
            yield piece


def _told(error: APIError) -> tuple[int, str]:
    """The status and the words of an error."""
    return (error.status_code, read_error(error.body).words) if isinstance(error, APIStatusError) else (0, "")
