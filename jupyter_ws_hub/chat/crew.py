"""The assistants as they are here: started without anybody's waiting, how they are, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from logging import Logger
from typing import Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .assistant import Assistant, AssistantError, AssistantInfo
from .plain_words import for_a_person, for_the_log

STOP_S: Final = 0.5


class Crew:
    """All assistants of one server."""

    def __init__(self, assistants: Mapping[str, Assistant], logger: Logger) -> None:
        """`assistants` may grow and shrink; who comes later is started when first asked."""
        self._assistants, self._logger = assistants, logger
        self._starts: dict[str, tuple[Assistant, asyncio.Task[str]]] = {}
        self._sick: set[str] = set()

    def start(self) -> None:
        """Begin to start all of them."""
        for name, assistant in self._assistants.items():
            self._started(name, assistant)

    def _started(self, name: str, assistant: Assistant) -> asyncio.Task[str]:
        known = self._starts.get(name)
        if known is None or known[0] is not assistant:
            known = self._starts[name] = (assistant, asyncio.create_task(self._start(name, assistant)))
        return known[1]

    async def _start(self, name: str, assistant: Assistant) -> str:
        """Start one; give what is wrong with it, "" for nothing."""
        try:
            await assistant.start()
        except AssistantError as error:
            self._logger.error("The assistant %r cannot start: %s", name, error.message)
            return for_a_person(error.message)
        except Exception as bug:  # noqa: BLE001  # logged without keys
            self._logger.error("The assistant %r cannot start.\n%s", name, for_the_log(bug))
            return f"It could not start ({type(bug).__name__}); the server's log has the reason."
        return ""

    def infos(self) -> list[AssistantInfo]:
        """What they are and how, in their order."""
        return [self._info(name, assistant) for name, assistant in list(self._assistants.items())]

    def _info(self, name: str, assistant: Assistant) -> AssistantInfo:
        try:
            info = assistant.info()
        except Exception as bug:  # noqa: BLE001  # logged without keys
            if name not in self._sick:  # it is asked each second
                self._sick.add(name)
                self._logger.error("The assistant %r cannot tell how it is.\n%s", name, for_the_log(bug))
            return AssistantInfo(name, name, "", [], False, "down", f"It failed: {type(bug).__name__}.")
        self._sick.discard(name)
        known = self._starts.get(name)
        if known is None or known[0] is not assistant or info.state == "down":
            return info
        if not known[1].done():
            return msgspec.structs.replace(info, state="starting")
        if not known[1].cancelled() and (reason := known[1].result()):
            return msgspec.structs.replace(info, state="down", reason=reason)
        return info

    def info(self, name: str) -> AssistantInfo:
        """What one of them is and how; raises `not_found`."""
        return self._info(name, self._get(name))

    def _get(self, name: str) -> Assistant:
        assistant = self._assistants.get(name)
        if assistant is None:
            raise HubError(Code.NOT_FOUND, f"There is no assistant {name[:64]!r} here.")
        return assistant

    async def ready(self, name: str) -> Assistant:
        """One of them, when it has started; raises `not_found`, and `unavailable` if it could not start."""
        assistant = self._get(name)
        reason = await asyncio.shield(self._started(name, assistant))
        if reason:
            raise AssistantError(reason)
        return assistant

    async def stop(self) -> None:
        """Let go of all of them, in a short time; who takes longer is told of and left behind."""
        stops = [asyncio.create_task(self._stop(name, *known)) for name, known in self._starts.items()]
        if not stops:
            return
        _, left = await asyncio.wait(stops, timeout=STOP_S)
        for task in left:
            task.cancel()
        if left:
            self._logger.warning("%s assistants did not stop within %s s.", len(left), STOP_S)

    async def _stop(self, name: str, assistant: Assistant, start: asyncio.Task[str]) -> None:
        start.cancel()
        await asyncio.wait([start])
        try:
            await assistant.stop()
        except Exception as bug:  # noqa: BLE001  # logged without keys
            self._logger.error("The assistant %r cannot stop.\n%s", name, for_the_log(bug))
