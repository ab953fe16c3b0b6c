"""What goes wrong with providers, in words for a person; no text of theirs that has a part of the key in it."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from ..chat.assistant import AssistantError
from ..protocol.codes import Code
from .events import ProviderError
from .keys import Key

MAX_RETRY_MS: Final = 24 * 3600 * 1000
QUOTA: Final = ("insufficient_quota", "billing", "credit balance", "exceeded your current quota")
TOO_LONG: Final = ("context_length", "context length", "context size", "maximum context", "too many tokens")


class Failures:
    """Words for what one assistant's provider does wrong."""

    def __init__(self, display_name: str, key: Key) -> None:
        """`display_name` is who is said to have failed."""
        self._name, self._key = display_name, key

    def unreachable(self) -> AssistantError:
        """No connection."""
        return AssistantError(f"{self._name} cannot be reached: nothing answers at the address that is configured.")

    def cut(self) -> AssistantError:
        """The connection broke amid an answer."""
        return AssistantError(f"The connection to {self._name} broke in the midst of the answer. Ask again.")

    def unended(self) -> AssistantError:
        """The stream ended without a word that it had."""
        return AssistantError(f"{self._name} stopped in the midst of the answer, without saying why. Ask again.")

    def malformed(self) -> AssistantError:
        """What came is nothing that the protocol knows."""
        return AssistantError(f"{self._name} has sent something that cannot be understood.")

    def said(self, error: ProviderError | str) -> AssistantError:
        """An error amid a stream."""
        found = ProviderError(message=error) if isinstance(error, str) else error
        status = found.code if isinstance(found.code, int) else 500
        return self.status(status, found, {}, "", 0)

    def status(
        self, status: int, error: ProviderError, headers: Mapping[str, str], model: str, now_s: float
    ) -> AssistantError:
        """An HTTP status that is no success."""
        words, wait_ms = error.words.casefold(), retry_after_ms(headers, now_s)
        if any(word in words for word in QUOTA) or status == 402:
            return AssistantError(f"The quota or credit of this server with {self._name} is used up.")
        if status == 401 or status == 403:
            return AssistantError(
                f"{self._name} does not accept the key of this server. Whoever runs the server has to set a valid one."
            )
        if status == 429:
            return AssistantError(
                f"{self._name} is asked too often now. Try again later.",
                code=Code.RATE_LIMITED,
                retry_after_ms=wait_ms,
            )
        if any(word in words for word in TOO_LONG) or status == 413:
            return AssistantError(f"The conversation is too long for {self._name}.", code=Code.TOO_BIG)
        if status == 404:
            named = f"the model {model!r}" if model else "what it was asked for"
            return AssistantError(f"{self._name} does not know {named}, or base_url is wrong.", code=Code.NOT_FOUND)
        if 300 <= status < 400:
            return AssistantError(f"{self._name} is elsewhere now (HTTP {status}): base_url has to be changed.")
        if status >= 500:
            return AssistantError(
                f"{self._name} cannot answer now (HTTP {status}). {self._quoted(error)}".rstrip(),
                retry_after_ms=wait_ms,
            )
        said = self._quoted(error)
        return AssistantError(f"{self._name} refused (HTTP {status}). {said}".rstrip(), code=Code.INVALID)

    def _quoted(self, error: ProviderError) -> str:
        message = error.message if isinstance(error.message, str) else ""
        quote = self._key.quote(message)
        return f"It says: {quote}" if quote else ""


def read_error(body: Any) -> ProviderError:
    """What stands in an error's body, of which nothing is sure; `openai` gives the part under `error` already."""
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(inner, Mapping):
        try:
            return msgspec.convert(dict(inner), ProviderError)
        except msgspec.ValidationError:
            return ProviderError()
    return ProviderError(message=inner) if isinstance(inner, str) else ProviderError()


def retry_after_ms(headers: Mapping[str, str], now_s: float) -> int | None:
    """How long a provider wants not to be asked; it says so in milliseconds, in seconds or as a date."""
    try:
        if headers.get("retry-after-ms"):
            return _bounded(float(headers["retry-after-ms"]))
    except ValueError:
        pass  # then the other header may help
    value = headers.get("retry-after", "")
    try:
        return _bounded(float(value) * 1000)
    except ValueError:
        pass  # then it may be a date
    try:
        return _bounded((parsedate_to_datetime(value).timestamp() - now_s) * 1000)
    except (ValueError, TypeError):
        return None


def _bounded(wait_ms: float) -> int:
    if wait_ms != wait_ms:
        raise ValueError("no number")
    return int(min(max(wait_ms, 0), MAX_RETRY_MS))
