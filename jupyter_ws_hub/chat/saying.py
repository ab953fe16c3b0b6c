"""Saying something, and taking it back: who may, what is no message, and which assistants are asked by it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..rates import KeyedRate, Rate
from .assistant import AssistantInfo
from .chat import Chat
from .generations import REFUSALS, Asked
from .mentions import mentions_in
from .messages import (
    MAX_ATTACHED_CHARACTERS,
    MAX_ATTACHMENTS,
    MAX_TEXT_CHARACTERS,
    Attachment,
    Author,
    ChatMessage,
    MessageId,
)
from .names import shown_name
from .room import RoomName

MAX_ASKED: Final = 4
"""Assistants that one message may ask."""


class PostParams(msgspec.Struct, frozen=True):
    """What to say where. `ask` names assistants that are to answer, besides those that the text mentions (`@name`)."""

    room: RoomName
    text: str
    id: MessageId
    reply_to: Annotated[str, msgspec.Meta(max_length=64)] = ""
    attachments: Annotated[list[Attachment], msgspec.Meta(max_length=MAX_ATTACHMENTS)] = []
    ask: Annotated[list[Asked], msgspec.Meta(max_length=MAX_ASKED)] = []


def author_of(peer: Peer, infos: Sequence[AssistantInfo]) -> Author:
    """Who a peer is as an author; nobody is shown as an assistant."""
    reserved = [name for info in infos for name in (info.name, info.display_name)]
    return Author(peer.username, shown_name(peer.username, peer.display_name, reserved))


def is_author(message: ChatMessage, peer: Peer) -> bool:
    """Whether the peer wrote a message; an assistant's name is no user's."""
    return message.author.username == peer.username and not message.author.assistant


def answer_id(message: str, asked: Asked) -> str:
    """The id of the answer to a message, so that asking twice begins one."""
    return hashlib.sha256(f"{message}\n{asked.assistant}\n{asked.model}".encode()).hexdigest()[:32]


def _check(text: str, attachments: Sequence[Attachment]) -> None:
    if not text.strip():
        raise HubError(Code.INVALID, "A message needs a text.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise HubError(Code.TOO_BIG, f"A message has at most {MAX_TEXT_CHARACTERS} characters.")
    if sum(len(attachment.text) for attachment in attachments) > MAX_ATTACHED_CHARACTERS:
        raise HubError(Code.TOO_BIG, f"Attached selections have at most {MAX_ATTACHED_CHARACTERS} characters together.")


def _to_ask(said: PostParams, mentions: Sequence[str], infos: Sequence[AssistantInfo]) -> list[Asked]:
    """Whom a message asks: whom it says, and the assistants that it mentions besides."""
    chosen = {asked.assistant for asked in said.ask}
    names = {info.name for info in infos}
    mentioned = [Asked(name) for name in mentions if name in names and name not in chosen]
    asked = list(dict.fromkeys([*said.ask, *mentioned]))
    if len(asked) > MAX_ASKED:
        raise HubError(Code.INVALID, f"A message can ask at most {MAX_ASKED} assistants.")
    return asked


class Saying:
    """What people do with messages."""

    def __init__(self, chat: Chat, runtime: Runtime) -> None:
        """Use the parts of conversations."""
        self._rooms, self._talk, self._generations = chat.rooms, chat.talk, chat.generations
        self._runtime = runtime
        self._rate = KeyedRate(Rate.per_minute(chat.settings.posts_per_minute), "messages", runtime.monotonic)

    async def post(self, said: PostParams, peer: Peer) -> ChatMessage:
        """Say something; where its id is known, nothing but what is missing yet is done, and that message is given."""
        await self._rooms.require_open(said.room, peer)
        infos = self._generations.infos()
        mentions = mentions_in(said.text, [info.name for info in infos])
        asked = _to_ask(said, mentions, infos)
        try:
            await self._check_new(said, asked, peer)
        except HubError:
            # It is looked only now, for hardly any message is said twice.
            if await self._talk.find(said.room, said.id) is None:
                raise
        message = ChatMessage(
            id=said.id,
            room=said.room,
            author=author_of(peer, infos),
            text=said.text,
            time=self._runtime.now_ms(),
            reply_to=said.reply_to,
            mentions=mentions,
            attachments=said.attachments,
        )
        message, _ = await self._talk.post(message)
        if await self._rooms.was_deleted(said.room):
            await self._talk.delete_room(said.room)
            raise HubError(Code.NOT_FOUND, "The room was deleted meanwhile.")
        if is_author(message, peer) and not message.deleted:
            for one in asked:
                await self._ask(message, one, peer)
        return message

    async def _ask(self, message: ChatMessage, asked: Asked, peer: Peer) -> None:
        """Begin an answer. What stands in its way now is no reason to keep from people what is said to them, too."""
        id = answer_id(message.id, asked)
        try:
            await self._generations.begin(message, asked, peer, id=id)
        except HubError as refusal:
            if refusal.code not in REFUSALS:
                raise
            await self._generations.refuse(message, asked, peer, refusal, id=id)

    async def _check_new(self, said: PostParams, asked: Sequence[Asked], peer: Peer) -> None:
        """Count a message that is new; raise if it may not be said, or asks somebody who is not there."""
        _check(said.text, said.attachments)
        if said.reply_to:
            await self._talk.get(said.room, said.reply_to)
        for one in asked:
            self._generations.model(one)
        self._rate.require(peer.principal)

    async def edit(self, room: str, id: str, text: str, version: int, peer: Peer) -> ChatMessage:
        """Change the text of a message that has this version; its author, or a moderator."""
        message = await self._talk.get((await self._rooms.require_open(room, peer)).name, id)
        own = await self._may_change(message, peer)
        if message.deleted:
            raise HubError(Code.CONFLICT, "This message was deleted.")
        if message.is_under_way:
            raise HubError(Code.CONFLICT, "This answer is still being written; stop it first.")
        _check(text, message.attachments)
        self._rate.require(peer.principal)
        names = [info.name for info in self._generations.infos()]
        changed = msgspec.structs.replace(
            message,
            text=text,
            version=version,
            mentions=mentions_in(text, names),
            edited=self._runtime.now_ms(),
            edited_by="" if own else peer.username,
        )
        return await self._talk.change(changed)

    async def _may_change(self, message: ChatMessage, peer: Peer) -> bool:
        """Whether it is the peer's own; raises `forbidden` if it is not, and they are no moderator."""
        if is_author(message, peer):
            return True
        room = await self._rooms.get(message.room, peer)
        if not await self._rooms.is_moderator(room, peer):
            raise HubError(Code.FORBIDDEN, "Only who wrote this message, or a moderator, may do that.")
        return False

    async def delete(self, room: str, id: str, peer: Peer) -> ChatMessage:
        """Take a message's text away, in an archived room, too: its author, who asked for it, or a moderator."""
        message = await self._talk.get((await self._rooms.get(room, peer)).name, id)
        own = message.answer is not None and message.answer.asked_by == peer.username
        own = own or await self._may_change(message, peer)
        self._rate.require(peer.principal)
        if message.is_under_way:
            await self._stop(message, peer)
        while True:
            message = await self._talk.get(room, id)
            if message.deleted:
                return message
            try:
                return await self._talk.change(self._without_text(message, "" if own else peer.username))
            except HubError as error:
                if error.code is not Code.CONFLICT or (await self._talk.get(room, id)).is_under_way:
                    raise

    async def _stop(self, message: ChatMessage, peer: Peer) -> None:
        try:
            await self._generations.stop(message.room, message.id, peer, moderator=True)
        except HubError as error:
            # Where its server does not react it ends when that server sees that it is gone.
            if error.code is not Code.UNAVAILABLE:
                raise

    def _without_text(self, message: ChatMessage, by: str) -> ChatMessage:
        return msgspec.structs.replace(
            message, text="", attachments=[], mentions=[], deleted=True, edited=self._runtime.now_ms(), edited_by=by
        )
