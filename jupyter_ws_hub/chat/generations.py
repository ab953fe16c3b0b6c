"""Answers under way: begun, limited, watched over, stopped. A generation belongs to its room, not to who asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from ..ports import Peer, Runtime
from .assistant import Assistant, AssistantInfo
from .context import ContextReader
from .messages import ChatMessage
from .talk import Talk


class Asked(msgspec.Struct, frozen=True):
    """Which assistant is to answer, and with which model; "": its first one."""

    assistant: Annotated[str, msgspec.Meta(max_length=64)]
    model: Annotated[str, msgspec.Meta(max_length=200)] = ""


class GenerationSettings(msgspec.Struct, frozen=True):
    """Limits; config.py documents them."""

    max_running: int = 50
    max_per_user: int = 2
    asks_per_minute: float = 20
    max_output_tokens: int = 2000
    max_history_characters: int = 24_000
    first_token_timeout_s: float = 60
    idle_timeout_s: float = 30
    gather_s: float = 0.04
    system_prompt: str = ""


class Generations:
    """All answers that this server writes."""

    def __init__(
        self,
        talk: Talk,
        assistants: Mapping[str, Assistant],
        context: ContextReader,
        settings: GenerationSettings,
        runtime: Runtime,
    ) -> None:
        """`assistants` by name; it may grow and shrink later."""
        self._talk, self._assistants, self._context = talk, assistants, context
        self._settings, self._runtime = settings, runtime

    def infos(self) -> list[AssistantInfo]:
        """The assistants, the default one first."""
        raise NotImplementedError

    async def check(self, asked: Sequence[Asked], peer: Peer) -> None:
        """Raise if these may not be asked now: `not_found`, `unavailable`, `rate_limited` with `retry_after_ms`."""
        raise NotImplementedError

    async def begin(self, question: ChatMessage, asked: Asked, peer: Peer, *, id: str = "") -> ChatMessage:
        """Begin an answer to a message that is there; gives it without text. Done when it is kept and told.

        `id` makes a repeated call begin only one. Raises as `check`.
        """
        raise NotImplementedError

    async def stop(self, room: str, id: str, peer: Peer, *, moderator: bool) -> ChatMessage:
        """End an answer, by who asked for it or a moderator; give it as it ended.

        The provider is told before this returns. One that has ended is given as it is.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End all answers, as `failed`: the server stops. Within a second."""
        raise NotImplementedError
