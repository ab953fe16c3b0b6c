"""Answers under way: begun, limited, watched over, stopped. A generation belongs to its room, not to who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Annotated, Any, Final, Protocol

import msgspec

from ..ports import Peer, Runtime
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import KeyValue
from .answering import Answering, KeepsAnswers
from .ask_limits import AskLimits
from .assistant import Ask, Assistant, AssistantInfo
from .context import ContextReader
from .crew import Crew
from .elsewhere import Elsewhere, Messages, not_yours, same_answer
from .messages import Answer, Author, ChatMessage
from .prompt import History, Prompts
from .streaming import STOPPED, Ending, Streaming, Timeouts
from .underway import UnderwayNotes

WATCH_S: Final = 1.0
"""How often it is looked at whether another server was asked to stop an answer of this one."""

REFUSALS: Final = frozenset({Code.RATE_LIMITED, Code.UNAVAILABLE, Code.SHUTTING_DOWN})
"""Why an answer does not begin now, although it may later."""

CLOSE_S: Final = 0.7
CLOSED: Final = Ending("failed", "shutdown", "The server stopped. Ask again.")
Key = tuple[str, str]


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
    max_attachment_characters: int = 24_000
    first_token_timeout_s: float = 60
    idle_timeout_s: float = 30
    gather_s: float = 0.04
    system_prompt: str = (
        "You help people who work with Jupyter notebooks. Answer briefly. Write code as fenced blocks that name their "
        "language."
    )


class AnswerTalk(KeepsAnswers, History, Messages, Protocol):
    """What answers need of `talk.Talk`."""

    async def begin_answer(self, message: ChatMessage) -> ChatMessage:
        """Keep an answer that has no text yet; where its id is known, give that message."""
        ...

    async def post(self, message: ChatMessage) -> tuple[ChatMessage, bool]:
        """Keep a new message; where its id is known, that message and False."""
        ...


class _Running(msgspec.Struct, frozen=True):
    """An answer that this server writes."""

    writing: Answering
    principal: str
    username: str
    ended: asyncio.Task[ChatMessage]


class Generations:
    """All answers that this server writes."""

    def __init__(
        self,
        talk: AnswerTalk,
        assistants: Mapping[str, Assistant],
        context: ContextReader,
        settings: GenerationSettings,
        runtime: Runtime,
        values: KeyValue,
    ) -> None:
        """`assistants` by name; it may grow and shrink later. In `values` servers of one storage find each other."""
        self._talk, self._settings, self._runtime = talk, settings, runtime
        self._crew = Crew(assistants, runtime.logger)
        self._limits = AskLimits(
            settings.max_running, settings.max_per_user, settings.asks_per_minute, runtime.monotonic
        )
        self._prompts = Prompts(talk, context, settings.system_prompt, settings.max_history_characters)
        self._notes = UnderwayNotes(values)
        self._elsewhere = Elsewhere(talk, self._notes)
        self._running: dict[Key, _Running] = {}
        self._beginning: dict[Key, asyncio.Task[ChatMessage]] = {}
        self._lingering: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def running(self) -> int:
        """How many answers this server writes."""
        return len(self._running)

    async def start(self) -> None:
        """Begin to start the assistants; who is not ready yet says so in its info."""
        self._crew.start()

    def infos(self) -> list[AssistantInfo]:
        """The assistants, the default one first."""
        return self._crew.infos()

    def model(self, asked: Asked) -> str:
        """The model that is to answer; raises `not_found` if there is no such model, or assistant."""
        info = self._crew.info(asked.assistant)
        if asked.model and asked.model not in info.models:
            raise HubError(Code.NOT_FOUND, f"{info.display_name} has no model {asked.model!r}.")
        return asked.model or next(iter(info.models), "")

    async def begin(self, question: ChatMessage, asked: Asked, peer: Peer, *, id: str = "") -> ChatMessage:
        """Begin an answer to a message that is there; gives it without text. Done when it is kept and told.

        `id` makes a repeated call begin only one. Raises `not_found`; what is in `REFUSALS`, with `retry_after_ms`,
        where it may begin later.
        """
        key = question.room, id or self._runtime.new_id()
        if key not in self._beginning:
            # Not the asker's task: what has begun to be kept is written, or it would stand there for ever.
            task = self._beginning[key] = asyncio.create_task(self._begin(question, asked, peer, key[1]))
            task.add_done_callback(partial(self._begun, key))
        return await asyncio.shield(self._beginning[key])

    def _begun(self, key: Key, task: asyncio.Task[ChatMessage]) -> None:
        self._beginning.pop(key, None)
        if not task.cancelled():
            task.exception()  # the asker has it, or is gone

    async def _begin(self, question: ChatMessage, asked: Asked, peer: Peer, id: str) -> ChatMessage:
        known = await self._elsewhere.known(question, id)
        if known is not None:
            return known
        model = self.model(asked)
        self._require_ready(asked.assistant)
        self._limits.begin(peer.principal)
        claim, begun = None, False
        try:
            claim = await self._notes.claim(question.room, id, peer.principal)
            if claim is None:
                return await self._elsewhere.begun(question, id)
            kept = await self._talk.begin_answer(self._message(question, asked, model, peer, id))
            same_answer(kept, question)
            begun = kept.is_under_way
        finally:
            if not begun:
                self._limits.end(peer.principal)
                await self._release((question.room, id), claim)
        if begun:
            self._write(kept, question, asked.assistant, peer, claim)
        return kept

    def _require_ready(self, assistant: str) -> None:
        if self._closed:
            raise HubError(Code.SHUTTING_DOWN, "The server is stopping; ask again in a moment.")
        info = self._crew.info(assistant)
        if info.state == "down":
            raise HubError(Code.UNAVAILABLE, f"{info.display_name} cannot answer: {info.reason}")

    async def refuse(
        self, question: ChatMessage, asked: Asked, peer: Peer, refusal: HubError, *, id: str
    ) -> ChatMessage:
        """Say in the answer's place why it could not begin; where its `id` is known, nothing but give that message."""
        message = self._message(question, asked, self.model(asked), peer, id)
        assert message.answer is not None
        answer = msgspec.structs.replace(
            message.answer, state="failed", error=refusal.message, retry_after_ms=refusal.retry_after_ms
        )
        kept, _ = await self._talk.post(msgspec.structs.replace(message, answer=answer))
        return same_answer(kept, question)

    async def _release(self, key: Key, claim: int | None) -> None:
        if claim is None:
            return
        try:
            await self._notes.release(*key)
        except HubError as error:
            self._runtime.logger.warning("What is known of the answer %s stays: %s", key[1], error.message)

    def _message(self, question: ChatMessage, asked: Asked, model: str, peer: Peer, id: str) -> ChatMessage:
        return ChatMessage(
            id=id,
            room=question.room,
            author=Author(asked.assistant, self._crew.info(asked.assistant).display_name, assistant=True),
            text="",
            time=self._runtime.now_ms(),
            reply_to=question.id,
            answer=Answer("writing", to=question.id, asked_by=peer.username, model=model),
        )

    def _write(self, message: ChatMessage, question: ChatMessage, assistant: str, peer: Peer, claim: int) -> None:
        settings, key = self._settings, (message.room, message.id)
        assert message.answer is not None
        ask = Ask(message.answer.model, settings.max_output_tokens)
        timeouts = Timeouts(settings.first_token_timeout_s, settings.idle_timeout_s)
        streaming = Streaming(ask, timeouts, self._runtime.logger)
        stream = partial(
            streaming.run,
            partial(self._crew.ready, assistant),
            partial(self._prompts.turns, question, assistant, peer),
        )
        writing = Answering(message, streaming, self._talk, settings.gather_s, self._runtime)
        ended = asyncio.create_task(self._keep(key, writing, writing.run(stream), peer.principal, claim))
        ended.add_done_callback(_retrieve)
        self._running[key] = _Running(writing, peer.principal, peer.username, ended)
        if self._closed:
            writing.end(CLOSED)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())

    async def _keep(
        self, key: Key, writing: Answering, run: Coroutine[Any, Any, ChatMessage], principal: str, claim: int
    ) -> ChatMessage:
        """Let an answer be written, known to other servers meanwhile, and tidy up behind it."""
        logger = self._runtime.logger
        noting = asyncio.create_task(self._note(key, principal, claim))
        try:
            return await run
        except HubError as error:
            logger.warning("The end of the answer %s could not be kept: %s", key[1], error.message)
            raise
        except Exception as bug:
            logger.error("The answer %s could not be written.", key[1], exc_info=bug)
            raise HubError(Code.INTERNAL, "The answer could not be kept; the server's log has the reason.") from bug
        finally:
            del self._running[key]
            self._limits.end(principal)
            if writing.lingering is not None:
                self._leave_behind(writing.lingering, writing.message.author.username)
            await noting
            await self._release(key, claim)

    async def _note(self, key: Key, principal: str, claim: int) -> None:
        try:
            await self._notes.confirm(*key, principal, claim)
        except HubError as error:
            self._runtime.logger.warning("Other servers cannot stop the answer %s: %s", key[1], error.message)

    def _leave_behind(self, task: asyncio.Task[None], assistant: str) -> None:
        self._runtime.logger.warning("The assistant %r goes on although its answer has ended.", assistant)
        self._limits.linger(1)
        self._lingering.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._limits.linger(-1)
        self._lingering.discard(task)

    async def _watch(self) -> None:
        """End what other servers were asked to stop."""
        while self._running:
            await asyncio.sleep(WATCH_S)
            try:
                asked = await self._notes.to_stop()
            except HubError as error:
                self._runtime.logger.warning("It is not known which answers are to stop: %s", error.message)
                continue
            for key in asked:
                if key in self._running:
                    self._running[key].writing.end(STOPPED)

    async def stop(self, room: str, id: str, peer: Peer, *, moderator: bool) -> ChatMessage:
        """End an answer, by who asked for it or a moderator; give it as it ended.

        The provider is told before this returns. One that has ended is given as it is.
        """
        beginning = self._beginning.get((room, id))
        if beginning is not None:
            await asyncio.wait([beginning])
        running = self._running.get((room, id))
        if running is None:
            return await self._elsewhere.stop(room, id, peer, moderator=moderator)
        if not moderator and peer.principal != running.principal and peer.username != running.username:
            raise not_yours()
        running.writing.end(STOPPED)
        return await asyncio.shield(running.ended)

    async def close(self) -> None:
        """End all answers, as `failed`: the server stops. Within a second."""
        self._closed = True
        if self._beginning:
            await asyncio.wait(self._beginning.values(), timeout=CLOSE_S)
        for running in self._running.values():
            running.writing.end(CLOSED)
        ending = [running.ended for running in self._running.values()]
        if ending:
            _, left = await asyncio.wait(ending, timeout=CLOSE_S)
            if left:
                self._runtime.logger.warning("%s answers did not end within %s s.", len(left), CLOSE_S)
        for task in self._lingering:
            task.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        await self._crew.stop()


def _retrieve(task: asyncio.Task[ChatMessage]) -> None:
    """What it has raised is in the log; whoever stops it is told, too."""
    if not task.cancelled():
        task.exception()
