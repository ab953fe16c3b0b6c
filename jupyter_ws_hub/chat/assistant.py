"""The port behind which chat models stand.

An assistant is a name, people's display name for it, and one method that streams. It knows nothing of rooms, users and
permissions; what it is sent is all that it is to know. Implementations stand in the package `assistants` and in others,
under the entry-point group `jupyter_ws_hub.assistants`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError


class Turn(msgspec.Struct, frozen=True):
    """One message of what a model is sent."""

    role: Literal["system", "user", "assistant"]
    text: str


class Ask(msgspec.Struct, frozen=True):
    """How it is to answer."""

    model: str
    max_output_tokens: int
    temperature: float | None = None
    seed: int | None = None


class Delta(msgspec.Struct, frozen=True):
    """A piece of the answer; not empty."""

    text: str


class Usage(msgspec.Struct, frozen=True):
    """What the answer took. May come at any time; the last one counts."""

    input_tokens: int
    output_tokens: int


class Done(msgspec.Struct, frozen=True):
    """The model has ended; nothing follows. `reason`: stop, length, or what its provider says."""

    reason: str = "stop"


class Queued(msgspec.Struct, frozen=True):
    """Others are answered before; so many. With 0 it is its turn. An assistant that has no queue never says it.

    While it is not its turn there is no limit to its silence; the time for its first word begins with its turn.
    """

    ahead: int


Piece: TypeAlias = Delta | Usage | Done | Queued


class AssistantError(HubError):
    """Why there is no answer, or no more of it, in words for a person and without any key."""

    def __init__(self, message: str, *, code: Code = Code.UNAVAILABLE, retry_after_ms: int | None = None) -> None:
        """`retry_after_ms`: what the provider has said; None if it is of no use to ask again by itself."""
        super().__init__(code, message, retry_after_ms=retry_after_ms)


class AssistantInfo(msgspec.Struct, frozen=True):
    """An assistant, as people choose it."""

    name: str
    """What it is mentioned by: lower-case letters, digits and hyphens. A person who is called so, or looks so, is
    shown as a person, and is not who is mentioned by it."""
    display_name: str
    description: str
    models: list[str]
    """The first one is asked where none is named."""
    local: bool
    """What it is sent does not leave this server."""
    state: Literal["ok", "starting", "down"] = "ok"
    reason: str = ""
    """Why it is not ok, for a person."""


class Assistant(Protocol):
    """A chat model behind a name."""

    def info(self) -> AssistantInfo:
        """What it is and how; cheap, without input or output."""
        ...

    def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        """Answer, piece by piece.

        Closing the iterator (`aclose`) or cancelling who iterates ends the answer at its provider within 200 ms.
        It has no time limits of its own; who asks has them.

        Raises:
            AssistantError: as it says.
        """
        ...

    async def start(self) -> None:
        """Get ready, on the event loop and without blocking it. What it raises makes the assistant down."""
        ...

    async def stop(self) -> None:
        """Let go of everything."""
        ...
