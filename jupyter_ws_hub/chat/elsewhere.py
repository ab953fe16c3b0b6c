"""Answers as another server of the same storage has them: begun there with the same id, written and ended there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from .messages import ChatMessage
from .underway import CLAIM_S, UnderwayNotes

REACTS_S: Final = 5.0
"""How long another server may take to do something."""

LOOK_S: Final = 0.1


class Messages(Protocol):
    """Gives messages, as `talk.Talk` does."""

    async def get(self, room: str, id: str) -> ChatMessage:
        """A message as it is now; `not_found` if there is none."""
        ...


class Elsewhere:
    """What other servers have begun."""

    def __init__(self, talk: Messages, notes: UnderwayNotes) -> None:
        """See it in the messages and in the notes."""
        self._talk, self._notes = talk, notes

    async def known(self, question: ChatMessage, id: str) -> ChatMessage | None:
        """The answer of this id, if it was begun before, anywhere; `exists` if it is another message's."""
        try:
            return same_answer(await self._talk.get(question.room, id), question)
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None

    async def begun(self, question: ChatMessage, id: str) -> ChatMessage:
        """The answer that another server begins just now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REACTS_S):
                while (known := await self.known(question, id)) is None:  # noqa: ASYNC110  # nobody tells of it
                    await asyncio.sleep(LOOK_S)
                return known
        raise HubError(Code.UNAVAILABLE, "This answer was not begun; ask again.", retry_after_ms=int(1000 * CLAIM_S))

    async def stop(self, room: str, id: str, peer: Peer, *, moderator: bool) -> ChatMessage:
        """Have an answer ended by the server that writes it; give it as it ended."""
        message = await self._talk.get(room, id)
        if message.answer is None:
            raise HubError(Code.INVALID, "This message is no answer of an assistant.")
        if not message.is_under_way:
            return message
        note = await self._notes.get(room, id)
        its_own = peer.username == message.answer.asked_by or (note is not None and note.principal == peer.principal)
        if not moderator and not its_own:
            raise not_yours()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REACTS_S):
                while message.is_under_way:
                    await self._notes.ask_to_stop(room, id)
                    await asyncio.sleep(LOOK_S)
                    message = await self._talk.get(room, id)
                return message
        text = "The server that writes this answer does not react; if it has died, the answer ends within a minute."
        raise HubError(Code.UNAVAILABLE, text, retry_after_ms=5000)


def not_yours() -> HubError:
    """Why somebody may not stop an answer."""
    return HubError(Code.FORBIDDEN, "Only who asked for this answer may stop it, or a moderator.")


def same_answer(message: ChatMessage, question: ChatMessage) -> ChatMessage:
    """A message if it is an answer to this question; one of another kind may have its id."""
    if message.answer is None or message.answer.to != question.id:
        raise HubError(Code.EXISTS, "Another message has this id already; take a new random one.")
    return message
