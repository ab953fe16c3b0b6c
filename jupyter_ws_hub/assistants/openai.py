"""Assistant `openai`: models behind any OpenAI-compatible endpoint, in the net or on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from traitlets import Bool, Dict, List, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from ..chat.assistant import Ask, AssistantError, AssistantInfo, Piece, Turn
from ..protocol.codes import Code
from .base import BaseAssistant
from .dialect import Dialect
from .failures import Failures
from .keys import KeyUnusable, read_key

if TYPE_CHECKING:
    from .openai_client import OpenAIClient

FIRST_RETRY_S: Final = 5.0
LAST_RETRY_S: Final = 300.0
INSTALL: Final = "The package openai is missing on the server: pip install 'jupyter-ws-hub[openai]'."


class OpenAIAssistant(BaseAssistant):
    """One endpoint; with `endpoints`, several side by side."""

    base_url = Unicode(
        "",
        help="""Address of the OpenAI-compatible endpoint, such as https://api.openai.com/v1 or, for Ollama on this
        machine, http://127.0.0.1:11434/v1. Empty: there is none. It comes from the configuration alone; no user, and
        no environment variable, can change it.""",
    ).tag(config=True)
    models = List(
        Unicode(),
        help="""Names of the models that may be asked, the default one first. Empty: the endpoint is asked which it
        has, when the server starts, and any of them may be asked.""",
    ).tag(config=True)
    key_env = Unicode("", help="Name of the environment variable of the server that has the endpoint's key.").tag(
        config=True
    )
    key_file = Unicode(
        "",
        help="""Path of a file that has the endpoint's key in one line; refused if anybody but its owner may use it
        (chmod 600). Counts before key_env.""",
    ).tag(config=True)
    local = Bool(
        False, help="Tell users that what they ask does not leave this server: the model runs on this machine."
    ).tag(config=True)
    ask_usage = Bool(True, help="Ask for the number of tokens; an endpoint that refuses that is asked without.").tag(
        config=True
    )
    endpoints = List(
        Dict(),
        help="""More endpoints, each a dictionary of these settings: {"name": "lab", "display_name": "Lab", "base_url":
        "https://…/v1", "models": ["m"], "key_env": "LAB_KEY"}. What one does not set has the default, not the value
        that is configured for the class.""",
    ).tag(config=True)

    @default("name")
    def _default_name(self) -> str:
        return "openai"

    @validate("base_url")
    def _check_base_url(self, proposal: Any) -> str:
        url = str(proposal["value"]).strip()
        if not url:
            return ""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TraitError("base_url must be an address that begins with http:// or https://.")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise TraitError(
                "base_url must have no user, password, query or fragment; keys go into key_env or key_file."
            )
        return url

    def __init__(self, **settings: Any) -> None:
        """Take the configuration; nothing is read or imported before `start`."""
        super().__init__(**settings)
        self._state: tuple[Any, str] = ("starting", "It is getting ready.")
        self._known = list(self.models)
        self._client: asyncio.Future[OpenAIClient] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._failures: Failures | None = None

    @classmethod
    def make(cls, parent: Configurable) -> Sequence[Self]:
        """See BaseAssistant."""
        first = cls(parent=parent)
        made = [first] if first.base_url else []
        for number, settings in enumerate(first.endpoints, 1):
            try:
                made.append(cls._endpoint(settings, first))
            except TraitError as error:  # tells no values: somebody may have put a key there
                first.log.error("Entry %d of OpenAIAssistant.endpoints is left out: %s", number, error)
        return made

    @classmethod
    def _endpoint(cls, settings: dict[str, Any], first: Self) -> Self:
        """One of `endpoints`: with the defaults of the class, so that it does not get the key of another one."""
        known = {name for name in cls.class_traits(config=True) if name != "endpoints"}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise TraitError(f"there is no setting {', '.join(map(repr, unknown))}.")
        if not settings.get("base_url") or not settings.get("name"):
            raise TraitError("it needs name and base_url.")
        return cls(log=first.log, **settings)

    def info(self) -> AssistantInfo:
        """See the port."""
        state, reason = self._state
        return AssistantInfo(
            name=self.name,
            display_name=self._shown,
            description=self.description or f"Models at {urlsplit(self.base_url).hostname}",
            models=list(self._known),
            local=self.local,
            state=state,
            reason=reason,
        )

    @property
    def _shown(self) -> str:
        return self.display_name or ("OpenAI" if self.name == "openai" else self.name)

    async def start(self) -> None:
        """Begin to get ready, in the background: importing `openai` takes long."""
        if self._preparing is None:
            self._client = asyncio.get_running_loop().create_future()
            self._preparing = asyncio.create_task(self._prepare(self._client))

    async def stop(self) -> None:
        """Close all connections."""
        preparing, self._preparing = self._preparing, None
        if preparing is not None:
            preparing.cancel()
            await asyncio.wait([preparing])
        client, self._client = self._client, None
        if client is None:
            return
        if not client.done():
            client.cancel()
        elif not client.cancelled() and client.exception() is None:
            await client.result().close()

    async def _prepare(self, ready: asyncio.Future[OpenAIClient]) -> None:
        try:
            client = await asyncio.to_thread(self._connect)
        except (KeyUnusable, ImportError) as error:
            reason = INSTALL if isinstance(error, ImportError) else str(error)
            self._state = ("down", reason)
            self.log.error("The assistant %r cannot be asked. %s", self.name, reason)
            ready.set_exception(AssistantError(f"{self._shown} is not set up. {reason}"))
            ready.exception()  # it is known already
            return
        ready.set_result(client)
        self._state = ("ok", "")
        if not self._known:
            await self._learn_models(client)

    def _connect(self) -> OpenAIClient:
        """In a thread."""
        from .openai_client import OpenAIClient

        key = read_key(self.key_env, self.key_file)
        return OpenAIClient(self.base_url, key, Failures(self._shown, key), Dialect(self.ask_usage))

    async def _learn_models(self, client: OpenAIClient) -> None:
        """Ask for the models until there is an answer: the endpoint may start after this server."""
        wait_s = FIRST_RETRY_S
        while not self._known:
            try:
                self._known = await client.models()
                reason = "" if self._known else "The endpoint has no models."
            except AssistantError as error:
                reason = error.message
            if reason and self._state != ("down", reason):
                self.log.warning("The models of the assistant %r are not known. %s", self.name, reason)
            self._state = ("down", reason) if reason else ("ok", "")
            if reason:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LAST_RETRY_S)

    def stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncIterator[Piece]:
        """See the port."""
        return self._stream(turns, ask)

    async def _stream(self, turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        await self.start()
        assert self._client is not None
        client = await asyncio.shield(self._client)
        async with aclosing(client.answer(turns, ask, self._model(ask.model))) as pieces:
            async for piece in pieces:
                yield piece

    def _model(self, wanted: str) -> str:
        """Which model is asked: one of those that are known."""
        if not self._known:
            raise AssistantError(f"It is not known yet which models {self._shown} has. {self._state[1]}".rstrip())
        if wanted and wanted not in self._known:
            raise AssistantError(f"{self._shown} has no model {wanted!r}.", code=Code.NOT_FOUND)
        return wanted or self._known[0]
