"""Events of jupyter_events that become notifications, as configuration chooses them: never many, never in the way."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from logging import Logger
from typing import Any, Final, Literal

import msgspec
from jupyter_events import EventLogger

from .notices.notification import MAX_ID_CHARACTERS, MAX_MESSAGE_CHARACTERS, MAX_TITLE_CHARACTERS, Level
from .rates import KeyedRate, Rate

RATE: Final = Rate(per_s=0.5, burst=10)
"""Of each schema."""
FIELD: Final = re.compile(r"\{([\w.-]+)\}")


class EventRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of the events of one schema. `{field}` and `{field.of.field}` stand for what an event says."""

    title: str
    message: str = ""
    level: Level = "info"
    to: Literal["me", "all"] = "me"
    id: str | None = None
    """Events with the same id are one notification that is updated."""
    when: dict[str, Any] = {}
    """Only events whose fields have these values, or one of these."""


def fill(template: str, data: Mapping[str, Any], limit: int) -> str:
    """A template with an event's fields in it; what it has not is left out."""
    return FIELD.sub(lambda match: _text(_look(data, match[1])), template)[:limit]


def _look(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _text(value: Any) -> str:
    return "" if value is None else str(value)


class EventNotices:
    """Listens to the server's events."""

    def __init__(
        self,
        chosen: Mapping[str, Any],
        events: EventLogger,
        notify: Callable[..., object],
        monotonic: Callable[[], float],
        logger: Logger,
    ) -> None:
        """`chosen` has, for each schema id, a template of a title or the fields of an EventRule. `notify` never waits.

        What cannot be understood is logged and left out.
        """
        self._events, self._notify, self._logger = events, notify, logger
        self._rate = KeyedRate(RATE, "events", monotonic)
        self._rules: dict[str, EventRule] = {}
        for schema_id, rule in chosen.items():
            try:
                fields = {"title": rule} if isinstance(rule, str) else rule
                self._rules[schema_id] = msgspec.convert(fields, EventRule)
            except msgspec.ValidationError as error:
                logger.error("HubApp.notification_events: the rule for %s is wrong: %s.", schema_id, error)
        self._left_out = dict.fromkeys(self._rules, 0)

    def start(self) -> None:
        """Begin to listen, also to schemas that are registered later."""
        for schema_id in self._rules:
            self._events.add_listener(schema_id=schema_id, listener=self._on_event)

    def stop(self) -> None:
        """Listen no more. Idempotent."""
        for schema_id in self._rules:
            # It raises for a schema that nobody has registered, once it has taken the listener away.
            with contextlib.suppress(KeyError):
                self._events.remove_listener(schema_id=schema_id, listener=self._on_event)

    async def _on_event(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        try:
            self._take(schema_id, data)
        except Exception as error:
            self._logger.error("An event of %s could not be notified of.", schema_id, exc_info=error)

    def _take(self, schema_id: str, data: Mapping[str, Any]) -> None:
        rule = self._rules[schema_id]
        for path, wanted in rule.when.items():
            if _look(data, path) not in (wanted if isinstance(wanted, list) else [wanted]):
                return
        if self._rate.take(schema_id):
            if not self._left_out[schema_id]:
                self._logger.warning("Too many events of %s: some are not notified of.", schema_id)
            self._left_out[schema_id] += 1
            return
        more, self._left_out[schema_id] = self._left_out[schema_id], 0
        message = fill(rule.message, data, MAX_MESSAGE_CHARACTERS - 50)
        if more:
            message = f"{message}\n({more} more before it)".strip()
        self._notify(
            fill(rule.title, data, MAX_TITLE_CHARACTERS).strip() or schema_id[:MAX_TITLE_CHARACTERS],
            message,
            level=rule.level,
            to=rule.to,
            id=None if rule.id is None else fill(rule.id, data, MAX_ID_CHARACTERS) or None,
            source=schema_id[-100:],
        )
