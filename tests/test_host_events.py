"""Events that become notifications."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from jupyter_events import EventLogger

from jupyter_ws_hub.host_events import RATE, EventNotices, fill
from tests.support.fakes import FakeClock, until

SCHEMA = "https://example.org/build/v1"
DOCUMENT = {
    "$id": SCHEMA,
    "version": "1",
    "title": "Build",
    "type": "object",
    "properties": {"status": {"type": "string"}, "job": {"type": "object"}},
}


class Listening:
    """An event system, what listens to it, and what was notified of."""

    def __init__(self, chosen: Any, notify: Callable[..., object] | None = None) -> None:
        """Begin to listen before the schema is there."""
        self.told: list[tuple[str, str, dict[str, Any]]] = []
        self.clock = FakeClock()
        self.events = EventLogger()
        logger = logging.getLogger("test")
        self.notices = EventNotices(chosen, self.events, notify or self._notify, self.clock, logger)
        self.notices.start()
        self.events.register_event_schema(DOCUMENT)

    def _notify(self, title: str, message: str, **how: Any) -> None:
        self.told.append((title, message, how))

    async def emit(self, *statuses: str) -> None:
        """Emit events and wait until all listeners have had them."""
        for status in statuses:
            self.events.emit(schema_id=SCHEMA, data={"status": status, "job": {"name": "nightly"}})
        await until(lambda: not self.events._active_listeners)
        await asyncio.sleep(0)


async def test_an_event_becomes_what_its_rule_says() -> None:
    rule = {
        "title": "{job.name}: {status}",
        "message": "{nothing}{job.nothing}{status.deep}.",
        "level": "warning",
        "to": "all",
        "id": "build-{job.name}",
    }
    listening = Listening({SCHEMA: rule})
    await listening.emit("broken")
    how = {"level": "warning", "to": "all", "id": "build-nightly", "source": SCHEMA}
    assert listening.told == [("nightly: broken", ".", how)]


async def test_a_title_is_enough() -> None:
    listening = Listening({SCHEMA: "Build {status}"})
    await listening.emit("done")
    assert listening.told == [("Build done", "", {"level": "info", "to": "me", "id": None, "source": SCHEMA})]


@pytest.mark.parametrize("wanted", ["broken", ["broken", "stopped"]])
async def test_only_events_with_these_values_count(wanted: object) -> None:
    listening = Listening({SCHEMA: {"title": "Build {status}", "when": {"status": wanted, "job.name": "nightly"}}})
    await listening.emit("done", "broken", "done")
    assert [title for title, _, _ in listening.told] == ["Build broken"]


async def test_a_flood_is_cut_and_the_next_one_says_how_many_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    listening = Listening({SCHEMA: "Build {status}"})
    await listening.emit(*(str(n) for n in range(int(RATE.burst) + 7)))
    assert len(listening.told) == int(RATE.burst)
    assert caplog.text.count("Too many events") == 1
    listening.clock.advance(1 / RATE.per_s)
    await listening.emit("again")
    assert listening.told[-1][:2] == ("Build again", "(7 more before it)")


async def test_what_fails_here_breaks_no_event(caplog: pytest.LogCaptureFixture) -> None:
    def boom(*arguments: object, **how: object) -> None:
        raise RuntimeError("no luck today")

    listening = Listening({SCHEMA: "Build {status}"}, boom)
    heard: list[str] = []

    async def other(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data["status"])

    listening.events.add_listener(schema_id=SCHEMA, listener=other)
    await listening.emit("done", "done")
    assert heard == ["done", "done"]
    assert "no luck today" in caplog.text


async def test_at_the_end_nothing_is_listened_to() -> None:
    listening = Listening({SCHEMA: "Build {status}"})
    listening.notices.stop()
    await listening.emit("done")
    assert listening.told == []


@pytest.mark.parametrize("rule", [1, None, {}, {"title": "x", "level": "fatal"}, {"title": "x", "tittle": "y"}])
async def test_a_rule_that_cannot_be_understood_is_told_of_and_left_out(
    rule: object, caplog: pytest.LogCaptureFixture
) -> None:
    listening = Listening({SCHEMA: rule, "other": "x"})
    await listening.emit("done")
    assert listening.told == []
    assert f"the rule for {SCHEMA} is wrong" in caplog.text


def test_a_template_is_filled_with_what_is_there_and_nothing_else() -> None:
    data = {"a": 1, "b": {"c": "{a}"}, "n": None, "list": [1]}
    assert fill("{a} {b.c} {n} {list} {b.__class__} {a.real} {{a}} {", data, 100) == "1 {a}  [1]   {1} {"
    assert fill("{b.c}" * 100, data, 10) == "{a}{a}{a}{"


def test_a_schema_that_never_came_is_stopped_listening_to_as_well() -> None:
    events = EventLogger()
    notices = EventNotices({SCHEMA: "x"}, events, lambda: None, FakeClock(), logging.getLogger("test"))
    notices.stop()
    notices.start()
    notices.stop()
    assert not any(events._modified_listeners.values())
