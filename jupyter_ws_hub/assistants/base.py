"""What assistants have in common that are set up by traits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

from traitlets import Unicode
from traitlets.config import Configurable, LoggingConfigurable

from ..chat.assistant import Ask, AssistantInfo, Piece, Turn


class BaseAssistant(LoggingConfigurable):
    """An assistant of the port `chat.assistant.Assistant`, configured as `c.<name of its class>.<trait>`.

    Classes of other packages may be any that take `parent` and have the port's methods; this one is for convenience.
    """

    name = Unicode(
        "", help="What the assistant is mentioned by, as @name: lower-case letters, digits and hyphens."
    ).tag(config=True)
    display_name = Unicode("", help="What people see as its name; empty: its name.").tag(config=True)
    description = Unicode("", help="One line about it, for those who choose among several.").tag(config=True)

    @classmethod
    def make(cls, parent: Configurable) -> Sequence[Self]:
        """Make those that are configured, which may be none; `parent` has the configuration and the log."""
        return [cls(parent=parent)]

    @property
    def pid(self) -> int | None:
        """The process of this machine in which its model runs; None where there is none, or none now."""
        return None

    def info(self) -> AssistantInfo:
        """See the port."""
        raise NotImplementedError

    def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        """See the port."""
        raise NotImplementedError

    async def start(self) -> None:
        """See the port."""

    async def stop(self) -> None:
        """See the port."""
