"""Which fields of a question an endpoint knows: those that are compatible are so to different degrees."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from ..chat.assistant import Ask

LIMIT: Final = "max_tokens"
NEWER_LIMIT: Final = "max_completion_tokens"
OPTIONAL: Final = ("stream_options", "temperature", "seed", LIMIT)
MAX_KNOWN: Final = 1000


class Dialect:
    """What one endpoint has refused, by its models."""

    def __init__(self, ask_usage: bool) -> None:
        """`ask_usage`: ask for the number of tokens."""
        self._ask_usage = ask_usage
        self._refused: dict[str, frozenset[str]] = {}

    def fields(self, ask: Ask, model: str, refused: Collection[str] = ()) -> dict[str, Any]:
        """The fields of a question besides model and messages, without what the model has refused."""
        without = {*self._refused.get(model, ()), *refused}
        fields: dict[str, Any] = {
            "stream_options": {"include_usage": True} if self._ask_usage else None,
            "temperature": ask.temperature,
            "seed": ask.seed,
            NEWER_LIMIT if LIMIT in without else LIMIT: ask.max_output_tokens,
        }
        return {name: value for name, value in fields.items() if value is not None and name not in without}

    def unknown(self, fields: Collection[str], status: int, words: str) -> str | None:
        """The field that an endpoint complains of, which the question can do without; None if it is something else."""
        if status not in (400, 422):
            return None
        return next((name for name in OPTIONAL if name in fields and name in words), None)

    def learn(self, model: str, refused: Sequence[str]) -> None:
        """A question without these was taken: the next one comes without them at once."""
        if refused and (model in self._refused or len(self._refused) < MAX_KNOWN):
            self._refused[model] = self._refused.get(model, frozenset()).union(refused)
