"""The process of the local model: reads questions from its standard input, writes answers to its standard output.

It ends when its input does, whatever it computes: it never outlives its server. The runtime computes in threads of its
own; here one thread waits for it and another one for orders.
"""

from __future__ import annotations

import os
import queue
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from ..chat.assistant import Turn
from .events import MalformedEvent, ProviderError, read_event
from .local_messages import Drop, Ended, Loaded, News, NotLoaded, Order, Question, Setup, Text, line

NICE: Final = 10
"""Terminals, kernels and the server itself go first."""
BATCH: Final = 16
"""Tokens that are read at a time: as fast as more on a processor, and an answer can be stopped after each."""
RESERVE: Final = 4
"""At most a quarter of the context is kept free for the answer; the oldest turns give way."""


class Server:
    """The runtime with its model."""

    def __init__(self, setup: Setup) -> None:
        """Load it; takes a second. Raises whatever the runtime does."""
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = setup.model
        params.n_ctx = setup.context_tokens
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setup.threads
        params.n_threads_http = 1
        params.cache_ram_mib = 0
        params.verbosity = 0
        # The runtime also listens for HTTP, which nobody is to use: at a place that is gone at once, with a secret key.
        params.ui = params.endpoint_slots = False
        params.api_keys = [secrets.token_hex(32)]
        place = tempfile.mkdtemp()
        try:
            params.hostnames = [os.path.join(place, "unused.sock")]
            self._server = xllamacpp.Server(params)
        finally:
            shutil.rmtree(place)
        self._context = setup.context_tokens

    def ask(self, question: Question, turns: Sequence[Turn], take: Callable[[bytes], bool]) -> None:
        """Have it answered; `take` is given each event and says whether that is enough."""
        fields: dict[str, Any] = {
            "messages": [{"role": turn.role, "content": turn.text} for turn in turns],
            "max_tokens": question.max_output_tokens,
            "temperature": question.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
        }
        if question.seed is not None:
            fields["seed"] = question.seed & 0xFFFFFFFF
        self._server.handle_chat_completions(msgspec.json.encode(fields), take)

    def room(self, question: Question) -> int:
        """Tokens that a conversation may have, so that the answer has some left."""
        return self._context - min(question.max_output_tokens, self._context // RESERVE)


class _Progress(msgspec.Struct):
    total: int = 0


class _Beginning(msgspec.Struct):
    """What the runtime says of the conversation before it reads it, or when it refuses to."""

    class Refused(msgspec.Struct):
        n_prompt_tokens: int = 0

    prompt_progress: _Progress | None = None
    error: Refused | None = None

    @property
    def tokens(self) -> int:
        if self.error is not None:
            return self.error.n_prompt_tokens
        return self.prompt_progress.total if self.prompt_progress is not None else 0


class Answering:
    """One answer under way."""

    def __init__(self, question: Question, tell: Callable[[News], None]) -> None:
        """`tell` writes to the server."""
        self.question, self._tell = question, tell
        self.dropped = False
        self._ended = Ended(question.id)
        self._tokens = self._room = 0
        self._can_shorten = False

    def run(self, server: Server) -> Ended:
        """Answer; without the oldest turns where all of them are too long."""
        turns, self._room = self.question.turns, server.room(self.question)
        while True:
            self._tokens, self._can_shorten = 0, len(turns) > kept(turns)
            server.ask(self.question, turns, self._take)
            is_too_long = self._tokens > self._room and not self.dropped
            fewer = shortened(turns, self._room, self._tokens) if is_too_long else turns
            if len(fewer) == len(turns):
                return self._ended
            turns, self._ended = fewer, Ended(self.question.id)

    def _take(self, data: bytes) -> bool:
        """Take an event of the runtime; give whether that was enough."""
        if self.dropped:
            return True
        if not self._tokens:
            self._tokens = msgspec.json.decode(data, type=_Beginning).tokens
            if self._tokens > self._room and self._can_shorten:
                return True
        try:
            event = read_event(data)
        except MalformedEvent:
            self._ended = Ended(self.question.id, error="The runtime has said something strange.")
            return True
        if event.error:
            words = event.error.words if isinstance(event.error, ProviderError) else event.error
            self._ended = Ended(self.question.id, error=words, too_long=bool(self._tokens))
            return True
        if event.choices:
            choice = event.choices[0]
            if choice.delta is not None and choice.delta.text:
                self._tell(Text(self.question.id, choice.delta.text))
            if choice.finish_reason:
                self._ended = Ended(self.question.id, choice.finish_reason)
        if event.usage is not None:
            used = event.usage
            self._ended = Ended(self.question.id, self._ended.reason, used.prompt_tokens, used.completion_tokens or 0)
        return False


def kept(turns: Sequence[Turn]) -> int:
    """How many turns stay in any case: the question itself, and what the system says."""
    return 2 if turns[0].role == "system" else 1


def shortened(turns: Sequence[Turn], room: int, tokens: int) -> list[Turn]:
    """Without as many of the oldest turns as it takes."""
    first = kept(turns) - 1
    characters = sum(len(turn.text) for turn in turns)
    too_many = characters * (tokens - room) / tokens
    at = first
    while at < len(turns) - 1 and too_many > 0:
        too_many -= len(turns[at].text)
        at += 1
    return [*turns[:first], *turns[at:]]


class Worker:
    """Takes orders in one thread, answers in another."""

    def __init__(self, sink: int) -> None:
        """Write to a descriptor."""
        self._sink = sink
        self._lock = threading.Lock()
        self._questions: queue.SimpleQueue[Answering] = queue.SimpleQueue()
        self._newest: Answering | None = None

    def tell(self, news: News) -> None:
        """Write; the process ends where nobody reads any more."""
        view = memoryview(line(news))
        with self._lock:
            try:
                while view:
                    view = view[os.write(self._sink, view) :]
            except BrokenPipeError:
                os._exit(0)

    def take(self, order: Order) -> None:
        """Begin what is ordered."""
        if isinstance(order, Question):
            self._newest = Answering(order, self.tell)
            self._questions.put(self._newest)
        elif isinstance(order, Drop) and self._newest is not None and self._newest.question.id == order.id:
            self._newest.dropped = True
        elif isinstance(order, Setup):
            threading.Thread(target=self._answer, args=(order,), daemon=True).start()

    def _answer(self, setup: Setup) -> None:
        try:
            server = Server(setup)
        except ImportError as error:
            self.tell(NotLoaded(f"The runtime xllamacpp cannot be loaded on this machine: {error}"))
            os._exit(1)
        except Exception as error:  # noqa: BLE001  whatever the runtime raises, it is told
            self.tell(NotLoaded(f"The model cannot be loaded: {error}"))
            os._exit(1)
        self.tell(Loaded())
        while True:
            answering = self._questions.get()
            self.tell(answering.run(server))


def main() -> None:
    """Serve the process that has started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C in a terminal is for the server, which ends this one
    if hasattr(os, "nice"):
        os.nice(NICE)
    sink = os.dup(1)
    os.dup2(2, 1)  # what the runtime prints must not stand among the answers
    worker, decode = Worker(sink), msgspec.json.Decoder(Order).decode
    for data in sys.stdin.buffer:
        worker.take(decode(data))
    os._exit(0)  # at once: the runtime would wait for what it computes
